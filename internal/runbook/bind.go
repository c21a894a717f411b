package runbook

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// binder holds what is known while a runbook meets its values.
type binder struct {
	*Bound
	in   Input
	list diag.List
}

// Bind gives the variables their values, puts a drill's stand-ins in place,
// expands for_each and works everything out that no output is needed for. The
// bound runbook is nil if anything is wrong.
func (r *Runbook) Bind(in Input) (*Bound, Diagnostics) {
	b := binder{in: in, list: diag.NewList(r.syntax.Source), Bound: &Bound{Runbook: r, Drill: in.Drill,
		Values: map[string]any{}, Secrets: map[string]secret.String{},
		instances: map[*nodeDef][]*Node{}, byID: map[string]*Node{}, every: map[string]*Node{}, leftOut: map[*nodeDef]bool{}}}
	b.findDrill()
	if b.scopes(); b.scope == nil {
		return nil, b.list
	}
	b.publish()
	b.expand()
	b.checkFields()
	if b.drill != nil {
		b.checkTargets()
	}
	b.connect()
	for _, n := range b.Nodes {
		b.list.Add(b.approvable(n, b.in.Runner))
	}
	if b.list.HasErrors() {
		return nil, b.list
	}
	return b.Bound, b.list
}

func (b *binder) findDrill() {
	if b.in.Drill == "" {
		return
	}
	var names []string
	for _, d := range b.Drills {
		if d.Name == b.in.Drill {
			b.drill = d
		}
		names = append(names, d.Name)
	}
	if b.drill == nil {
		d := diag.At(hcl.Range{Filename: b.File}, "there is no drill %q", b.in.Drill)
		if len(names) == 0 {
			d.Hint("add drill %q { variables = { … } } with a stand-in for every target", b.in.Drill)
		}
		b.list.Add(d.Hint("%s", diag.DidYouMean(b.in.Drill, names)))
	}
}

// scopes works out what can be referred to, live and in the drill.
func (b *binder) scopes() {
	if b.in.Drill != "" && b.drill == nil {
		return
	}
	vars := b.values()
	if b.drill == nil {
		scope, found := b.scopeOf(vars, nil)
		b.list.Add(found...)
		b.scope = scope
		return
	}
	b.live, _ = b.scopeOf(vars, nil) // what is wrong with it shows in a live run
	own, sites, found := b.standIns(b.drill, b.live)
	b.list.Add(found...)
	drilled := maps.Clone(vars)
	for name, value := range own {
		v := b.variables[name]
		drilled[name] = mark(v, b.read(v, value, b.drill.vars[name].Range()))
	}
	b.scope, found = b.scopeOf(drilled, sites)
	b.list.Add(found...)
}

// values gives each variable the value from outside or its default. One that
// has neither, or whose secret cannot be read, is unknown, and that is wrong
// if the run needs it.
func (b *binder) values() map[string]cty.Value {
	vars := map[string]cty.Value{}
	for _, v := range b.Variables {
		value := cty.UnknownVal(v.typ)
		from, isGiven := b.in.Values[v.Name]
		needed := v.neededBy(b.drill)
		switch {
		case isGiven:
			var d *diag.Diagnostic
			value, d = given(v, from)
			b.list.Add(d)
		case v.HasDefault && (needed || !pointsElsewhere(bare(v.value))):
			value = b.read(v, v.value, v.Range)
		case needed && b.in.Plan:
			b.Missing = append(b.Missing, v)
		case needed:
			b.list.Add(noValue(v))
		}
		vars[v.Name] = mark(v, value)
	}
	for _, name := range slices.Sorted(maps.Keys(b.in.Values)) {
		if _, ok := b.variables[name]; !ok {
			b.list.Add(diag.At(hcl.Range{Filename: b.File}, "a value is given for variable %q, which the runbook does not have", name).
				Hint("%s", diag.DidYouMean(name, keysOf(b.variables))))
		}
	}
	return vars
}

func noValue(v *Variable) *diag.Diagnostic {
	d := diag.At(v.Range, "variable %q has no value", v.Name)
	if v.Secret {
		return d.Hint("export EVAC_VAR_%s=…, or put it into a file: --var-file FILE", v.Name)
	}
	return d.Hint("--var %s=…, export EVAC_VAR_%s=…, or default = … in the runbook", v.Name, v.Name)
}

// read fetches a secret variable's value where the text says it is kept.
func (b *binder) read(v *Variable, value cty.Value, rng hcl.Range) cty.Value {
	if !v.Secret || !pointsElsewhere(bare(value)) {
		return value
	}
	text, err := step.ReadSecret(value.AsString())
	if err != nil {
		b.list.Add(diag.At(rng, "variable %q: %v", v.Name, err))
		return cty.UnknownVal(v.typ)
	}
	return cty.StringVal(text.Reveal())
}

