// Package engine is where work runs that splits into tasks. It knows tasks, not
// what they are about: steps and libraries hand it theirs.
package engine

import (
	"context"
	"encoding/json"
)

// Task is one piece of some work, as plain JSON without secrets, so that it may
// be done by any process which has the same work open.
type Task struct {
	ID   int             `json:"id"`   // its place in the list, from 0
	Cost int64           `json:"cost"` // in bytes, about
	Body json.RawMessage `json:"body"` // of the work that made it
}

// Do does one task and gives its result, as plain JSON too. It is atomic: what it
// leaves behind is either whole or not there. It may be called for a task that was
// done before or that is being done, here or by another process, and comes to the
// same each time.
type Do func(ctx context.Context, t Task) (json.RawMessage, error)

// Ledger remembers results, so that a call that was cut off can be gone on with.
// Its methods are called from several goroutines at once.
type Ledger interface {
	// Done gives the result of a task that an earlier call did, if it still holds.
	Done(ctx context.Context, t Task) (result json.RawMessage, done bool, err error)
	// Add notes the result of a task.
	Add(t Task, result json.RawMessage) error
}
