package runbook

import (
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// literal is the text of an expression that is a text without references.
func literal(expr hclsyntax.Expression) (string, bool) {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.String && e.Val.IsKnown() && !e.Val.IsNull() {
			return e.Val.AsString(), true
		}
	case *hclsyntax.TemplateExpr:
		if e.IsStringLiteral() {
			return literal(e.Parts[0])
		}
	}
	return "", false
}

// literalValue works out an attribute that may refer to nothing; false if it
// is missing or wrong.
func (p *parser) literalValue(body *hclsyntax.Body, name string) (cty.Value, *hclsyntax.Attribute, bool) {
	attr, ok := body.Attributes[name]
	if !ok {
		return cty.NilVal, nil, false
	}
	e := p.expression(attr, place{what: quote(name)})
	if e.bad {
		return cty.NilVal, attr, false
	}
	value, found := p.book.work(e, p.book.base)
	p.list.Add(found...)
	return value, attr, len(found) == 0
}

func (p *parser) literalText(body *hclsyntax.Body, name, otherwise string) string {
	value, attr, ok := p.literalValue(body, name)
	if !ok {
		return otherwise
	}
	if value.Type() != cty.String || value.IsNull() {
		p.list.Add(takes(attr.Expr.Range(), name, "a text", value))
		return otherwise
	}
	return value.AsString()
}

func (p *parser) literalBool(body *hclsyntax.Body, name string) bool {
	value, attr, ok := p.literalValue(body, name)
	if !ok {
		return false
	}
	if value.Type() != cty.Bool || value.IsNull() {
		p.list.Add(takes(attr.Expr.Range(), name, "true or false", value))
		return false
	}
	return value.True()
}

// literalDuration reads a duration of more than nothing.
func (p *parser) literalDuration(attr *hclsyntax.Attribute) time.Duration {
	value, _, ok := p.literalValue(&hclsyntax.Body{Attributes: hclsyntax.Attributes{attr.Name: attr}}, attr.Name)
	if !ok {
		return 0
	}
	d, wrong := durationOf(attr.Name, value, attr.Expr.Range())
	p.list.Add(wrong)
	return d
}

// durationOf reads a duration of more than nothing from a value.
func durationOf(name string, value cty.Value, rng hcl.Range) (time.Duration, *diag.Diagnostic) {
	if value.Type() == cty.String && !value.IsNull() {
		d, err := step.ParseDuration(value.AsString())
		if err == nil && d > 0 {
			return d, nil
		}
		if err == nil {
			return 0, takes(rng, name, "a duration longer than nothing", value)
		}
	}
	return 0, notDuration(name, value, rng)
}

func notDuration(name string, value cty.Value, rng hcl.Range) *diag.Diagnostic {
	return notUnit(takes(rng, name, "a duration", value), value, diag.Duration, func(text string) error {
		_, err := step.ParseDuration(text)
		return err
	}, `a duration is a number with d, h, m or s: "90s", "4h30m", "2d"`)
}

func notSize(name string, value cty.Value, rng hcl.Range) *diag.Diagnostic {
	return notUnit(takes(rng, name, "a size", value), value, diag.Size, func(text string) error {
		_, err := step.ParseSize(text)
		return err
	}, `a size is a number with B, kB, MB, GB, TB (thousands) or KiB, MiB, GiB, TiB (1,024s): "64MB", "2GiB"`)
}

func notUnit(d *diag.Diagnostic, value cty.Value, guess func(string) string, valid func(string) error, form string) *diag.Diagnostic {
	if near := guess(bare(value)); near != "" && valid(near) == nil && near != bare(value) {
		return d.Hint("did you mean %q? %s", near, form)
	}
	return d.Hint("%s", form)
}

// bare is a value as text, for guessing what was meant; "" if it has none.
func bare(value cty.Value) string {
	switch {
	case value.IsNull() || !value.IsKnown() || value.IsMarked():
		return ""
	case value.Type() == cty.String:
		return value.AsString()
	case value.Type() == cty.Number:
		return strings.TrimSuffix(value.AsBigFloat().Text('f', -1), ".0")
	}
	return ""
}

