package conduct

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/step"
)

// Checked is a node after its check: a plan, or what it waits for, or why it
// cannot work.
type Checked struct {
	Node   *runbook.Node
	Effect step.Effect
	// Fields are the step's as they may be seen.
	Fields map[string]any
	// Plan is nil for gates and checklists, if the step waits for outputs and if
	// its condition is false (Skip). With Err it is only what the check saw
	// nevertheless: no actions and no data.
	Plan  *step.Plan
	Waits []runbook.Unknown
	Skip  bool
	Err   error
}

// Check checks every node of the program, reading only, at most parallel at a
// time. Problems are values; the error is for what ends the check itself.
func Check(ctx context.Context, p *Program, parallel int) ([]Checked, error) {
	scratch, err := os.MkdirTemp("", "evac-check-")
	if err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	defer os.RemoveAll(scratch)
	checked := make([]Checked, len(p.Nodes))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(parallel, 1))
	for i, n := range p.Nodes {
		group.Go(func() error {
			checked[i] = p.checkNode(ctx, n, scratch)
			return ctx.Err()
		})
	}
	return checked, group.Wait()
}

func (p *Program) checkNode(ctx context.Context, n *runbook.Node, scratch string) Checked {
	c := Checked{Node: n}
	if n.Class != runbook.ClassStep {
		return c
	}
	kind, schema, _ := p.Kinds.Kind(n.Kind)
	if _, varies := kind.New().(step.Varying); !varies { // else its fields decide
		c.Effect = kind.Effect
	}
	yes, waits, err := p.When(n, outputsOf(nil))
	if err != nil || !yes && len(waits) == 0 {
		c.Err, c.Skip = err, err == nil
		return c
	}
	s, fieldWaits, err := p.Build(n, outputsOf(nil))
	c.Waits = append(waits, fieldWaits...)
	if err != nil || s == nil {
		c.Err = err
		return c
	}
	schema.Redact(s, p.Secrets)
	c.Effect, c.Fields = kind.EffectOf(s), schema.Encode(s)
	if len(c.Waits) > 0 {
		return c
	}
	plan, err := guard(ctx, n, func(ctx context.Context) (step.Plan, error) { return s.Check(ctx, p.readOnlyEnv(n, scratch)) })
	if err != nil {
		c.Err = p.redacted(err)
		plan.Actions, plan.Data = nil, nil
		if len(plan.Facts)+len(plan.Warnings) == 0 {
			return c
		}
	}
	c.Plan = &plan
	return c
}

// Problems joins all that refuses, each named by its node; nil if nothing does.
func Problems(checked []Checked) error {
	var errs []error
	for _, c := range checked {
		if c.Err != nil {
			errs = append(errs, fault.Wrap(fault.KindOf(c.Err), "check "+c.Node.ID, c.Err, ""))
		}
	}
	return errors.Join(errs...)
}

// Record is what the journal keeps of the checked program.
func (p *Program) Record(checked []Checked) journal.RunBody {
	body := p.Body
	body.Nodes = p.nodeBodies(checked)
	return body
}

// nodeBodies is what the journal keeps of the checked nodes. A dependency on
// a node that is left out falls away.
func (p *Program) nodeBodies(checked []Checked) []journal.NodeBody {
	bodies := make([]journal.NodeBody, 0, len(checked))
	for _, c := range checked {
		n := c.Node
		b := journal.NodeBody{
			ID: n.ID, Class: n.Class, Stage: n.Stage, Kind: n.Kind, Why: n.Why, On: n.On,
			Effect: c.Effect, Repeatable: n.Repeatable, Def: n.Def, Plan: c.Plan,
		}
		if kind, _, ok := p.Kinds.Kind(n.Kind); ok {
			b.What = kind.Summary
		}
		for _, id := range n.After {
			if p.Node(id) != nil {
				b.After = append(b.After, id)
			}
		}
		for _, w := range c.Waits {
			if !slices.Contains(b.PlanAfter, w.After) {
				b.PlanAfter = append(b.PlanAfter, w.After)
			}
		}
		if g := n.Gate; g != nil {
			b.Gate = gateRule(g)
		}
		for _, item := range n.Items {
			b.Items = append(b.Items, journal.ItemBody{Name: item.Name, Text: item.Text, Owner: item.Owner})
		}
		bodies = append(bodies, b)
	}
	return bodies
}

func gateRule(g *runbook.Gate) *journal.GateRule {
	r := &journal.GateRule{
		Ask: g.Ask, Approvals: g.Approvals, People: g.People,
		TimeoutMS: g.Timeout.Milliseconds(), OnTimeout: g.OnTimeout,
	}
	if !g.At.IsZero() {
		r.At = g.At.Format(timeLayout)
	}
	return r
}

// freeze hashes the files that the nodes' commands name.
func (p *Program) freeze() (map[string]string, error) {
	frozen := map[string]string{}
	for _, n := range p.Nodes {
		for _, file := range p.Files(n) {
			hash, err := hashFile(file)
			if err != nil {
				return nil, fault.Wrap(fault.Invalid, "freeze file "+quote(file)+" of step "+quote(n.ID), err, "")
			}
			frozen[file] = hash
		}
	}
	return frozen, nil
}

// FilesChanged are those of the frozen files that the program's commands name
// and that are no longer what they were.
func (p *Program) FilesChanged(frozen map[string]string) ([]string, error) {
	now, err := p.freeze()
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, file := range slices.Sorted(maps.Keys(now)) {
		if was, known := frozen[file]; known && was != now[file] {
			changed = append(changed, file)
		}
	}
	return changed, nil
}

// readOnlyEnv is the Env of a check: nothing of it reaches the journal.
func (p *Program) readOnlyEnv(n *runbook.Node, scratch string) *step.Env {
	return &step.Env{
		Step: n.ID, Dir: p.Dir, Scratch: scratch, Drill: p.Body.Mode == journal.Drill,
		Log: discardLog, Redact: p.Secrets, Progress: noProgress{},
		Checkpoint: noCheckpoint{}, Settings: noSettings{},
	}
}

type noProgress struct{}

func (noProgress) Total(string, int64) {}
func (noProgress) Add(int64)           {}
func (noProgress) Note(string)         {}

var errCheckWrites = errors.New("a check only reads: nothing may be saved or changed")

type noCheckpoint struct{}

func (noCheckpoint) Save(context.Context, any) error { return errCheckWrites }
func (noCheckpoint) Load(any) (bool, error)          { return false, nil }

type noSettings struct{}

func (noSettings) Change(context.Context, step.Setting) error { return errCheckWrites }
func (noSettings) Restore(context.Context, string) error      { return errCheckWrites }
func (noSettings) Changed() []step.Setting                    { return nil }

func quote(text string) string { return strconv.Quote(text) }
