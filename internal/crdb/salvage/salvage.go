package salvage

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
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
	s, done, err := openState(dir, plan, p)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	results := make([]Result, len(p.Tasks))
	g, working := errgroup.WithContext(ctx)
	jobs := opt.Jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	g.SetLimit(jobs)
	var mu sync.Mutex
	for _, task := range p.Tasks {
		if r, ok := done[task.ID]; ok {
			results[task.ID] = r
			progress(task.Bytes)
			continue
		}
		g.Go(func() error {
			if working.Err() != nil {
				return working.Err()
			}
			r, err := c.Do(working, p, task, dir, opt.Null)
			if err != nil {
				return err
			}
			results[task.ID] = r
			mu.Lock()
			progress(task.Bytes)
			mu.Unlock()
			return s.add(r)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return c.Merge(ctx, p, results, dir, opt)
}
