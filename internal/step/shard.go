package step

import (
	"context"
	"encoding/json"

	"github.com/evac-io/evac/internal/engine"
)

// Sharder is a Step whose work splits into tasks that any process may do which
// reaches the same data: Run does them all, an engine elsewhere can do them too.
type Sharder interface {
	Step
	// Shards opens what the tasks need, once for as many as the caller has. Every
	// process that has the step opens its own; the plan is the one that was checked.
	Shards(ctx context.Context, env *Env, plan Plan) (Shards, error)
}

// Shards is the work of a Sharder, open.
type Shards interface {
	// Split gives all tasks, in the order in which they are best done. They depend
	// on the step and its data alone, never on who asks or how many workers there are.
	Split() ([]engine.Task, error)
	// Do does one task of Split, by anybody's Shards. See engine.Do for what it keeps.
	Do(ctx context.Context, t engine.Task) (json.RawMessage, error)
	// Merge ends the step with the results of all tasks, in their order, and gives
	// what Run would: called once, when all tasks are done.
	Merge(ctx context.Context, results []json.RawMessage) (Output, error)
	Close() error
}
