package pg

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

// task is a piece of work that can begin when others have ended and nobody
// else works on its relations.
type task[W any] struct {
	// do gets whether other work waits meanwhile.
	do func(ctx context.Context, worker W, crowded bool) error
	// cost is about how long it takes, in any one unit.
	cost int64
	// alone are relations that nobody else may work on meanwhile, among those
	// that share them.
	alone, among []uint32
	// soon tells that it comes before all that are not.
	soon bool
	// outside tells that nobody here does it: it ends when word of it comes.
	outside bool

	next  []*task[W] // what waits for this one
	waits int        // for how many it waits
	chain int64      // cost of the longest chain that begins here
}

// after lets the task wait for others.
func (t *task[W]) after(others ...*task[W]) {
	for _, o := range others {
		o.next = append(o.next, t)
		t.waits++
	}
}

// board hands tasks out: of those that can begin the one with the longest
// chain behind it, for that is what everything else ends up waiting for.
type board[W any] struct {
	ready []*task[W] // those that come soon, then longest chain first
	users map[uint32]int
	open  int // tasks that have not ended
}

// heldAlone in place of a count of users.
const heldAlone = -1

func newBoard[W any](tasks []*task[W]) (*board[W], error) {
	b := &board[W]{users: map[uint32]int{}, open: len(tasks)}
	order := make([]*task[W], 0, len(tasks))
	waits := make(map[*task[W]]int, len(tasks))
	for _, t := range tasks {
		if waits[t] = t.waits; t.waits == 0 {
			order = append(order, t)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, n := range order[i].next {
			if waits[n]--; waits[n] == 0 {
				order = append(order, n)
			}
		}
	}
	if len(order) != len(tasks) {
		return nil, errors.New("the work waits for itself")
	}
	for _, t := range slices.Backward(order) {
		for _, n := range t.next {
			t.chain = max(t.chain, n.chain)
		}
		t.chain += t.cost
	}
	for _, t := range tasks {
		if t.waits == 0 && !t.outside {
			b.put(t)
		}
	}
	return b, nil
}

func (b *board[W]) put(t *task[W]) {
	at, _ := slices.BinarySearchFunc(b.ready, t, func(a, t *task[W]) int {
		if a.soon == t.soon && a.chain >= t.chain || a.soon && !t.soon {
			return -1
		}
		return 1
	})
	b.ready = slices.Insert(b.ready, at, t)
}

// pick finds the next task that can begin, -1 if none can now.
func (b *board[W]) pick() int { return slices.IndexFunc(b.ready, b.free) }

func (b *board[W]) free(t *task[W]) bool {
	return !slices.ContainsFunc(t.alone, func(r uint32) bool { return b.users[r] != 0 }) &&
		!slices.ContainsFunc(t.among, func(r uint32) bool { return b.users[r] == heldAlone })
}

func (b *board[W]) begin(at int) {
	t := b.ready[at]
	b.ready = slices.Delete(b.ready, at, at+1)
	for _, r := range t.alone {
		b.users[r] = heldAlone
	}
	for _, r := range t.among {
		b.users[r]++
	}
}

func (b *board[W]) end(t *task[W]) {
	b.open--
	for _, r := range t.alone {
		b.users[r] = 0
	}
	for _, r := range t.among {
		b.users[r]--
	}
	for _, n := range t.next {
		if n.waits--; n.waits == 0 {
			b.put(n)
		}
	}
}

// started is a task with what it is told.
type started[W any] struct {
	*task[W]
	crowded bool
}

// runTasks lets n workers do all tasks. A worker has something of its own (its
// sessions), opened before its first task and closed at the end. Tasks outside
// end as they come from the channel, which may be nil. The first error ends them
// all.
func runTasks[W any](ctx context.Context, n int, tasks []*task[W], outside <-chan *task[W], open func(context.Context) (W, error), shut func(W) error) error {
	b, err := newBoard(tasks)
	if err != nil || len(tasks) == 0 {
		return err
	}
	give, ended := make(chan started[W]), make(chan *task[W])
	group, ctx := errgroup.WithContext(ctx)
	for range min(n, len(tasks)) {
		group.Go(func() error { return taskWorker(ctx, give, ended, open, shut) })
	}
	group.Go(func() error {
		defer close(give)
		return b.hand(ctx, give, ended, outside)
	})
	return group.Wait()
}

// hand gives tasks out until all have ended.
func (b *board[W]) hand(ctx context.Context, give chan<- started[W], ended, outside <-chan *task[W]) error {
	for b.open > 0 {
		var next started[W]
		var out chan<- started[W] // nil: nothing can begin now
		at := b.pick()
		if at >= 0 {
			next, out = started[W]{b.ready[at], len(b.ready) > 1}, give
		}
		select {
		case out <- next:
			b.begin(at)
		case t := <-ended:
			b.end(t)
		case t := <-outside:
			b.end(t)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func taskWorker[W any](ctx context.Context, give <-chan started[W], ended chan<- *task[W], open func(context.Context) (W, error), shut func(W) error) (err error) {
	w, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shut(w)) }()
	for t := range give {
		if err := t.do(ctx, w, t.crowded); err != nil {
			return err
		}
		select {
		case ended <- t.task:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
