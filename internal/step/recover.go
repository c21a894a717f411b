package step

import "context"

// Recoverer is a Step that can tell, after its conductor died in the middle
// of Run, what became of it, without running anything again: it waits for
// what was started and still lives. done false means that nobody knows.
type Recoverer interface {
	Recover(ctx context.Context, env *Env, plan Plan) (out Output, done bool, err error)
}
