package runbook

import (
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
)

// Node finds a node by its ID, "KIND.NAME" or "step.KIND.NAME"; nil if there
// is none.
func (b *Bound) Node(id string) *Node { return b.byID[strings.TrimPrefix(id, ClassStep+".")] }

// Find gives the nodes that a person means: one node by its ID, all instances
// of a step with for_each by "KIND.NAME", or a node by its NAME alone if no
// other has it. The error says what was likely meant.
func (b *Bound) Find(text string) ([]*Node, error) {
	if n := b.Node(text); n != nil {
		return []*Node{n}, nil
	}
	id := strings.TrimPrefix(text, ClassStep+".")
	var found []*Node
	defs := map[*nodeDef]bool{}
	for _, n := range b.Nodes {
		if def := n.inst.def; def.id == id || def.name == id {
			found = append(found, n)
			defs[def] = true
		}
	}
	switch {
	case len(defs) == 1:
		return found, nil
	case len(defs) > 1:
		return nil, fault.New(fault.Invalid, "more than one step or gate is called "+quote(text), "say which: "+strings.Join(idsOf(found), ", "))
	}
	for _, id := range b.NotRehearsed {
		if def := b.every[id].inst.def; id == text || def.id == strings.TrimPrefix(text, ClassStep+".") {
			return nil, fault.New(fault.Invalid, "step "+quote(text)+" takes no part in drill "+quote(b.Drill), `give it drill = "COMMAND"`)
		}
	}
	return nil, fault.New(fault.Invalid, "there is no step, gate or checklist "+quote(text), diag.DidYouMean(id, idsOf(b.Nodes)))
}

func idsOf(nodes []*Node) []string {
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	return ids
}

// VariablesNeeded are the variables that a live run needs and that have
// neither a value in what is given nor a default, in the order of the text.
func (r *Runbook) VariablesNeeded(in map[string]any) []*Variable { return r.DrillNeeds("", in) }

// DrillNeeds is VariablesNeeded for a drill: what the drill puts in place of a
// live value is not needed, what its stand-ins are made of is.
func (r *Runbook) DrillNeeds(drill string, in map[string]any) []*Variable {
	at := slices.IndexFunc(r.Drills, func(d *Drill) bool { return d.Name == drill })
	var block *Drill
	if at >= 0 {
		block = r.Drills[at]
	}
	return slices.DeleteFunc(slices.Clone(r.Variables), func(v *Variable) bool {
		_, given := in[v.Name]
		return given || v.HasDefault || !v.neededBy(block)
	})
}

// neededBy tells whether a drill, or the live run for nil, needs the
// variable's value. One that only drills refer to is not needed live.
func (v *Variable) neededBy(d *Drill) bool {
	live := v.used || !v.drilled
	if d == nil {
		return live
	}
	for _, e := range d.exprs() {
		if slices.ContainsFunc(e.refs, func(r ref) bool { return r.root == "var" && r.name == v.Name }) {
			return true
		}
	}
	return live && d.vars[v.Name] == nil
}

// Redact makes every secret variable known to a redactor, in a drill the live
// ones too, and of connection strings the password by itself.
func (b *Bound) Redact(into *secret.Redactor) {
	for _, s := range []*scope{b.scope, b.live} {
		if s == nil {
			continue
		}
		for _, v := range b.Variables {
			value, _ := s.vars[v.Name].Unmark()
			if !v.Secret || !value.IsKnown() || value.IsNull() {
				continue
			}
			into.Add(value.AsString())
			into.AddDSN(secret.NewDSN(value.AsString()))
		}
	}
}
