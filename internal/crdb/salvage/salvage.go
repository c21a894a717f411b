package salvage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/fault"
)

// Progress hears of work that is done, in stored bytes.
type Progress func(bytes int64)

// Run takes all rows out of the stores into the folder dir and reports on them.
// The same call again goes on where an earlier one stopped. The report is there
// even if it says that something is missing: see Report.Complete.
func Run(ctx context.Context, stores []string, dir string, opt Options, progress Progress) (_ *Report, err error) {
	if err := Refuse(stores, dir, opt); err != nil {
		return nil, err
	}
	if opt.Work == "" {
		opt.Work = filepath.Join(dir, storesName)
	}
	c, err := Open(ctx, stores, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	p, err := c.Plan(ctx, opt.Tables)
	if err != nil {
		return nil, err
	}
	return c.run(ctx, p, dir, opt, progress)
}

func (c *Cluster) run(ctx context.Context, p *Plan, dir string, opt Options, progress Progress) (_ *Report, err error) {
	plan, err := c.planHash(p, opt.Null)
	if err != nil {
		return nil, err
	}
	s, err := openState(dir, plan, p)
	if err != nil {
		return nil, noRoom(dir, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	w := &work{Cluster: c, Plan: p, Options: opt, state: s, dir: dir, plan: plan, progress: progress}
	if err := w.begin(); err != nil {
		return nil, noRoom(dir, err)
	}
	results, err := w.all(ctx)
	if err != nil {
		return nil, noRoom(dir, err)
	}
	rep, err := c.Merge(ctx, p, results, dir, opt)
	return rep, noRoom(dir, err)
}

// noRoom says what to do about a full disk.
func noRoom(dir string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fault.Wrap(fault.Failed, "the disk is full", err, fmt.Sprintf("free space on the file system of %s: the same command goes on where it stopped", dir))
	}
	return err
}

// work is all tasks of one call.
type work struct {
	*Cluster
	*Plan
	Options
	state    *state
	dir      string
	plan     string       // its hash
	followed map[int]bool // tasks whose files the follower is told of
	mu       sync.Mutex   // of progress
	progress Progress
}

// all does the tasks and gives their results in the order of the plan.
func (w *work) all(ctx context.Context) ([]Result, error) {
	results := make([]Result, len(w.Tasks))
	g, working := errgroup.WithContext(ctx)
	jobs := w.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	g.SetLimit(jobs)
	for _, task := range w.Tasks {
		g.Go(func() (err error) {
			if working.Err() != nil {
				return working.Err()
			}
			if results[task.ID], err = w.one(working, task); err != nil {
				return err
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.progress(task.Bytes)
			return nil
		})
	}
	return results, g.Wait()
}

// one does a task, unless an earlier call did and its files are as they were.
func (w *work) one(ctx context.Context, task Task) (Result, error) {
	r, done := w.state.done[task.ID]
	if done {
		var err error
		if done, err = intact(w.dir, task, r); err != nil {
			return r, err
		}
	}
	if !done {
		var err error
		if r, err = w.Do(ctx, w.Plan, task, w.dir, w.Null); err != nil {
			return r, err
		}
		if err := w.state.add(r); err != nil {
			return r, err
		}
	}
	if w.followed[task.ID] {
		w.Follow.Standing(task.Part)
	}
	return r, nil
}