// takes says that an attribute holds the wrong type of value.
func takes(rng hcl.Range, name, want string, value cty.Value) *diag.Diagnostic {
	return diag.At(rng, "%q takes %s, not %s", name, want, describe(value))
}

// describe says what a value is without showing secrets or long texts.
func describe(value cty.Value) string {
	if value.IsMarked() {
		return "a secret"
	}
	typ := value.Type()
	if value.IsKnown() && !value.IsNull() {
		switch typ {
		case cty.String:
			return short(quote(value.AsString()))
		case cty.Number:
			return short(value.AsBigFloat().Text('g', 18))
		case cty.Bool:
			return strconv.FormatBool(value.True())
		}
	}
	switch {
	case value.IsNull() && value.IsKnown():
		return "null"
	case typ == cty.String:
		return "a text"
	case typ == cty.Number:
		return "a number"
	case typ == cty.Bool:
		return "true or false"
	case typ.IsTupleType() || typ.IsListType() || typ.IsSetType():
		return "a list"
	case typ.IsObjectType() || typ.IsMapType():
		return "a map"
	}
	return "this"
}

// short cuts a text to what fits into a sentence.
func short(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return text
}

func quote(name string) string { return strconv.Quote(name) }

// path reads a bare reference, stage.NAME, as its names. In JSON it stands in
// quotes. It is nil if the expression is anything else.
func (p *parser) path(expr hclsyntax.Expression) []string {
	var names []string
	for _, t := range p.traversal(expr) {
		name, ok := stepName(t)
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// traversal is the bare reference that an expression is, or nil.
func (p *parser) traversal(expr hclsyntax.Expression) hcl.Traversal {
	switch e := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return e.Traversal
	case *hclsyntax.TemplateWrapExpr: // "${step.x.y}" in JSON
		if p.book.syntax.JSON {
			return p.traversal(e.Wrapped)
		}
	case *hclsyntax.TemplateExpr:
		text, ok := literal(e)
		if !ok || !p.book.syntax.JSON || len(text) > 500 {
			return nil
		}
		start := e.Range().Start
		start.Column, start.Byte = start.Column+1, start.Byte+1
		t, found := hclsyntax.ParseTraversalAbs([]byte(text), p.book.File, start)
		if !found.HasErrors() {
			return t
		}
	}
	return nil
}

// stepName is the name in one part of a reference: .name or ["name"].
func stepName(t hcl.Traverser) (string, bool) {
	switch t := t.(type) {
	case hcl.TraverseRoot:
		return t.Name, true
	case hcl.TraverseAttr:
		return t.Name, true
	case hcl.TraverseIndex:
		if t.Key.Type() == cty.String && t.Key.IsKnown() && !t.Key.IsNull() {
			return t.Key.AsString(), true
		}
	}
	return "", false
}

// literalSecret refuses a secret that stands in the runbook itself: any text
// but "env:NAME", "@FILE" and a connection string without a password.
func literalSecret(value cty.Value, rng hcl.Range, what string) *diag.Diagnostic {
	text := bare(value)
	if text == "" || pointsElsewhere(text) {
		return nil
	}
	if looksLikeDSN(text) && secret.NewDSN(text).Password() == "" {
		return nil
	}
	return diag.At(rng, "%s holds its secret in the runbook", what).
		Hint(`say where it is kept: "env:NAME" or "@FILE", or use var.NAME of a variable with secret = true`).
		Hide(rng)
}

func pointsElsewhere(text string) bool {
	return strings.HasPrefix(text, "env:") || strings.HasPrefix(text, "@")
}

func looksLikeDSN(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") ||
		strings.Contains(text, "host=") || strings.Contains(text, "dbname=") || strings.Contains(text, "service=")
}
