package salvage

import (
	"bufio"
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
	mu   sync.Mutex
	file *os.File
	done map[int]Result // by earlier calls
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
func openState(dir, plan string, p *Plan) (_ *state, err error) {
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
	done, end, err := readState(f, dir, plan, p)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(end); err != nil { // a line that was cut off
		return nil, err
	}
	if _, err := f.Seek(end, io.SeekStart); err != nil {
		return nil, err
	}
	return &state{file: f, done: done}, nil
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
		if e.Name() != stateName+".tmp" && e.Name() != storesName {
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
func readState(f io.Reader, dir, plan string, p *Plan) (done map[int]Result, end int64, err error) {
	in := bufio.NewReader(f)
	line, err := in.ReadBytes('\n')
	var h head
	if err != nil || json.Unmarshal(line, &h) != nil || h.Plan != plan {
		return nil, 0, fault.New(fault.Invalid, fmt.Sprintf("folder %q holds the salvage of other stores, or with other options", dir),
			"name an empty or a new folder with --out, or the same stores and options as before")
	}
	done, end = map[int]Result{}, int64(len(line))
	for {
		line, err := in.ReadBytes('\n')
		var r Result
		if err != nil || json.Unmarshal(line, &r) != nil || r.Task < 0 || r.Task >= len(p.Tasks) {
			return done, end, nil
		}
		done[r.Task], end = r, end+int64(len(line))
	}
}

// intact says whether the files of a result are as they were written.
func intact(dir string, t Task, r Result) (bool, error) {
	name := filepath.Join(dir, filepath.FromSlash(t.Part))
	for at, f := range map[string]*File{name: r.File, doubtfulName(name): r.Doubtful} {
		if f == nil {
			continue
		}
		if same, err := f.same(at); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// add notes a result. A crash of the machine may take the line or what it speaks
// of: then the task is done again.
func (s *state) add(r Result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	killpoint()
	_, err = s.file.Write(append(line, '\n'))
	killpoint()
	return err
}

func (s *state) close() error { return s.file.Close() }
