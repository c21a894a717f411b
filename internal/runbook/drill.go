package runbook

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// drillSite is where a whole site may stand for another.
const drillSite = "a drill's site"

// standIn is what a drill puts in place of a site.
type standIn struct {
	whole  *expr            // site.NAME, or
	fields map[string]*expr // the attributes that differ
	rng    hcl.Range
}

// exprs are all expressions of a drill.
func (d *Drill) exprs() []*expr {
	all := slices.Collect(maps.Values(d.vars))
	for _, in := range d.sites {
		all = slices.AppendSeq(all, maps.Values(in.fields))
	}
	return all
}

func (p *parser) declareDrill(block *hclsyntax.Block) {
	d := &Drill{Name: block.Labels[0], Range: header(block), body: block.Body, vars: map[string]*expr{}, sites: map[string]*standIn{}}
	if p.declare("drill "+quote(d.Name), d.Range) {
		p.strict(block.Body, "drill "+quote(d.Name), []string{"variables", "sites"}, nil)
		p.book.Drills = append(p.book.Drills, d)
	}
}

func (p *parser) resolveDrill(d *Drill) {
	for _, item := range p.items(d.body.Attributes["variables"], `variables = { NAME = "value" }`) {
		if _, ok := p.book.variables[item.name]; !ok {
			p.list.Add(diag.At(item.rng, "there is no variable %q", item.name).Hint("%s", p.guess(item.name, keysOf(p.book.variables))))
			continue
		}
		if first, twice := d.vars[item.name]; twice {
			p.list.Add(diag.At(item.rng, "variable %q is mapped twice", item.name).See("first here", first.Range()))
			continue
		}
		d.vars[item.name] = p.expressionOf(item.name, item.expr, place{what: "a drill", allow: beforeRun, drill: true})
	}
	for _, item := range p.items(d.body.Attributes["sites"], `sites = { NAME = { address = "…" } }`) {
		site, ok := p.book.sites[item.name]
		if !ok {
			p.list.Add(diag.At(item.rng, "there is no site %q", item.name).Hint("%s", p.guess(item.name, keysOf(p.book.sites))))
			continue
		}
		if first, twice := d.sites[item.name]; twice {
			p.list.Add(diag.At(item.rng, "site %q is mapped twice", item.name).See("first here", first.rng))
			continue
		}
		d.sites[item.name] = p.standIn(site, item)
	}
}

func (p *parser) standIn(site *Site, item item) *standIn {
	in := &standIn{fields: map[string]*expr{}, rng: item.rng}
	if path := p.path(item.expr); len(path) == 2 && path[0] == "site" {
		in.whole = p.expressionOf(item.name, item.expr, place{what: drillSite, allow: beforeRun, drill: true})
		return in
	}
	for _, field := range p.itemsOf(item.expr, `NAME = { address = "…" } or NAME = site.OTHER`) {
		if field.name == "aws" {
			for _, sub := range p.itemsOf(field.expr, `aws = { region = "…" }`) {
				sub.name = "aws." + sub.name
				p.standInField(in, site, sub)
			}
			continue
		}
		p.standInField(in, site, field)
	}
	return in
}

func (p *parser) standInField(in *standIn, site *Site, field item) {
	if !slices.Contains(site.fields(), field.name) {
		p.list.Add(diag.At(field.rng, "site %q has no %s to stand in for", site.Name, field.name).
			Hint("%s", diag.DidYouMean(field.name, site.fields())).See("the site is here", site.Range))
		return
	}
	in.fields[field.name] = p.expressionOf(field.name, field.expr, place{what: "a drill", allow: beforeRun, drill: true})
}

// item is one entry of an object.
type item struct {
	name string
	rng  hcl.Range
	expr hclsyntax.Expression
}

func (p *parser) items(attr *hclsyntax.Attribute, form string) []item {
	if attr == nil {
		return nil
	}
	return p.itemsOf(attr.Expr, form)
}

func (p *parser) itemsOf(syn hclsyntax.Expression, form string) []item {
	object, ok := syn.(*hclsyntax.ObjectConsExpr)
	if !ok {
		p.list.Add(diag.At(syn.Range(), "a map is needed here").Hint("write %s", form))
		return nil
	}
	var all []item
	for _, entry := range object.Items {
		name := hcl.ExprAsKeyword(entry.KeyExpr)
		if text, ok := literal(unwrapKey(entry.KeyExpr)); ok {
			name = text
		}
		if name == "" {
			p.list.Add(diag.At(entry.KeyExpr.Range(), "a plain name is needed here"))
			continue
		}
		all = append(all, item{name, entry.KeyExpr.Range(), entry.ValueExpr})
	}
	return all
}

func unwrapKey(key hclsyntax.Expression) hclsyntax.Expression {
	if wrapped, ok := key.(*hclsyntax.ObjectConsKeyExpr); ok {
		return wrapped.Wrapped
	}
	return key
}

// dryDrills checks the types of what drills put in place.
func (p *parser) dryDrills(s *scope) {
	for _, d := range p.book.Drills {
		_, _, found := p.book.standIns(d, s)
		p.list.Add(found...)
	}
}

// standIns works out what a drill puts in place of variables and sites. The
// scope is that of a live run.
func (r *Runbook) standIns(d *Drill, live *scope) (vars map[string]cty.Value, sites map[string]map[string]cty.Value, found []*diag.Diagnostic) {
	vars, sites = map[string]cty.Value{}, map[string]map[string]cty.Value{}
	for name, e := range d.vars {
		value, wrong := r.work(e, live.ctx)
		found = append(found, wrong...)
		if len(wrong) > 0 || e.bad {
			vars[name] = cty.UnknownVal(r.variables[name].typ)
			continue
		}
		value, d := standInVariable(r.variables[name], value, e)
		if d != nil {
			found = append(found, d)
		}
		vars[name] = value
	}
	for name, in := range d.sites {
		values, wrong := r.standInSite(in, live)
		found = append(found, wrong...)
		sites[name] = values
	}
	return vars, sites, found
}

func standInVariable(v *Variable, value cty.Value, e *expr) (cty.Value, *diag.Diagnostic) {
	if names := secretsIn(value); len(names) > 0 && !v.Secret {
		return cty.UnknownVal(v.typ), diag.At(e.Range(), "variable %q gets the secret variable %q, and it is not secret", v.Name, names[0]).
			Hint("add secret = true to variable %q", v.Name)
	}
	var d *diag.Diagnostic
	if v.Secret && len(secretsIn(value)) == 0 && value.IsWhollyKnown() {
		d = literalSecret(value, e.Range(), "secret variable "+quote(v.Name))
	}
	value, _ = value.UnmarkDeep()
	value, wrong := convertVariable(v, value, e.Range())
	if d == nil {
		d = wrong
	}
	return value, d
}

func (r *Runbook) standInSite(in *standIn, live *scope) (map[string]cty.Value, []*diag.Diagnostic) {
	if in.whole != nil {
		if in.whole.bad {
			return nil, nil
		}
		return maps.Clone(live.sites[in.whole.refs[0].name]), nil
	}
	values := map[string]cty.Value{}
	var found []*diag.Diagnostic
	for field, e := range in.fields {
		value, wrong := r.work(e, live.ctx)
		found = append(found, wrong...)
		value, d := siteValue(field, value, e.Range())
		if d != nil && len(wrong) == 0 {
			found = append(found, d)
		}
		values[field] = value
	}
	return values, found
}
