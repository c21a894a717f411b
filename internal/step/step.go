// Package step is the law that every unit of work obeys: it can be checked,
// run, verified and (mostly) undone on its own, again, and after a crash. The
// package holds that law and the description of kinds; it does nothing itself.
package step

import (
	"context"
	"encoding/json"
)

// Step is one unit of work. Each method may be called alone, again, and after
// a crash at any point of an earlier call.
type Step interface {
	// Check reads only. It says as plain data what Run will do, and refuses
	// what cannot work, everything wrong at once (errors.Join).
	Check(ctx context.Context, env *Env) (Plan, error)
	// Run does it. It goes on from what is already done. Its Output is a value
	// of the kind's Output type.
	Run(ctx context.Context, env *Env, plan Plan) (Output, error)
	// Verify reads back from outside and proves the effect.
	Verify(ctx context.Context, env *Env, done Done) error
}

// Undoer is a Step that can be taken back, also when Run was cut off halfway:
// done.Output is then empty and the checkpoints say how far it came. Undo of
// something that was never done changes nothing and succeeds.
type Undoer interface {
	Undo(ctx context.Context, env *Env, done Done) error
}

// Varying is a Step whose effect depends on its fields (shell with or without
// undo). Without it the Kind's effect holds.
type Varying interface {
	Effect() Effect
}

// Output is what a step found out or made: a struct of the kind's Output type
// with json tags, or nil. Outputs are never secret.
type Output any

// Done is what the journal holds of a step: the plan that ran and the output.
// Output is empty while Run has not ended.
type Done struct {
	Plan   Plan            `json:"plan"`
	Output json.RawMessage `json:"output,omitempty"`
}

// Decode reads the output into a value of the kind's Output type.
func (d Done) Decode(into any) error { return json.Unmarshal(d.Output, into) }
