package runbook

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// resolveNode looks up everything that a node refers to.
func (p *parser) resolveNode(n *nodeDef) {
	attrs := n.body.Attributes
	if attr, ok := attrs["for_each"]; ok && n.class == ClassStep {
		n.forEach = p.expression(attr, place{what: "for_each", allow: beforeRun, node: n})
	}
	if attr, ok := attrs["after"]; ok {
		n.hasWait = true
		p.after(n, attr)
	}
	switch n.class {
	case ClassStep:
		p.resolveStep(n)
	case ClassGate:
		p.resolveGate(n)
	}
}

func (p *parser) resolveStep(n *nodeDef) {
	attrs := n.body.Attributes
	for _, name := range []string{"why", "timeout", "repeatable"} {
		if attr, ok := attrs[name]; ok {
			n.attrs[name] = p.expression(attr, place{what: quote(name), allow: beforeRun | eachItem, node: n})
		}
	}
	if attr, ok := attrs["when"]; ok {
		n.attrs["when"] = p.expression(attr, place{what: "when", allow: beforeRun | eachItem | outputs, node: n})
	}
	if attr, ok := attrs["on"]; ok {
		p.on(n, attr)
	}
	for _, block := range wellFormed(n.body, "retry", 0) {
		n.retry = map[string]*expr{}
		for _, attr := range inOrder(block.Body) {
			n.retry[attr.Name] = p.expression(attr, place{what: "retry", allow: beforeRun, node: n})
		}
	}
	p.resolveFields(n)
}

func (p *parser) resolveFields(n *nodeDef) {
	fieldPlace := place{what: "a field", allow: beforeRun | eachItem | outputs, node: n}
	for _, f := range n.schema.Fields {
		attr, ok := n.body.Attributes[f.Name]
		if !ok {
			if f.Required {
				p.list.Add(diag.At(n.rng, "%s has no %q", n.what(), f.Name).Hint("add %s = …  (%s: %s)", f.Name, f.Type, f.Doc))
			}
			continue
		}
		n.fields = append(n.fields, &fieldDef{f, p.expression(attr, fieldPlace)})
	}
	if n.known {
		return
	}
	for _, attr := range inOrder(n.body) { // of an unknown kind at least the references are looked up
		if !slices.Contains(commonAttrs, attr.Name) {
			p.expression(attr, fieldPlace)
		}
	}
}

// on reads the site that a step works on.
func (p *parser) on(n *nodeDef, attr *hclsyntax.Attribute) {
	path, names := p.path(attr.Expr), keysOf(p.book.sites)
	if len(path) == 2 && path[0] == "site" {
		if _, ok := p.book.sites[path[1]]; ok {
			n.on = path[1]
			return
		}
		p.list.Add(diag.At(attr.Expr.Range(), "there is no site %q", path[1]).Hint("%s", p.guess(path[1], names)))
		return
	}
	d := diag.At(attr.Expr.Range(), "on takes a site")
	if text, ok := literal(attr.Expr); ok && p.book.sites[text] != nil {
		p.list.Add(d.Hint("write on = site.%s without quotes", text))
		return
	}
	if len(path) > 2 && path[0] == "site" {
		p.list.Add(d.Hint("write on = site.%s", path[1]))
		return
	}
	p.list.Add(d.Hint("write on = site.NAME"))
}

// after reads the list of what must be settled first.
func (p *parser) after(n *nodeDef, attr *hclsyntax.Attribute) {
	list, ok := attr.Expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		d := diag.At(attr.Expr.Range(), "after takes a list")
		form := "step.KIND.NAME, gate.NAME, checklist.NAME"
		if p.traversal(attr.Expr) != nil {
			form = short(string(p.book.syntax.Source.Slice(attr.Expr.Range())))
		}
		p.list.Add(d.Hint("write after = [%s]", form))
		return
	}
	for _, entry := range list.Exprs {
		a, d := p.afterEntry(n, entry)
		if d != nil {
			p.list.Add(d)
			continue
		}
		n.after = append(n.after, a)
	}
}