// give keeps what a variable was before the drill's stand-in.
func (b *binder) give(v *Variable) {
	if b.Given == nil {
		b.Given = map[string]any{}
	}
	if value, _ := b.live.vars[v.Name].Unmark(); value.IsWhollyKnown() {
		b.Given[v.Name] = plain(value)
	}
}

// publish puts into the bound runbook what others may see of the scope.
func (b *binder) publish() {
	for _, v := range b.Variables {
		value, _ := b.scope.vars[v.Name].Unmark()
		switch {
		case !value.IsWhollyKnown():
		case v.Secret && !value.IsNull():
			b.Secrets[v.Name] = secret.New(value.AsString())
		case !v.Secret:
			b.Values[v.Name] = plain(value)
		}
		if b.drill != nil && !v.Secret {
			b.give(v)
		}
	}
	for _, s := range b.Runbook.Sites {
		bound := *s
		bound.Attrs = map[string]any{}
		for field, value := range b.scope.sites[s.Name] {
			if value.IsWhollyKnown() {
				bound.Attrs[field] = plain(value)
			}
		}
		b.Sites = append(b.Sites, &bound)
	}
}

// maxNodes bounds what for_each may make.
const maxNodes = 100_000

// expand makes the nodes.
func (b *binder) expand() {
	total := 0
	for _, def := range b.order {
		for _, inst := range b.instancesOf(def, b.scope, &b.list) {
			if total++; total > maxNodes {
				b.list.Add(diag.At(def.rng, "the runbook has more than %d steps with for_each expanded", maxNodes))
				return
			}
			n, found := b.settings(inst, b.scope)
			b.list.Add(found...)
			b.instances[def] = append(b.instances[def], n)
			b.every[n.ID] = n
			if b.drill != nil && b.unrehearsed(def) {
				b.leftOut[def] = true
				b.NotRehearsed = append(b.NotRehearsed, n.ID)
				continue
			}
			b.Nodes = append(b.Nodes, n)
			b.byID[n.ID] = n
		}
	}
}

// instancesOf expands for_each.
func (r *Runbook) instancesOf(def *nodeDef, s *scope, list *diag.List) []*instance {
	if def.forEach == nil {
		return []*instance{{def: def}}
	}
	value, found := r.work(def.forEach, s.ctx)
	keys, d := instanceKeys(def.forEach, value)
	if list != nil {
		if list.Add(found...); len(found) == 0 {
			list.Add(d)
		}
	}
	var all []*instance
	for _, k := range keys {
		all = append(all, &instance{def, k.key, map[string]cty.Value{"key": cty.StringVal(k.key), "value": k.value}})
	}
	return all
}

// unrehearsed tells whether a drill leaves the step out: its kind has a drill
// command and the step gives none.
func (b *binder) unrehearsed(def *nodeDef) bool {
	_, hasDrill := def.schema.Field("drill")
	return hasDrill && def.field("drill") == nil
}

func (n *nodeDef) field(name string) *fieldDef {
	for _, f := range n.fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// checkFields works everything out as far as it goes before the run.
func (b *binder) checkFields() {
	never := map[string]bool{} // their `when` is false
	for _, n := range b.Nodes {
		run, waits, found := b.whether(n, noOutputs)
		b.list.Add(found...)
		never[n.ID] = !run && len(waits) == 0 && len(found) == 0
	}
	for _, n := range b.Nodes {
		b.checkReach(n, n.inst.def.attrs["when"])
		for _, f := range b.activeFields(n) {
			if !b.checkReach(n, f.expr) {
				continue
			}
			value, waits, found := b.field(n, f, noOutputs)
			b.list.Add(found...)
			if emptyText(value) && f.Required && !(b.drill != nil && f.Target) { // an empty stand-in is said there
				b.list.Add(diag.At(f.expr.Range(), "%q is required, and this is empty", f.Name))
			}
			inVain := !slices.ContainsFunc(waits, func(u Unknown) bool { return !never[u.After] })
			if len(waits) > 0 && inVain && !never[n.ID] {
				b.list.Add(diag.At(f.expr.Range(), "%q needs an output of step.%s, which does not run: its `when` is false", f.Name, waits[0].After))
			}
		}
	}
}

func emptyText(value any) bool {
	switch t := value.(type) {
	case string:
		return t == ""
	case secret.String:
		return t.Empty()
	}
	return false
}

// checkReach refuses references to steps that will put nothing out.
func (b *binder) checkReach(n *Node, e *expr) bool {
	if e == nil {
		return true
	}
	before := b.list.Len()
	for _, ref := range e.refs {
		if ref.root != "step" {
			continue
		}
		target := b.nodes[ref.name]
		if b.leftOut[target] {
			b.list.Add(diag.At(ref.rng, "%s takes no part in drill %q, so it puts nothing out", target.ref(), b.Drill).
				Hint(`give it drill = "COMMAND"`).See("it stands here", target.rng))
			continue
		}
		_, d := b.referred(n, target, ref.key, ref.rng)
		b.list.Add(d)
	}
	return b.list.Len() == before
}
