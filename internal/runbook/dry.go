package runbook

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// dryRun works everything out with the types of the variables in place of
// their values, so that wrong types and misplaced secrets are found at once.
func (p *parser) dryRun() {
	vars := map[string]cty.Value{}
	for _, v := range p.book.Variables {
		vars[v.Name] = mark(v, cty.UnknownVal(v.typ))
	}
	s, found := p.book.scopeOf(vars, nil)
	p.list.Add(found...)
	for name, l := range p.book.locals {
		if names := secretsIn(s.locals[name]); len(names) > 0 {
			l.secret = names[0]
		}
	}
	for _, site := range p.book.Sites {
		site.Attrs = map[string]any{}
		for field, value := range s.sites[site.Name] {
			if value.IsWhollyKnown() {
				site.Attrs[field] = plain(value)
			}
		}
	}
	for _, n := range p.book.order {
		p.dryNode(n, s)
	}
	p.dryDrills(s)
}

// mark gives a secret variable's value its mark.
func mark(v *Variable, value cty.Value) cty.Value {
	if v.Secret {
		return value.Mark(secretMark(v.Name))
	}
	return value
}

func (p *parser) dryNode(n *nodeDef, s *scope) {
	i := &instance{def: n}
	if n.repeats() {
		i.each = map[string]cty.Value{"key": cty.UnknownVal(cty.String), "value": cty.DynamicVal}
		if n.forEach != nil {
			value, found := p.book.work(n.forEach, s.ctx)
			p.list.Add(found...)
			if len(found) == 0 && !n.forEach.bad {
				_, d := instanceKeys(n.forEach, value)
				p.list.Add(d)
			}
		}
	}
	node, found := p.book.settings(i, s)
	p.list.Add(found...)
	if len(found) == 0 {
		p.list.Add(p.book.approvable(node, ""))
	}
	if e := n.attrs["when"]; e != nil {
		_, _, found := p.book.when(e, p.book.dryContext(e, i, s))
		p.list.Add(found...)
	}
	for _, f := range n.fields {
		value, found := p.book.work(f.expr, p.book.dryContext(f.expr, i, s))
		p.list.Add(found...)
		if len(found) == 0 && !f.expr.bad {
			_, _, wrong := n.fieldValue(f, value)
			p.list.Add(wrong)
		}
	}
}

// dryContext is where an expression of a node is worked out while no step has
// run and for_each is not known.
func (r *Runbook) dryContext(e *expr, i *instance, s *scope) *hcl.EvalContext {
	return r.context(e, i, s, func(target *nodeDef) cty.Value {
		if !target.known {
			return cty.DynamicVal
		}
		none := noOutput(target.schema)
		if target.repeats() {
			return cty.UnknownVal(cty.Map(none.Type()))
		}
		return none
	})
}

// context is where an expression of a node is worked out. stepValue gives the
// value of a step that it refers to.
func (r *Runbook) context(e *expr, i *instance, s *scope, stepValue func(*nodeDef) cty.Value) *hcl.EvalContext {
	steps := map[string]map[string]cty.Value{}
	usesEach := false
	for _, ref := range e.refs {
		usesEach = usesEach || ref.root == "each"
		if ref.root != "step" {
			continue
		}
		target := r.nodes[ref.name]
		if steps[target.kind] == nil {
			steps[target.kind] = map[string]cty.Value{}
		}
		steps[target.kind][target.name] = stepValue(target)
	}
	if len(steps) == 0 && !usesEach {
		return s.ctx
	}
	ctx := s.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{}
	if usesEach {
		ctx.Variables["each"] = cty.ObjectVal(i.each)
	}
	if len(steps) > 0 {
		kinds := map[string]cty.Value{}
		for kind, byName := range steps {
			kinds[kind] = cty.ObjectVal(byName)
		}
		ctx.Variables["step"] = cty.ObjectVal(kinds)
	}
	return ctx
}
