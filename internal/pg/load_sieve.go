package pg

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// rejectsRow tells whether the server did not take a row for what it holds: its
// value, a constraint of its table, or its size (PostgreSQL's error classes 22,
// 23 and 54).
func rejectsRow(err error) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) || len(server.Code) != 5 {
		return false
	}
	class := server.Code[:2]
	return class == "22" || class == "23" || class == "54"
}

// rejectedMark begins a warning of rows that the server rejects.
const rejectedMark = "rejected: "

// sieve loads a file of which the server does not take every row: in batches, and
// one that it rejects is halved until the row that it will not have is alone.
type sieve struct {
	conn  *pgx.Conn
	sql   string // COPY FROM STDIN in text form
	aside *aside
	sum   amount
	first string // the first rejected row and why
	count int64
}

// sieveRow is a row on its way.
type sieveRow struct {
	record int64
	text   []byte // as COPY takes it, with the line end
	line   []byte // as the file has it
}

// A batch has as many rows or bytes at most.
const sieveRows, sieveBytes = 1000, 1 << 20

// siftPart loads a file within the transaction of its line in the ledger, and puts
// the rows that the server rejects aside.
func (l *loader) siftPart(ctx context.Context, conn *pgx.Conn, c chunk) (sum amount, err error) {
	rows, err := openCSV(filepath.Join(l.plan.Dir, c.Filter), l.plan.Null)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	order, err := rows.places(c.Columns)
	if err != nil {
		return sum, err
	}
	aside, err := putAside(l.plan.Dir, c.Filter, rows.line)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, aside.discard()) }()
	s := &sieve{conn: conn, aside: aside, sql: "copy " + Quote(c.Schema, c.Table) + parens(c.columnList()) + " from stdin"}
	if err := s.all(ctx, rows, order); err != nil {
		return sum, err
	}
	if err := aside.finish(); err != nil {
		return sum, err
	}
	text := fmt.Sprintf("%s%d rows of %q, which stand in %q, the first of them %s", rejectedMark, s.count, c.Filter, rejectedPath(c.Filter), s.first)
	return s.sum, noteWarning(ctx, conn, text)
}

// all loads the rows of a file, batch by batch.
func (s *sieve) all(ctx context.Context, rows *csvRows, order []int) error {
	var batch []sieveRow
	for size := 0; ; {
		err := rows.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err == nil {
			row := sieveRow{record: rows.record, text: append(rows.appendText(nil, order), '\n'), line: bytes.Clone(rows.line)}
			batch, size = append(batch, row), size+len(row.text)
		}
		if err != nil || len(batch) == sieveRows || size >= sieveBytes {
			if err := s.load(ctx, batch); err != nil {
				return err
			}
			batch, size = batch[:0], 0
		}
		if err != nil {
			return nil
		}
	}
}

// load loads some rows, less those that the server rejects.
func (s *sieve) load(ctx context.Context, rows []sieveRow) error {
	if len(rows) == 0 {
		return nil
	}
	var text []byte
	for _, r := range rows {
		text = append(text, r.text...)
	}
	savepoint, err := s.conn.Begin(ctx) // a savepoint, for a transaction is open
	if err != nil {
		return err
	}
	_, err = s.conn.PgConn().CopyFrom(ctx, bytes.NewReader(text), s.sql)
	if err == nil {
		s.sum.rows += int64(len(rows))
		s.sum.bytes += int64(len(text))
		return savepoint.Commit(ctx)
	}
	if !rejectsRow(err) {
		return err
	}
	if err := savepoint.Rollback(ctx); err != nil {
		return err
	}
	if len(rows) == 1 {
		return s.reject(rows[0], err)
	}
	half := len(rows) / 2
	if err := s.load(ctx, rows[:half]); err != nil {
		return err
	}
	return s.load(ctx, rows[half:])
}

// reject puts a row aside.
func (s *sieve) reject(r sieveRow, why error) error {
	reason := why.Error()
	var server *pgconn.PgError
	if errors.As(why, &server) {
		reason = server.Message
		if server.Detail != "" {
			reason += " (" + server.Detail + ")"
		}
		if _, column, ok := strings.Cut(server.Where, ", column "); ok {
			reason += ", column " + column
		}
	}
	if s.count++; s.count == 1 {
		s.first = fmt.Sprintf("record %d (%s): %s", r.record, shorten(string(r.line)), reason)
	}
	return s.aside.add(r.record, reason, r.line)
}

// rejectedPath is where the rejected rows of a file stand: data/… becomes
// rejected/….
func rejectedPath(part string) string {
	return filepath.Join("rejected", strings.TrimPrefix(filepath.ToSlash(part), "data/"))
}

// aside is a file of rejected rows in the making: CSV with the number of the record
// in its file, the reason, and the row's own fields.
type aside struct {
	name string
	file *os.File
}

func putAside(dir, part string, header []byte) (*aside, error) {
	a := &aside{name: filepath.Join(dir, rejectedPath(part))}
	if err := os.MkdirAll(filepath.Dir(a.name), 0o755); err != nil {
		return nil, err
	}
	var err error
	if a.file, err = os.Create(a.name + ".tmp"); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(a.file, "record,reason,%s\n", header); err != nil {
		return nil, errors.Join(err, a.discard())
	}
	return a, nil
}

func (a *aside) add(record int64, reason string, line []byte) error {
	_, err := fmt.Fprintf(a.file, "%d,\"%s\",%s\n", record, strings.ReplaceAll(reason, `"`, `""`), line)
	return err
}

// finish makes the file last before the ledger says that it does.
func (a *aside) finish() error {
	f := a.file
	a.file = nil
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), a.name)
}

func (a *aside) discard() error {
	if a.file == nil {
		return nil
	}
	return errors.Join(a.file.Close(), os.Remove(a.file.Name()))
}

// forgetRejected takes away what another server once rejected of a file.
func forgetRejected(dir, part string) error {
	err := os.Remove(filepath.Join(dir, rejectedPath(part)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readRejected lists the records of a file that the server rejected.
func readRejected(dir, part string) (records map[int64]bool, err error) {
	f, err := os.Open(filepath.Join(dir, rejectedPath(part)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := csv.NewReader(f)
	in.FieldsPerRecord = -1
	records = map[int64]bool{}
	for header := true; ; header = false {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		if header {
			continue
		}
		n, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", f.Name(), err)
		}
		records[n] = true
	}
}
