package runbook

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// local is one name of a locals block.
type local struct {
	name string
	attr *hclsyntax.Attribute
	expr *expr
	// secret is a secret variable that goes into it, if any.
	secret string
}

func (p *parser) declareLocals(block *hclsyntax.Block) {
	p.strict(block.Body, "locals", attributeNames(block.Body), nil)
	for _, attr := range inOrder(block.Body) {
		if p.declare("local "+quote(attr.Name), attr.NameRange) {
			l := &local{name: attr.Name, attr: attr}
			p.book.locals[attr.Name] = l
			p.book.localList = append(p.book.localList, l)
		}
	}
}

// definition is a local or a site: what can be worked out before the run.
type definition struct {
	local *local
	site  *Site
}

func (d definition) key() string {
	if d.local != nil {
		return "local." + d.local.name
	}
	return "site." + d.site.Name
}

func (d definition) rng() hcl.Range {
	if d.local != nil {
		return d.local.attr.NameRange
	}
	return d.site.Range
}

func (d definition) refs() []ref {
	if d.local != nil {
		return d.local.expr.refs
	}
	var refs []ref
	for _, a := range d.site.attrs {
		refs = append(refs, a.expr.refs...)
	}
	return refs
}

// order puts locals and sites in an order in which each can be worked out,
// and reports circles.
func (p *parser) order() {
	s := sorter{parser: p, state: map[string]int{}}
	for _, l := range p.book.localList {
		s.visit(definition{local: l})
	}
	for _, site := range p.book.Sites {
		s.visit(definition{site: site})
	}
}

// sorter walks definitions depth first.
type sorter struct {
	parser *parser
	state  map[string]int // 1: on the path, 2: done
	path   []definition
}

func (s *sorter) visit(d definition) {
	key := d.key()
	switch s.state[key] {
	case 2:
		return
	case 1:
		s.circle(d)
		return
	}
	s.state[key] = 1
	s.path = append(s.path, d)
	for _, r := range d.refs() {
		if l, ok := s.parser.book.locals[r.name]; ok && r.root == "local" {
			s.visit(definition{local: l})
		} else if site, ok := s.parser.book.sites[r.name]; ok && r.root == "site" {
			s.visit(definition{site: site})
		}
	}
	s.path = s.path[:len(s.path)-1]
	s.state[key] = 2
	s.parser.book.defs = append(s.parser.book.defs, d)
}

func (s *sorter) circle(d definition) {
	begin := slices.IndexFunc(s.path, func(on definition) bool { return on.key() == d.key() })
	var names []string
	for _, on := range s.path[begin:] {
		names = append(names, on.key())
		if on.local != nil {
			on.local.expr.bad = true
		}
	}
	shown := circleText(append(names, d.key()))
	s.parser.list.Add(diag.At(d.rng(), "%s depends on itself: %s", d.key(), shown))
}

// circleText shows a circle, the middle of a long one left out.
func circleText(names []string) string {
	if len(names) > 12 {
		names = slices.Concat(names[:6], []string{"…"}, names[len(names)-5:])
	}
	return strings.Join(names, " → ")
}

// scope is what expressions can refer to before the run: variables, locals,
// sites.
type scope struct {
	ctx    *hcl.EvalContext
	vars   map[string]cty.Value
	locals map[string]cty.Value
	sites  map[string]map[string]cty.Value // site → field → value
}

// maxLocals bounds all locals together.
const maxLocals = 16 << 20

// scopeOf works out locals and sites. override replaces attributes of sites.
func (r *Runbook) scopeOf(vars map[string]cty.Value, override map[string]map[string]cty.Value) (*scope, []*diag.Diagnostic) {
	s := &scope{vars: vars, locals: map[string]cty.Value{}, sites: map[string]map[string]cty.Value{}}
	var found []*diag.Diagnostic
	variables := cty.ObjectVal(vars)
	total := maxLocals
	for _, d := range r.defs {
		ctx := s.partial(r, variables, d.refs())
		if d.site != nil {
			found = append(found, s.site(r, d.site, ctx, override[d.site.Name])...)
			continue
		}
		value, wrong := r.work(d.local.expr, ctx)
		found = append(found, wrong...)
		before := total
		if measure(value, &total, 0); total < 0 {
			if value = cty.DynamicVal; before >= 0 {
				found = append(found, diag.At(d.rng(), "locals together are larger than %d MiB", maxLocals>>20))
			}
		}
		s.locals[d.local.name] = value
	}
	s.ctx = &hcl.EvalContext{Functions: r.base.Functions, Variables: map[string]cty.Value{
		"var": variables, "local": cty.ObjectVal(s.locals), "site": s.siteObjects()}}
	return s, found
}

func (s *scope) siteObjects() cty.Value {
	objects := map[string]cty.Value{}
	for name, values := range s.sites {
		objects[name] = siteObject(values)
	}
	return cty.ObjectVal(objects)
}

// partial is a context with only what the references need.
func (s *scope) partial(r *Runbook, variables cty.Value, refs []ref) *hcl.EvalContext {
	locals, sites := map[string]cty.Value{}, map[string]cty.Value{}
	for _, ref := range refs {
		switch ref.root {
		case "local":
			locals[ref.name] = cty.DynamicVal // in a circle
			if value, ok := s.locals[ref.name]; ok {
				locals[ref.name] = value
			}
		case "site":
			sites[ref.name] = siteObject(s.sites[ref.name])
		}
	}
	return &hcl.EvalContext{Functions: r.base.Functions, Variables: map[string]cty.Value{
		"var": variables, "local": cty.ObjectVal(locals), "site": cty.ObjectVal(sites)}}
}

func (s *scope) site(r *Runbook, site *Site, ctx *hcl.EvalContext, override map[string]cty.Value) []*diag.Diagnostic {
	values := map[string]cty.Value{}
	var found []*diag.Diagnostic
	for _, a := range site.attrs {
		value, wrong := r.work(a.expr, ctx)
		found = append(found, wrong...)
		value, d := siteValue(a.field, value, a.expr.Range())
		if d != nil && len(wrong) == 0 {
			found = append(found, d)
		}
		values[a.field] = value
	}
	maps.Copy(values, override)
	s.sites[site.Name] = values
	return found
}

// work works an expression out; what fails or is wrong already is unknown.
func (r *Runbook) work(e *expr, ctx *hcl.EvalContext) (cty.Value, []*diag.Diagnostic) {
	if e.bad {
		return cty.DynamicVal, nil
	}
	value, found := e.Value(ctx)
	if found.HasErrors() {
		return cty.DynamicVal, r.failed(e, found)
	}
	if why := tooMuch(value); why != "" {
		return cty.DynamicVal, []*diag.Diagnostic{diag.At(e.Range(), "%q %s", e.name, why)}
	}
	return value, nil
}

// failed says why an expression cannot be worked out, unless the reason may
// quote a secret.
func (r *Runbook) failed(e *expr, found hcl.Diagnostics) []*diag.Diagnostic {
	name := r.secretOf(e.refs)
	if name == "" {
		return diag.FromHCL(found)
	}
	items := diag.Titles(found)
	for _, d := range items {
		d.Hint("the reason is not shown, for the secret variable %q goes into %q", name, e.name)
	}
	return items
}

// secretOf names a secret variable that references lead to, or "".
func (r *Runbook) secretOf(refs []ref) string {
	for _, ref := range refs {
		switch ref.root {
		case "var":
			if v := r.variables[ref.name]; v != nil && v.Secret {
				return v.Name
			}
		case "local":
			if l := r.locals[ref.name]; l != nil && l.secret != "" {
				return l.secret
			}
		}
	}
	return ""
}
