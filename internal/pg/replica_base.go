package pg

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/evac-io/evac/internal/fault"
)

// baseBackup takes a base backup into the directory, with the write-ahead log
// that makes it consistent, and compares every file with the manifest that the
// server sends (from version 13 on).
func (r *replica) baseBackup(ctx context.Context) (b BaseBackup, err error) {
	conn, err := connectReplication(ctx, r.From)
	if err != nil {
		return b, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpLimit)
		defer cancel()
		err = errors.Join(err, conn.Close(closing))
	}()
	in := &baseStream{replica: r, tree: newTree(r.account)}
	// What ends the work ends the wait for the next message.
	defer context.AfterFunc(ctx, func() { _ = conn.Conn().SetDeadline(time.Unix(1, 0)) })()
	err = in.receive(conn, r.backupCommand())
	err = errors.Join(err, in.endArchive(err))
	if ctx.Err() != nil {
		return b, context.Cause(ctx)
	}
	if err != nil {
		return b, fmt.Errorf("take the base backup: %w", err)
	}
	b = BaseBackup{Start: in.start, End: in.end, Files: in.tree.files, Bytes: in.tree.bytes}
	if r.version >= manifests {
		b.Checked, err = checkManifest(in.manifest.Bytes(), in.tree.sums)
	}
	return b, err
}

// Versions at which the base backup's protocol changed (PostgreSQL docs,
// Streaming Replication Protocol).
const (
	manifests  = 13_00_00 // a manifest follows the archives
	oneStream  = 15_00_00 // all archives in one stream with typed messages; options in parentheses
	leastRate  = 32       // MAX_RATE's bounds, in kB a second
	mostRate   = 1048576
	labelOfOne = "evac replica"
)

// backupCommand asks for everything with a checkpoint at once.
func (r *replica) backupCommand() string {
	rate := min(max(r.MaxRate/1024, leastRate), mostRate)
	if r.version >= oneStream {
		options := "LABEL '" + labelOfOne + "', PROGRESS true, CHECKPOINT 'fast', WAL true, WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C'"
		if r.MaxRate > 0 {
			options += fmt.Sprintf(", MAX_RATE %d", rate)
		}
		return "BASE_BACKUP (" + options + ")"
	}
	command := "BASE_BACKUP LABEL '" + labelOfOne + "' PROGRESS FAST WAL NOWAIT"
	if r.MaxRate > 0 {
		command += fmt.Sprintf(" MAX_RATE %d", rate)
	}
	if r.version >= manifests {
		command += " MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'"
	}
	return command
}

// baseStream is a base backup on its way in: result sets with the start, the
// tablespaces and the end, and between them one tar archive a tablespace, the
// data directory's own last, and the manifest.
type baseStream struct {
	replica  *replica
	tree     *tree
	results  int
	archives []archive // as the server lists them
	copies   int
	start    string
	end      string
	manifest bytes.Buffer
	// inManifest tells where data goes; tar is the archive that is being
	// unpacked, and unpacked its end.
	inManifest bool
	tar        *io.PipeWriter
	unpacked   chan error
}

// archive is a tablespace; the data directory has an empty OID.
type archive struct{ oid, location string }

// receive runs the command and handles every message of its answer.
func (in *baseStream) receive(conn *pgconn.PgConn, command string) error {
	conn.Frontend().SendQuery(&pgproto3.Query{String: command})
	if err := conn.Frontend().Flush(); err != nil {
		return err
	}
	var refused error
	for {
		message, err := conn.ReceiveMessage(context.Background())
		if err != nil {
			return errors.Join(refused, err)
		}
		switch m := message.(type) {
		case *pgproto3.RowDescription:
			in.results++
		case *pgproto3.DataRow:
			err = in.row(m.Values)
		case *pgproto3.CopyOutResponse:
			err = in.copyBegins()
		case *pgproto3.CopyData:
			err = in.data(m.Data)
		case *pgproto3.CopyDone:
			err = in.endArchive(nil)
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return refused
		}
		if err != nil {
			return err
		}
	}
}