func (p *parser) afterEntry(n *nodeDef, entry hclsyntax.Expression) (afterRef, *diag.Diagnostic) {
	a := afterRef{rng: entry.Range()}
	whole := entry
	if index, ok := entry.(*hclsyntax.IndexExpr); ok { // step.KIND.NAME[each.key]
		entry, a.key = index.Collection, index.Key
		p.expressionOf("after", index.Key, place{what: "after", allow: beforeRun | eachItem, node: n})
	}
	path := p.path(entry)
	if text, quoted := literal(entry); quoted && path == nil {
		d := diag.At(a.rng, "%s is a text, and after takes steps, gates and checklists", short(quote(text)))
		if strings.Contains(text, ".") {
			return a, d.Hint("write it without quotes: %s", short(text))
		}
		return a, d.Hint("write step.KIND.NAME, gate.NAME or checklist.NAME without quotes")
	}
	length := 3
	if len(path) > 0 && (path[0] == ClassGate || path[0] == ClassChecklist) {
		length = 2
	}
	if len(path) < length || path[0] != ClassStep && length == 3 {
		return a, p.notAfter(whole, path)
	}
	target, d := p.nodeNamed(path[length-2]+"."+path[length-1], a.rng)
	if d != nil {
		return a, d
	}
	a.node = target
	if d := a.instance(path[length:]); d != nil {
		return a, d
	}
	w := walker{parser: p, place: place{node: n}}
	return a, w.reachable(target, ref{rng: a.rng})
}

// instance reads ["KEY"] after a step with for_each.
func (a *afterRef) instance(rest []string) *diag.Diagnostic {
	if len(rest) == 1 && a.key == nil {
		a.key, rest = &hclsyntax.LiteralValueExpr{Val: cty.StringVal(rest[0]), SrcRange: a.rng}, nil
	}
	if len(rest) > 0 || a.key != nil && !a.node.repeats() {
		return diag.At(a.rng, "after takes whole steps, not their outputs").Hint("write %s", a.node.ref())
	}
	return nil
}

func (p *parser) notAfter(entry hclsyntax.Expression, path []string) *diag.Diagnostic {
	d := diag.At(entry.Range(), "after takes steps, gates and checklists")
	if len(path) == 2 {
		if n, ok := p.book.nodes[path[0]+"."+path[1]]; ok {
			return d.Hint("did you mean %s?", n.ref())
		}
	}
	if len(path) > 0 && path[0] == "stage" {
		return d.Hint("stages run one after another by themselves")
	}
	return d.Hint("write step.KIND.NAME, gate.NAME or checklist.NAME")
}

func (p *parser) resolveGate(n *nodeDef) {
	attrs := n.body.Attributes
	for _, name := range []string{"ask", "at", "timeout", "on_timeout", "approvals"} {
		if attr, ok := attrs[name]; ok {
			n.attrs[name] = p.expression(attr, place{what: quote(name), allow: beforeRun, node: n})
		}
	}
	if attr, ok := attrs["people"]; ok {
		p.gatePeople(n, attr)
	}
	if attrs["ask"] == nil && attrs["at"] == nil {
		p.list.Add(diag.At(n.rng, "%s waits for nothing", n.what()).Hint(`add ask = "QUESTION" for people, or at = "2026-03-01T02:00:00+09:00" for a time`))
	}
}

func (p *parser) gatePeople(n *nodeDef, attr *hclsyntax.Attribute) {
	list, ok := attr.Expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		p.list.Add(diag.At(attr.Expr.Range(), "people takes a list of names").Hint(`people = ["kim", "park"]`))
		return
	}
	for _, entry := range list.Exprs {
		name, ok := literal(entry)
		switch {
		case !ok:
			p.list.Add(diag.At(entry.Range(), "people takes names in quotes"))
		case slices.Contains(n.people, name):
			p.list.Add(diag.At(entry.Range(), "%q stands twice", name))
		default:
			p.person(name, entry.Range())
			n.people = append(n.people, name)
		}
	}
	if len(list.Exprs) == 0 {
		p.list.Add(diag.At(attr.Expr.Range(), "nobody may approve %s", n.what()).Hint("leave people out to let everyone approve but the runner"))
	}
}

// boolOf reads true or false.
func boolOf(name string, value cty.Value, e *expr) (bool, *diag.Diagnostic) {
	if value.IsNull() || value.Type() != cty.Bool {
		return false, takes(e.Range(), name, "true or false", value)
	}
	return value.True(), nil
}
