package engine

import (
	"context"
	"encoding/json"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Local is the engine in this process: a pool of workers.
type Local struct {
	Workers int    // 0: one a core
	Ledger  Ledger // nil: every task is done
	// Standing hears of each task once its result is there, also when an earlier
	// call did it: one call at a time. It may be nil.
	Standing func(t Task)
}

// Run does the tasks, the first ones first: in which order they are best done,
// the work knows that made them. The results are in the order of the tasks. The
// first error cancels what is going on, and nothing more is begun.
func (l Local) Run(ctx context.Context, tasks []Task, do Do) ([]json.RawMessage, error) {
	workers := l.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	results := make([]json.RawMessage, len(tasks))
	var standing sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i, t := range tasks {
		g.Go(func() (err error) {
			if err = ctx.Err(); err != nil {
				return err
			}
			if results[i], err = l.one(ctx, t, do); err != nil || l.Standing == nil {
				return err
			}
			standing.Lock()
			defer standing.Unlock()
			l.Standing(t)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}

// one gives the result of a task, which the ledger may have already.
func (l Local) one(ctx context.Context, t Task, do Do) (json.RawMessage, error) {
	if l.Ledger == nil {
		return do(ctx, t)
	}
	if r, done, err := l.Ledger.Done(ctx, t); done || err != nil {
		return r, err
	}
	r, err := do(ctx, t)
	if err != nil {
		return nil, err
	}
	return r, l.Ledger.Add(t, r)
}
