package runbook

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func noOutputs(string) (json.RawMessage, bool) { return nil, false }

// Step builds the step of a node. If a field waits for outputs that are not
// there yet, the step is nil and the Unknowns say which.
func (b *Bound) Step(n *Node, outputs Outputs) (step.Step, []Unknown, Diagnostics) {
	list := diag.NewList(b.syntax.Source)
	def := n.inst.def
	if def.class != ClassStep {
		list.Add(diag.At(def.rng, "%s is no step", def.what()))
		return nil, nil, list
	}
	values := step.Values{}
	var waits []Unknown
	for _, f := range b.activeFields(n) {
		value, unknown, found := b.field(n, f, outputs)
		list.Add(found...)
		waits = append(waits, unknown...)
		values[b.slot(f)], values[f.Name] = value, value
	}
	if list.HasErrors() || len(waits) > 0 {
		return nil, waits, list
	}
	kind, schema, _ := b.kinds.Kind(def.kind)
	built := kind.New()
	for _, wrong := range schema.Decode(values, built) {
		rng := def.rng
		if f := def.field(wrong.Field); f != nil {
			rng = f.expr.Range()
		}
		list.Add(diag.At(rng, "%q of %s: %v", wrong.Field, def.what(), wrong.Err))
	}
	if list.HasErrors() {
		return nil, nil, list
	}
	return built, nil, list
}

// When tells whether a step runs at all. If that depends on outputs that are
// not there yet, waits says which.
func (b *Bound) When(n *Node, outputs Outputs) (run bool, waits []Unknown, d Diagnostics) {
	list := diag.NewList(b.syntax.Source)
	run, waits, found := b.whether(n, outputs)
	list.Add(found...)
	return run, waits, list
}

func (b *Bound) whether(n *Node, outputs Outputs) (bool, []Unknown, []*diag.Diagnostic) {
	e := n.inst.def.attrs["when"]
	if e == nil {
		return true, nil, nil
	}
	ctx, found := b.contextOf(n, e, outputs)
	if len(found) > 0 {
		return false, nil, found
	}
	run, known, found := b.when(e, ctx)
	if len(found) > 0 || known {
		return run, nil, found
	}
	return false, b.missing(n, "when", e, outputs), nil
}

// Fields shows the fields that a step gives, for people: secrets redacted,
// connection strings without password, and "known after step.KIND.NAME" for
// what waits for an output.
func (b *Bound) Fields(n *Node, outputs Outputs) (map[string]any, Diagnostics) {
	list := diag.NewList(b.syntax.Source)
	shown := map[string]any{}
	for _, f := range b.activeFields(n) {
		value, waits, found := b.field(n, f, outputs)
		list.Add(found...)
		switch {
		case len(waits) > 0:
			shown[b.slot(f)] = "known after step." + waits[0].After
		case value != nil:
			shown[b.slot(f)] = showField(f, value)
		}
	}
	return shown, list
}

func showField(f *fieldDef, value any) any {
	switch t := value.(type) {
	case secret.String:
		if f.Type == step.TypeDSN && !pointsElsewhere(t.Reveal()) {
			return secret.NewDSN(t.Reveal()).String()
		}
		return t.String()
	case string:
		if f.Type == step.TypeDSN && !pointsElsewhere(t) {
			return secret.NewDSN(t).String()
		}
	case map[string]any:
		shown := maps.Clone(t)
		for key, item := range shown {
			if hidden, ok := item.(secret.String); ok {
				shown[key] = hidden.String()
			}
		}
		return shown
	}
	return value
}

// activeFields are the fields that take part: in a drill, of a step that has
// a drill command, its other commands do not.
func (b *Bound) activeFields(n *Node) []*fieldDef {
	def := n.inst.def
	if b.drill == nil || def.field("drill") == nil {
		return def.fields
	}
	return slices.DeleteFunc(slices.Clone(def.fields), func(f *fieldDef) bool {
		return slices.Contains([]string{"run", "check", "verify", "undo"}, f.Name)
	})
}

// slot is the field that a value stands for: in a drill the drill
// command goes in place of run.
func (b *Bound) slot(f *fieldDef) string {
	if b.drill != nil && f.Name == "drill" {
		return "run"
	}
	return f.Name
}

