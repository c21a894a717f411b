// Package probe holds the kinds "probe_http" and "probe_tcp": looking from
// outside whether something answers.
package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

// patience is how often and how long a probe looks.
type patience struct {
	within time.Duration // in which it must come true; 0: at the first look
	times  int           // how often in a row it must be true
	every  time.Duration // from look to look
}

// wrong says what in the patience cannot work.
func (p patience) wrong() error {
	switch {
	case p.times < 1:
		return fault.New(fault.Invalid, fmt.Sprintf("times: is %d, want at least 1", p.times), "")
	case p.every <= 0:
		return fault.New(fault.Invalid, "every: is 0, want more", `write every = "1s"`)
	}
	return nil
}

// once is content with one look that is true.
func (p patience) once() patience {
	p.times = 1
	return p
}

// text says the patience in words.
func (p patience) text() string {
	text := ""
	if p.times > 1 {
		text = fmt.Sprintf(" %d times in a row", p.times)
	}
	if p.within > 0 {
		text += " within " + p.within.String()
	}
	return text
}

// until looks until it is true often enough, and returns how many looks it
// took. When time is up, what the last look saw is the error. A series that
// has begun well in time may come to its end.
func (p patience) until(ctx context.Context, env *step.Env, look func(context.Context) error) (int, error) {
	end := time.Now().Add(p.within)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for looks, row := 0, 0; ; {
		select {
		case <-ctx.Done():
			return looks, context.Cause(ctx)
		case <-timer.C:
		}
		err := look(ctx)
		looks++
		if err == nil {
			row++
		} else {
			row = 0
			env.Progress.Note(err.Error())
		}
		switch {
		case row >= p.times:
			return looks, nil
		case ctx.Err() != nil:
			return looks, context.Cause(ctx)
		case row == 0 && !time.Now().Add(p.every).Before(end):
			if looks > 1 {
				err = fmt.Errorf("%w (looked %d times)", err, looks)
			}
			return looks, err
		}
		timer.Reset(p.every)
	}
}

// glanceTime bounds the single look that Check takes.
const glanceTime = 3 * time.Second

// glance says for a plan what a look sees now. That it is not yet true is no
// reason to refuse: an earlier step may make it so.
func glance(ctx context.Context, look func(context.Context) error) string {
	ctx, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	if err := look(ctx); err != nil {
		return "not yet: " + err.Error()
	}
	return "true already"
}
