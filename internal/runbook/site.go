package runbook

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// siteTypes are the attributes of a site; those of its aws block as "aws.…".
var siteTypes = map[string]cty.Type{
	"ssh":         cty.List(cty.String),
	"address":     cty.String,
	"labels":      cty.Map(cty.String),
	"aws.region":  cty.String,
	"aws.account": cty.String,
}

// siteAttr is one attribute of a site.
type siteAttr struct {
	field string
	attr  *hclsyntax.Attribute
	expr  *expr
}

func (s *Site) has(field string) bool {
	return slices.ContainsFunc(s.attrs, func(a *siteAttr) bool {
		return a.field == field || strings.HasPrefix(a.field, field+".")
	})
}

func (s *Site) fields() []string {
	var names []string
	for _, a := range s.attrs {
		names = append(names, a.field)
	}
	return names
}

// paths are the references that can be made to the site.
func (s *Site) paths() []string {
	paths := s.fields()
	for i := range paths {
		paths[i] = "site." + s.Name + "." + paths[i]
	}
	return paths
}

func (p *parser) declareSite(block *hclsyntax.Block) {
	s := &Site{Name: block.Labels[0], Range: header(block)}
	if !p.declare("site "+quote(s.Name), s.Range) {
		return
	}
	p.strict(block.Body, "site "+quote(s.Name), []string{"ssh", "address", "labels"}, p.grammar["site"].Blocks)
	for _, attr := range inOrder(block.Body) {
		if _, ok := siteTypes[attr.Name]; ok {
			s.attrs = append(s.attrs, &siteAttr{field: attr.Name, attr: attr})
		}
	}
	for _, aws := range wellFormed(block.Body, "aws", 0) {
		if !p.declare("aws of site "+quote(s.Name), aws.TypeRange) {
			continue
		}
		p.strict(aws.Body, "aws", []string{"region", "account"}, nil)
		for _, attr := range inOrder(aws.Body) {
			if _, ok := siteTypes["aws."+attr.Name]; ok {
				s.attrs = append(s.attrs, &siteAttr{field: "aws." + attr.Name, attr: attr})
			}
		}
	}
	p.book.sites[s.Name] = s
	p.book.Sites = append(p.book.Sites, s)
}

func (p *parser) resolveSite(s *Site) {
	for _, a := range s.attrs {
		a.expr = p.expression(a.attr, place{what: "a site", allow: beforeRun})
	}
}

// siteValue gives the value of a site's attribute its type.
func siteValue(field string, value cty.Value, rng hcl.Range) (cty.Value, *diag.Diagnostic) {
	typ := siteTypes[field]
	if names := secretsIn(value); len(names) > 0 {
		return cty.UnknownVal(typ), diag.At(rng, "site attribute %q holds the secret variable %q", field, names[0]).
			Hint("a site is shown to everybody; use the variable in the step")
	}
	converted, err := convert.Convert(value, typ)
	if err == nil && !value.IsNull() && !(typ == cty.String && !value.Type().IsPrimitiveType() && value.Type() != cty.DynamicPseudoType) {
		return converted, nil
	}
	want := map[cty.Type]string{cty.String: "a text", siteTypes["ssh"]: `a list of texts like ["ops@10.1.0.11"]`, siteTypes["labels"]: "a map of texts"}[typ]
	return cty.UnknownVal(typ), takes(rng, field, want, value)
}

// siteObject makes the value that site.NAME refers to.
func siteObject(values map[string]cty.Value) cty.Value {
	attrs, aws := map[string]cty.Value{}, map[string]cty.Value{}
	for field, value := range values {
		if sub, ok := strings.CutPrefix(field, "aws."); ok {
			aws[sub] = value
			continue
		}
		attrs[field] = value
	}
	if len(aws) > 0 {
		attrs["aws"] = cty.ObjectVal(aws)
	}
	return cty.ObjectVal(attrs)
}
