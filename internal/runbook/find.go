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

// VariablesNeeded are the variables that have neither a value in what is given
// nor a default, in the order of the text.
func (r *Runbook) VariablesNeeded(in map[string]any) []*Variable {
	return slices.DeleteFunc(slices.Clone(r.Variables), func(v *Variable) bool {
		_, given := in[v.Name]
		return given || v.HasDefault
	})
}

// DrillNeeds are the variables that a drill needs from outside: those that are
// needed and that it does not put something of its own in place of.
func (r *Runbook) DrillNeeds(drill string, in map[string]any) []*Variable {
	own, used := map[string]*expr{}, map[string]bool{}
	for _, d := range r.Drills {
		if d.Name == drill {
			own = d.vars
		}
	}
	for _, e := range own {
		for _, ref := range e.refs {
			used[ref.name] = true
		}
	}
	return slices.DeleteFunc(r.VariablesNeeded(in), func(v *Variable) bool { return own[v.Name] != nil && !used[v.Name] })
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
