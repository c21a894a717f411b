package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/step"
)

// Run journals the old weights, then sets the new ones.
func (w *Weight) Run(ctx context.Context, env *step.Env, plan step.Plan) (step.Output, error) {
	var d data
	if err := plan.DecodeData(&d); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	env.Progress.Total("servers", int64(len(d.Weights)))
	if err := w.remember(ctx, env, d); err != nil {
		return nil, err
	}
	changed, err := w.apply(ctx, env, d, d.Weights)
	if err != nil {
		return nil, err
	}
	return Output{Changed: changed, StateFile: d.StateFile}, nil
}

// remember journals the weights from before the first change, once: a Run
// that goes on must not take its own for the old ones.
func (w *Weight) remember(ctx context.Context, env *step.Env, d data) error {
	var c checkpoint
	if known, err := env.Checkpoint.Load(&c); known || err != nil {
		return err
	}
	servers, err := w.servers(ctx, haproxy.New(absolute(env, w.Socket)))
	if err != nil {
		return err
	}
	for _, a := range d.Weights {
		if s, ok := find(servers, a.Server); ok {
			c.Old = append(c.Old, aim{s.Name, s.Weight})
		}
	}
	return env.Checkpoint.Save(ctx, c)
}

// apply sets the weights in order, and saves the servers' state after each.
func (w *Weight) apply(ctx context.Context, env *step.Env, d data, aims []aim) (changed int, err error) {
	client := haproxy.New(absolute(env, w.Socket))
	for _, a := range aims {
		servers, err := w.servers(ctx, client)
		if err != nil {
			return changed, err
		}
		s, ok := find(servers, a.Server)
		if !ok {
			return changed, w.knows(servers, []aim{a})
		}
		if s.Weight != a.Weight {
			if a.Weight == 0 {
				if err := w.awaitTaker(ctx, env, client, aims); err != nil {
					return changed, fmt.Errorf("take server %q out of backend %q: %w", a.Server, w.Backend, err)
				}
			}
			if err := client.SetWeight(ctx, w.Backend, a.Server, a.Weight); err != nil {
				return changed, err
			}
			changed++
		}
		// Also when nothing changed: a crash may have come between the two.
		if err := client.SaveState(ctx, w.scope(d), d.StateFile); err != nil {
			return changed, err
		}
		env.Progress.Add(1)
	}
	return changed, nil
}

// scope is what goes into the state file: its backend, or all.
func (w *Weight) scope(d data) string {
	if d.Own {
		return w.Backend
	}
	return ""
}

// awaitTaker waits until one of the servers that stay takes requests. If none
// shall stay the plan has said so.
func (w *Weight) awaitTaker(ctx context.Context, env *step.Env, client *haproxy.Client, aims []aim) error {
	late := time.NewTimer(w.Wait)
	defer late.Stop()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		servers, err := w.servers(ctx, client)
		if err != nil {
			return err
		}
		stay := stayers(servers, aims)
		if len(stay) == 0 || slices.ContainsFunc(stay, takes) {
			return nil
		}
		env.Progress.Note("waiting for " + stay[0].Name + " to come up")
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.C:
			return noTaker(stay)
		case <-ticker.C:
		}
	}
}

func noTaker(stay []haproxy.Server) error {
	var states []string
	for _, s := range stay {
		states = append(states, fmt.Sprintf("%q is %s", s.Name, condition(s)))
	}
	return fault.New(fault.Failed, "no other server takes requests: "+strings.Join(states, ", "), "bring one up, then retry the step")
}

// Verify reads the weights back from HAProxy and from the state file.
func (w *Weight) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var d data
	if err := done.Plan.DecodeData(&d); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	running, err := w.servers(ctx, haproxy.New(absolute(env, w.Socket)))
	if err != nil {
		return err
	}
	saved, err := haproxy.ReadStateFile(d.StateFile)
	if err != nil {
		return err
	}
	saved = slices.DeleteFunc(saved, func(s haproxy.Server) bool { return s.Backend != w.Backend })
	return errors.Join(w.differs("in HAProxy", running, d.Weights), w.differs("in the state file", saved, d.Weights))
}

func (w *Weight) differs(where string, servers []haproxy.Server, aims []aim) error {
	var wrong error
	for _, a := range aims {
		s, ok := find(servers, a.Server)
		switch name := w.Backend + "/" + a.Server; {
		case !ok:
			wrong = errors.Join(wrong, fault.New(fault.Different, fmt.Sprintf("weight of %q %s: there is no such server", name, where), ""))
		case s.Weight != a.Weight:
			wrong = errors.Join(wrong, fault.New(fault.Different, fmt.Sprintf("weight of %q %s is %d, want %d", name, where, s.Weight, a.Weight), ""))
		}
	}
	return wrong
}

// Undo puts the journalled weights back.
func (w *Weight) Undo(ctx context.Context, env *step.Env, done step.Done) error {
	var c checkpoint
	known, err := env.Checkpoint.Load(&c)
	if !known || err != nil {
		return err // never begun
	}
	var d data
	if err := done.Plan.DecodeData(&d); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	_, err = w.apply(ctx, env, d, takersFirst(c.Old))
	return err
}

// stateFile is where a reload finds the weights. What the step names must not
// contradict the configuration, and must be writable.
func (w *Weight) stateFile(env *step.Env, config *haproxy.Config) (file string, own bool, err error) {
	file, own, err = config.StateFile(w.Backend)
	named := absolute(env, w.StateFile)
	var unreadable *haproxy.UnknownPathError
	switch {
	case errors.As(err, &unreadable) && named != "":
		file, own = named, unreadable.Own
	case err != nil:
		return "", false, err
	case named != "" && named != file:
		return "", false, fault.New(fault.Invalid, fmt.Sprintf("save weights to %q: a reload reads %q", named, file), "leave out state_file")
	}
	if err := haproxy.CanSave(file); err != nil {
		return "", false, fault.Wrap(fault.Denied, fmt.Sprintf("save weights to %q", file), err, "run as an account that may write there")
	}
	return file, own, nil
}