// field works one field out.
func (b *Bound) field(n *Node, f *fieldDef, outputs Outputs) (any, []Unknown, []*diag.Diagnostic) {
	ctx, found := b.contextOf(n, f.expr, outputs)
	if len(found) > 0 {
		return nil, nil, found
	}
	value, found := b.work(f.expr, ctx)
	if len(found) > 0 {
		return nil, nil, found
	}
	out, known, wrong := n.inst.def.fieldValue(f, value)
	if wrong != nil {
		return nil, nil, []*diag.Diagnostic{wrong}
	}
	if !known {
		return nil, b.missing(n, f.Name, f.expr, outputs), nil
	}
	return out, nil, nil
}

// contextOf is where an expression of a node is worked out with the outputs
// that there are.
func (b *Bound) contextOf(n *Node, e *expr, outputs Outputs) (*hcl.EvalContext, []*diag.Diagnostic) {
	var found []*diag.Diagnostic
	ctx := b.context(e, n.inst, b.scope, func(target *nodeDef) cty.Value {
		value, err := b.stepValue(n, e, target, outputs)
		if err != nil {
			found = append(found, diag.At(e.Range(), "%q of %s: %v", e.name, n.inst.def.what(), err))
		}
		return value
	})
	return ctx, found
}

// stepValue is the output of a step; of one with for_each, the outputs of the
// instances that the expression refers to, by key.
func (b *Bound) stepValue(n *Node, e *expr, target *nodeDef, outputs Outputs) (cty.Value, error) {
	none := noOutput(target.schema)
	byKey := map[string]cty.Value{}
	var failed error
	for _, one := range b.referredBy(n, e, target) {
		value := none
		if text, ok := outputs(one.ID); ok {
			found, err := outputValue(target.schema, text)
			if err != nil {
				failed = err
				continue
			}
			value = found
		}
		if !target.repeats() {
			return value, failed
		}
		byKey[one.inst.key] = value
	}
	switch {
	case !target.repeats():
		return none, failed
	case len(byKey) == 0:
		return cty.MapValEmpty(none.Type()), failed
	}
	return cty.MapVal(byKey), failed
}

// referredBy are the instances of a step that an expression refers to.
func (b *Bound) referredBy(n *Node, e *expr, target *nodeDef) []*Node {
	var all []*Node
	for _, ref := range e.refs {
		if ref.root == "step" && b.nodes[ref.name] == target {
			nodes, _ := b.referred(n, target, ref.key, ref.rng) // what it cannot find, Bind has reported
			all = append(all, nodes...)
		}
	}
	return all
}

// missing lists the nodes whose outputs an expression waits for.
func (b *Bound) missing(n *Node, field string, e *expr, outputs Outputs) []Unknown {
	var waits []Unknown
	for _, ref := range e.refs {
		if ref.root != "step" {
			continue
		}
		targets, _ := b.referred(n, b.nodes[ref.name], ref.key, ref.rng)
		for _, target := range targets {
			if _, ok := outputs(target.ID); !ok {
				waits = append(waits, Unknown{Field: field, After: target.ID})
			}
		}
	}
	if len(waits) == 0 {
		waits = b.missingVariables(field, e.refs, nil)
	}
	slices.SortFunc(waits, func(a, b Unknown) int { return strings.Compare(a.After, b.After) })
	return slices.Compact(waits)
}

// missingVariables lists the variables without a value behind references,
// also those behind locals.
func (b *Bound) missingVariables(field string, refs []ref, seen []string) []Unknown {
	var waits []Unknown
	for _, r := range refs {
		switch l := b.locals[r.name]; {
		case r.root == "var" && slices.ContainsFunc(b.Missing, func(v *Variable) bool { return v.Name == r.name }):
			waits = append(waits, Unknown{Field: field, After: "var." + r.name})
		case r.root == "local" && l != nil && !slices.Contains(seen, r.name):
			waits = append(waits, b.missingVariables(field, l.expr.refs, append(seen, r.name))...)
		}
	}
	return waits
}
