package salvage

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	tasks "github.com/evac-io/evac/internal/engine"
	"github.com/evac-io/evac/internal/fault"
)

// stateName is the file in the output folder that says which tasks are done: a
// line for the plan, then one for each result.
const stateName = "state.jsonl"

// head is the first line of the state.
type head struct {
	Plan string `json:"plan"` // hash of the stores, the options and the tasks
}

// state is the open file, locked against other processes until it is closed or
// this one dies.
type state struct {
	dir   string
	tasks []Task
	mu    sync.Mutex
	file  *os.File
	done  map[int]json.RawMessage // by earlier calls
}

// planHash is what two salvages must have in common to go on with each other.
func (c *Cluster) planHash(p *Plan, null string) (string, error) {
	h := sha256.New()
	e := json.NewEncoder(h)
	errs := []error{e.Encode(p.Tasks), e.Encode(null), e.Encode(c.asOf), e.Encode(c.opt.Loadable), e.Encode(c.print)}
	for _, t := range p.Tables {
		errs = append(errs, e.Encode(FullName(t)), e.Encode(t.Version), e.Encode(c.given[t]))
	}
	if c.Backup != nil {
		for _, l := range c.Backup.Layers() {
			errs = append(errs, e.Encode(l.Dir), e.Encode(l.ID), e.Encode(l.Start), e.Encode(l.End), e.Encode(len(l.Files)))
		}
	}
	for _, s := range c.Stores {
		errs = append(errs, e.Encode(s.Ident()), e.Encode(s.Facts()))
	}
	return hex.EncodeToString(h.Sum(nil)), errors.Join(errs...)
}

// openState opens the state of the output folder, or begins it.
func openState(dir, plan string, list []Task) (_ *state, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, stateName)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err = newState(name, plan); err == nil {
			f, err = os.OpenFile(name, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fault.New(fault.Busy, fmt.Sprintf("another salvage writes into folder %q", dir), "wait for it, or name another folder with --out")
	} else if err != nil {
		return nil, fmt.Errorf("lock %q: %w", name, err)
	}
	done, end, err := readState(f, dir, plan, len(list))
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(end); err != nil { // a line that was cut off
		return nil, err
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return nil, err
	}
	return &state{dir: dir, tasks: list, file: f, done: done}, removeTemporary(dir)
}

// Refuse refuses a folder for the output that holds something else than a
// salvage, and folders to write to that lie in the evidence.
func Refuse(evidence []string, dir string, opt Options) error {
	for _, folder := range []string{dir, opt.Work, opt.CopyTo} {
		if err := outside(folder, evidence); err != nil {
			return err
		}
	}
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == stateName }) {
		return nil
	}
	for _, e := range list {
		if !isTemporary(e.Name()) && e.Name() != storesName {
			return fault.New(fault.Invalid, fmt.Sprintf("folder %q is not empty, and holds no salvage", dir), "name an empty or a new folder with --out")
		}
	}
	return nil
}

// newState begins a salvage.
func newState(name, plan string) error {
	line, err := json.Marshal(head{Plan: plan})
	if err != nil {
		return err
	}
	return writeFile(name, append(line, '\n'))
}

// readState reads the results, and where the last whole line ends.
func readState(f io.Reader, dir, plan string, n int) (done map[int]json.RawMessage, end int64, err error) {
	in := bufio.NewReader(f)
	line, err := in.ReadBytes('\n')
	var h head
	if err != nil || json.Unmarshal(line, &h) != nil || h.Plan != plan {
		return nil, 0, fault.New(fault.Invalid, fmt.Sprintf("folder %q holds the salvage of other stores, or with other options", dir),
			"name an empty or a new folder with --out, or the same stores and options as before")
	}
	done, end = map[int]json.RawMessage{}, int64(len(line))
	for {
		line, err := in.ReadBytes('\n')
		var r Result
		if err != nil || json.Unmarshal(line, &r) != nil || r.Task < 0 || r.Task >= n {
			return done, end, nil
		}
		done[r.Task], end = line[:len(line)-1], end+int64(len(line))
	}
}

// Done is the result of a task that an earlier call did, if its files are as they
// were written.
func (s *state) Done(_ context.Context, t tasks.Task) (json.RawMessage, bool, error) {
	line, done := s.done[t.ID]
	if !done {
		return nil, false, nil
	}
	var r Result
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, false, err
	}
	name := filepath.Join(s.dir, filepath.FromSlash(s.tasks[t.ID].Part))
	for at, f := range map[string]*File{name: r.File, doubtfulName(name): r.Doubtful} {
		if f == nil {
			continue
		}
		if same, err := f.same(at); !same || err != nil {
			return nil, false, err
		}
	}
	return line, true, nil
}

// Add notes a result. A crash of the machine may take the line or what it speaks
// of: then the task is done again.
func (s *state) Add(_ tasks.Task, result json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	killpoint()
	_, err := s.file.Write(append(slices.Clip(result), '\n'))
	killpoint()
	return noRoom(s.dir, err)
}

func (s *state) close() error { return s.file.Close() }
