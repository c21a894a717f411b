package servers

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// Attach finds the running server of a directory that StartPostgres made,
// whoever started it. If none runs there its error is ErrNotRunning.
func Attach(dir string) (*Postgres, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p := &Postgres{Dir: dir, Socket: socketDir(dir)}
	if err := p.readFiles(); err != nil {
		return nil, fmt.Errorf("attach to the server in %q: %w", dir, err)
	}
	return p, nil
}

// ErrNotRunning says that a directory's server does not run.
var ErrNotRunning = errors.New("no server runs there")

func (p *Postgres) readFiles() error {
	var err error
	if p.Install, err = p.readRecord(); err != nil {
		return err
	}
	file, err := readPIDFile(p.DataDir())
	if err != nil {
		return err
	}
	p.Port, p.process = file.port, &process{pid: file.pid}
	if !p.accepts() { // the number alone may by now be another process's
		return ErrNotRunning
	}
	return nil
}

// readRecord reads back what prepare wrote; an install may have gone since.
func (p *Postgres) readRecord() (Install, error) {
	text, err := os.ReadFile(filepath.Join(p.Dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return Install{}, ErrNotRunning
	}
	if err != nil {
		return Install{}, err
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return Install{}, fmt.Errorf("read %q: %w", recordName, err)
	}
	password, err := os.ReadFile(filepath.Join(p.Dir, passwordName))
	p.Superuser, p.password = r.Superuser, secret.New(string(password))
	return r.Install, err
}

// pidFile is postmaster.pid: one fact a line (PostgreSQL source,
// src/include/utils/pidfile.h): pid, data directory, start time, port …
type pidFile struct{ pid, port int }

func readPIDFile(data string) (pidFile, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return pidFile{}, ErrNotRunning
	}
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 5 {
		return pidFile{}, ErrNotRunning // it is still being written
	}
	var f pidFile
	var wrong error
	f.pid, err = strconv.Atoi(lines[0])
	f.port, wrong = strconv.Atoi(lines[3])
	if err := errors.Join(err, wrong); err != nil {
		return f, fmt.Errorf("read postmaster.pid: %w", err)
	}
	return f, nil
}

// startLimit bounds a start, crash recovery included.
const startLimit = 2 * time.Minute

// awaitReady returns when the server takes connections, or fails when it has
// ended.
func (p *Postgres) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it takes no connections after %s", startLimit))
	defer cancel()
	return until(ctx, pollEvery, func() (bool, error) {
		if !p.process.alive() {
			return false, errors.New("it ended at once")
		}
		return p.accepts(), nil
	})
}

// accepts tells whether the server lets clients in: it asks for a session and
// looks at the first byte of the answer (PostgreSQL protocol 3.0: R begins an
// authentication; a server that still starts answers E).
func (p *Postgres) accepts() bool {
	conn, err := net.Dial("unix", filepath.Join(p.Socket, fmt.Sprintf(".s.PGSQL.%d", p.Port)))
	if err != nil {
		return false
	}
	defer conn.Close()
	hello := []byte("\x00\x00\x00\x00\x00\x03\x00\x00user\x00" + p.Superuser + "\x00database\x00postgres\x00\x00")
	binary.BigEndian.PutUint32(hello, uint32(len(hello)))
	answer := make([]byte, 1)
	err = conn.SetDeadline(time.Now().Add(answerLimit))
	if err == nil {
		_, err = conn.Write(hello)
	}
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	return err == nil && answer[0] == 'R'
}

// answerLimit bounds one question to a server on this machine.
const answerLimit = 5 * time.Second

// longestSocketDir leaves room for the socket's name: a whole path may have
// 103 bytes on macOS.
const longestSocketDir = 85

// socketDir is a directory for a server's Unix socket: in the server's own, or
// where that has too long a path, one whose name follows from it.
func socketDir(dir string) string {
	if inside := filepath.Join(dir, "run"); len(inside) <= longestSocketDir {
		return inside
	}
	sum := sha256.Sum256([]byte(dir))
	return "/tmp/evac-" + hex.EncodeToString(sum[:6])
}

// privateDir makes a directory, perhaps where anybody may write, and refuses one
// that somebody else has put there.
func privateDir(dir string, as *account) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	owner := uint32(os.Geteuid())
	mine := ok && (stat.Uid == owner || as != nil && stat.Uid == as.uid)
	if !info.IsDir() || !mine || info.Mode().Perm() != 0o700 {
		return fault.New(fault.Denied, fmt.Sprintf("use %q for the server's socket: it is somebody else's", dir), "rm -r "+dir)
	}
	return as.own(dir)
}

// copyTemplate makes a data directory from a template, which it makes first
// if there is none for this install yet.
func (p *Postgres) copyTemplate(ctx context.Context, templates, data string, as *account) error {
	sum := sha256.Sum256([]byte(p.Install.Version + p.Install.Bin + p.Superuser))
	template := filepath.Join(templates, fmt.Sprintf("pg%d-%s", p.Install.Major, hex.EncodeToString(sum[:6])))
	err := place(ctx, template, func(part string) error {
		if err := errors.Join(as.own(part), as.reaches(part)); err != nil {
			return err
		}
		return p.initdb(ctx, filepath.Join(part, dataDir), []string{"-N"}, as) // not to sync: the long form has had two spellings
	})
	if err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	if err := os.CopyFS(data, os.DirFS(filepath.Join(template, dataDir))); err != nil {
		return fmt.Errorf("copy template: %w", err)
	}
	return errors.Join(os.Chmod(data, 0o700), as.own(data))
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// logSince is what a log has gained since it had that size, for an error.
func logSince(path string, size int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, size, 64<<10))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

// reason is the line of a server's log that says why it ended.
func reason(log string) string {
	for _, line := range slices.Backward(strings.Split(log, "\n")) {
		if strings.Contains(line, "FATAL:") || strings.Contains(line, "PANIC:") {
			return line
		}
	}
	return lastLine(log)
}
