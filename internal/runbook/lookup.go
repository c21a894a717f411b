package runbook

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/step"
)

// lookupSite reads site.NAME.ATTRIBUTE.
func (w *walker) lookupSite(r ref, t hcl.Traversal) (ref, *diag.Diagnostic) {
	if d := lookupName(w.parser, r, "site", w.parser.book.sites); d != nil {
		return r, d
	}
	site := w.parser.book.sites[r.name]
	if len(t) == 2 {
		if w.place.what == drillSite {
			return r, nil // the whole site stands in
		}
		return r, diag.At(r.rng, "site.%s is a place, not a value", r.name).Hint("write %s", strings.Join(site.paths(), " or "))
	}
	r.field, _ = stepName(t[2])
	if r.field == "aws" && len(t) > 3 {
		sub, _ := stepName(t[3])
		r.field += "." + sub
	}
	if !site.has(r.field) {
		d := diag.At(r.rng, "site %q has no %s", r.name, r.field).See("the site is here", site.Range)
		return r, d.Hint("%s", diag.DidYouMean(r.field, site.fields()))
	}
	return r, nil
}

// lookupStep reads step.KIND.NAME.FIELD, with ["KEY"] before the field if the
// step has for_each.
func (w *walker) lookupStep(r ref, t hcl.Traversal) (ref, *diag.Diagnostic) {
	if len(t) < 3 {
		return r, diag.At(r.rng, "a step's output is step.KIND.NAME.FIELD")
	}
	name, _ := stepName(t[2])
	r.name += "." + name
	if w.place.allow&outputs == 0 {
		return r, diag.At(r.rng, "%s must be known before the run, and this is a step's output", w.place.what).
			Hint("refer to variables, locals and sites only")
	}
	target, d := w.parser.nodeNamed(r.name, r.rng)
	if d == nil {
		d = w.reachable(target, r)
	}
	if d != nil {
		return r, d
	}
	rest := t[3:]
	if index, ok := firstIndex(rest); ok {
		r.key, rest = &hclsyntax.LiteralValueExpr{Val: index.Key, SrcRange: index.SrcRange}, rest[1:]
	}
	if d := instanceForm(target, r); d != nil {
		return r, d
	}
	return w.outputField(r, target, rest)
}

func firstIndex(t hcl.Traversal) (hcl.TraverseIndex, bool) {
	if len(t) == 0 {
		return hcl.TraverseIndex{}, false
	}
	index, ok := t[0].(hcl.TraverseIndex)
	return index, ok
}

// instanceForm refuses a key where there is no for_each, and the other way.
func instanceForm(target *nodeDef, r ref) *diag.Diagnostic {
	switch {
	case target.repeats() && r.key == nil:
		return diag.At(r.rng, "step.%s has for_each: there is one for each key", r.name).
			Hint(`write step.%s["KEY"].FIELD, or [each.key] in a step with the same for_each`, r.name).See("for_each is here", target.body.Attributes["for_each"].SrcRange)
	case !target.repeats() && r.key != nil:
		return diag.At(r.rng, "step.%s has no for_each, so it takes no key", r.name)
	}
	return nil
}

func (w *walker) outputField(r ref, target *nodeDef, rest hcl.Traversal) (ref, *diag.Diagnostic) {
	if len(rest) == 0 {
		return r, diag.At(r.rng, "a bare step stands only in after; a value is one of its outputs").
			Hint("%s", outputsHint(target))
	}
	r.field, _ = stepName(rest[0])
	if !target.known {
		return r, nil // its kind is wrong, which is said where it stands
	}
	if _, ok := target.schema.OutputField(r.field); !ok {
		return r, diag.At(r.rng, "step.%s puts out no %q", r.name, r.field).Hint("%s", outputHint(target, r.field))
	}
	return r, nil
}

func outputNames(s step.Schema) []string {
	var names []string
	for _, f := range s.Output {
		names = append(names, f.Name)
	}
	return names
}

func outputsHint(n *nodeDef) string {
	if names := outputNames(n.schema); len(names) > 0 {
		return "step." + n.id + " puts out " + strings.Join(names, ", ")
	}
	return "kind " + quote(n.kind) + " puts nothing out"
}

func outputHint(n *nodeDef, given string) string {
	if near := diag.Nearest(given, outputNames(n.schema)); near != "" {
		return "did you mean " + near + "?"
	}
	return outputsHint(n)
}

// nodeNamed finds a step, gate or checklist by "KIND.NAME".
func (p *parser) nodeNamed(id string, rng hcl.Range) (*nodeDef, *diag.Diagnostic) {
	if n, ok := p.book.nodes[id]; ok {
		return n, nil
	}
	class, name, _ := strings.Cut(id, ".")
	shown := id
	if class != ClassGate && class != ClassChecklist {
		shown = "step." + id
	}
	d := diag.At(rng, "there is no %s", shown)
	if near := p.nearNode(class, name); near != nil {
		d.Hint("did you mean %s?", near.ref())
	}
	return nil, d
}

// nearNode is the node that was likely meant: of the same kind with a name
// like it, or of another kind with the same name.
func (p *parser) nearNode(kind, name string) *nodeDef {
	if p.guesses -= len(p.book.nodes); p.guesses < 0 {
		return nil
	}
	var sameName *nodeDef
	var names, kinds []string
	for _, n := range p.book.order {
		if n.kind == kind {
			names = append(names, n.name)
		}
		if n.name == name {
			sameName = n
			kinds = append(kinds, n.kind)
		}
	}
	if near := diag.Nearest(name, names); near != "" {
		return p.book.nodes[kind+"."+near]
	}
	if near := diag.Nearest(kind, kinds); near != "" {
		return p.book.nodes[near+"."+name]
	}
	return sameName
}

// reachable refuses a node's reference to itself or to a later stage.
func (w *walker) reachable(target *nodeDef, r ref) *diag.Diagnostic {
	from := w.place.node
	switch {
	case from == nil:
		return nil
	case target == from:
		return diag.At(r.rng, "%s refers to itself", target.ref())
	case target.stage > from.stage:
		return later(target, from, r.rng, w.parser.book)
	}
	return nil
}

func later(target, from *nodeDef, rng hcl.Range, book *Runbook) *diag.Diagnostic {
	return diag.At(rng, "%s is in stage %q, which comes after stage %q", target.ref(), book.Stages[target.stage].Name, book.Stages[from.stage].Name).
		Hint("stages run in the order of the text: move one of the two").See("it stands here", target.rng)
}
