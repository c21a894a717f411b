package step

import "context"

// Recoverer is a Step whose Run may come to its end without its conductor: a
// command that goes on while evac is dead.
type Recoverer interface {
	// Recover is called before anything else for a step whose Run was cut off.
	// It waits for what still goes on and finds out, without doing anything
	// again, whether Run came to a good end: done, with the output that Run
	// would have returned. Not done means that Run may be called, if the step
	// is repeatable; an error, that it could not be found out.
	Recover(ctx context.Context, env *Env, plan Plan) (out Output, done bool, err error)
}