// row reads a row of the result sets: first the start, then the tablespaces
// (OID, location, size in kB), last the end.
func (in *baseStream) row(values [][]byte) error {
	switch {
	case in.results == 1:
		in.start = string(values[0])
	case in.results == 2:
		in.archives = append(in.archives, archive{string(values[0]), string(values[1])})
		if len(values) > 2 {
			kB, err := strconv.ParseInt(string(values[2]), 10, 64)
			if err != nil {
				return fmt.Errorf("read size of a tablespace: %w", err)
			}
			in.tree.total += kB << 10
			in.replica.Progress.Total("bytes", in.tree.total)
		}
	default:
		in.end = string(values[0])
	}
	return nil
}

// copyBegins: before version 15 each archive is a COPY of its own, and the
// manifest the last.
func (in *baseStream) copyBegins() error {
	in.copies++
	if in.replica.version >= oneStream {
		return nil
	}
	if in.copies > len(in.archives) {
		in.inManifest = true
		return nil
	}
	return in.beginArchive(in.archives[in.copies-1])
}

// data handles a piece; from version 15 on its first byte says what it is.
func (in *baseStream) data(piece []byte) error {
	if in.replica.version < oneStream {
		return in.content(piece)
	}
	if len(piece) == 0 {
		return errors.New("the server sent an empty message")
	}
	kind, piece := piece[0], piece[1:]
	switch kind {
	case 'n': // name and location, each ended by a zero byte
		if err := in.endArchive(nil); err != nil {
			return err
		}
		fields := strings.Split(string(piece), "\x00")
		if len(fields) < 2 {
			return errors.New("the server named no archive")
		}
		a := archive{oid: strings.TrimSuffix(fields[0], ".tar"), location: fields[1]}
		if a.oid == "base" {
			a.oid = ""
		}
		return in.beginArchive(a)
	case 'm':
		err := in.endArchive(nil)
		in.inManifest = true
		return err
	case 'd':
		return in.content(piece)
	}
	return nil // 'p': progress, which is counted here
}

func (in *baseStream) content(piece []byte) error {
	if in.inManifest {
		in.manifest.Write(piece)
		return nil
	}
	if in.tar == nil {
		return errors.New("the server sent data outside an archive")
	}
	_, err := in.tar.Write(piece)
	return err
}

// beginArchive starts to unpack an archive.
func (in *baseStream) beginArchive(a archive) error {
	dir, prefix := in.replica.Local.Dir, ""
	if a.oid != "" {
		mapped, ok := in.replica.Tablespaces[a.location]
		if !ok {
			return fault.New(fault.Failed, fmt.Sprintf("tablespace %q appeared meanwhile", a.location), "give it a directory (tablespaces)")
		}
		dir, prefix = mapped, filepath.Join("pg_tblspc", a.oid)
	}
	reader, writer := io.Pipe()
	in.tar, in.unpacked = writer, make(chan error, 1)
	go func() {
		err := in.tree.unpack(reader, dir, prefix, in.replica.Tablespaces, in.replica.Progress)
		in.unpacked <- errors.Join(err, reader.CloseWithError(err))
	}()
	return nil
}

// endArchive waits until the archive that is being unpacked is on disk, or
// with a reason cuts it off.
func (in *baseStream) endArchive(reason error) error {
	if in.tar == nil {
		return nil
	}
	if reason == nil {
		reason = io.EOF
	}
	_ = in.tar.CloseWithError(reason) // never fails
	in.tar = nil
	err := <-in.unpacked
	if errors.Is(err, reason) {
		return nil // it is told already
	}
	return err
}

// castagnoli writes a CRC-32C as the server does: the machine's own byte order,
// which a physical copy needs to be the same anyway.
func castagnoli(sum uint32) string {
	return fmt.Sprintf("%x", binary.NativeEndian.AppendUint32(nil, sum))
}
