package syntax

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// jsonReader builds from JSON the tree that the same runbook in HCL has: a
// property is a block if the grammar says so, each label an object around it,
// and every string is a template.
type jsonReader struct {
	file  *File
	found []*diag.Diagnostic
}

func (r *jsonReader) refuse(d *diag.Diagnostic) { r.found = append(r.found, d) }

// checkJSONNesting refuses text that would overrun the recursive parser.
func (f *File) checkJSONNesting() *diag.Diagnostic {
	depth, inString := 0, false
	for at := 0; at < len(f.Source.Text); at++ {
		switch c := f.Source.Text[at]; {
		case inString && c == '\\':
			at++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxNesting {
				return diag.At(f.byteRange(at), "nesting is deeper than %d", MaxNesting)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// body reads the properties of an object, or of the objects in an array.
func (r *jsonReader) body(expr hcl.Expression, rng hcl.Range, grammar Grammar) *hclsyntax.Body {
	body := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: rng, EndRange: endOf(rng)}
	pairs, ok := r.pairs(expr)
	if !ok {
		r.refuse(diag.At(rng, "an object is needed here: { … }"))
	}
	for _, pair := range pairs {
		name, nameRange := keyOf(pair)
		if name == "//" {
			continue // a comment
		}
		if shape, isBlock := grammar[name]; isBlock {
			r.blocks(body, hclsyntax.Block{Type: name, TypeRange: nameRange}, pair.Value, shape)
			continue
		}
		if first, twice := body.Attributes[name]; twice {
			r.refuse(redefined(name, nameRange, first.NameRange))
			continue
		}
		body.Attributes[name] = &hclsyntax.Attribute{Name: name, Expr: r.expr(pair.Value),
			SrcRange: hcl.RangeBetween(nameRange, pair.Value.Range()), NameRange: nameRange, EqualsRange: nameRange}
	}
	return body
}

// blocks peels off one label after the other and adds the blocks found.
func (r *jsonReader) blocks(into *hclsyntax.Body, block hclsyntax.Block, value hcl.Expression, shape Shape) {
	if have := len(block.Labels); have < len(shape.Labels) {
		pairs, ok := r.pairs(value)
		if !ok || len(pairs) == 0 {
			r.refuse(diag.At(value.Range(), "%q needs its %s here: { \"NAME\": { … } }", block.Type, shape.Labels[have]))
			return
		}
		for _, pair := range pairs {
			name, rng := keyOf(pair)
			if name == "//" {
				continue
			}
			inner := block
			inner.Labels = append(block.Labels[:have:have], name)
			inner.LabelRanges = append(block.LabelRanges[:have:have], rng)
			r.blocks(into, inner, pair.Value, shape)
		}
		return
	}
	bodies := []hcl.Expression{value}
	if list, diags := hcl.ExprList(value); !diags.HasErrors() {
		bodies = list
	}
	for _, expr := range bodies {
		b := block
		rng := expr.Range()
		b.OpenBraceRange, b.CloseBraceRange = startOf(rng), endOf(rng)
		b.Body = r.body(expr, rng, shape.Blocks)
		into.Blocks = append(into.Blocks, &b)
	}
}

// pairs are the properties of an object or of an array of objects.
func (r *jsonReader) pairs(expr hcl.Expression) ([]hcl.KeyValuePair, bool) {
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		return pairs, true
	}
	list, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		return nil, false
	}
	var all []hcl.KeyValuePair
	for _, item := range list {
		pairs, diags := hcl.ExprMap(item)
		if diags.HasErrors() {
			return nil, false
		}
		all = append(all, pairs...)
	}
	return all, true
}

// expr turns a JSON value into the expression that HCL would have.
func (r *jsonReader) expr(expr hcl.Expression) hclsyntax.Expression {
	rng := expr.Range()
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() {
		object := &hclsyntax.ObjectConsExpr{SrcRange: rng, OpenRange: startOf(rng)}
		for _, pair := range pairs {
			name, nameRange := keyOf(pair)
			object.Items = append(object.Items, hclsyntax.ObjectConsItem{
				KeyExpr:   r.template(name, nameRange),
				ValueExpr: r.expr(pair.Value),
			})
		}
		return object
	}
	if list, diags := hcl.ExprList(expr); !diags.HasErrors() {
		tuple := &hclsyntax.TupleConsExpr{SrcRange: rng, OpenRange: startOf(rng)}
		for _, item := range list {
			tuple.Exprs = append(tuple.Exprs, r.expr(item))
		}
		return tuple
	}
	value, _ := expr.Value(nil) // without a context a string is itself
	if value.Type() == cty.String && !value.IsNull() {
		return r.template(value.AsString(), rng)
	}
	if value.Type() == cty.Number && !plainNumber.Match(bytes.TrimPrefix(r.file.Source.Slice(rng), []byte("-"))) {
		r.refuse(diag.At(rng, "number is too long or too large").Hint("write it as digits, at most 18 on each side of the point"))
	}
	return &hclsyntax.LiteralValueExpr{Val: value, SrcRange: rng}
}

// template parses the text of a JSON string. Columns inside it are exact as
// long as it has no escapes.
func (r *jsonReader) template(text string, rng hcl.Range) hclsyntax.Expression {
	start := rng.Start
	start.Column, start.Byte = start.Column+1, start.Byte+1
	literal := &hclsyntax.TemplateExpr{SrcRange: rng, Parts: []hclsyntax.Expression{
		&hclsyntax.LiteralValueExpr{Val: cty.StringVal(text), SrcRange: rng},
	}}
	if len(text) > maxExpression {
		r.refuse(diag.At(rng, "text has %d KiB, more than the %d that a value may have", len(text)>>10, maxExpression>>10))
		return literal
	}
	if !bytes.Contains([]byte(text), []byte("${")) && !bytes.Contains([]byte(text), []byte("%{")) {
		return literal
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), r.file.Source.Name, start)
	if found := checkTokens(tokens); len(found) > 0 {
		r.found = append(r.found, found...)
		return literal
	}
	expr, found := hclsyntax.ParseTemplate([]byte(text), r.file.Source.Name, start)
	if found.HasErrors() {
		r.found = append(r.found, diag.FromHCL(found)...)
		return literal
	}
	return expr
}

// keyOf is the name of a property and where it stands.
func keyOf(pair hcl.KeyValuePair) (string, hcl.Range) {
	value, _ := pair.Key.Value(nil)
	return value.AsString(), pair.Key.Range()
}

func startOf(rng hcl.Range) hcl.Range {
	end := rng.Start
	end.Column, end.Byte = end.Column+1, end.Byte+1
	return hcl.Range{Filename: rng.Filename, Start: rng.Start, End: end}
}

func endOf(rng hcl.Range) hcl.Range {
	return hcl.Range{Filename: rng.Filename, Start: rng.End, End: rng.End}
}

// redefined says that an attribute stands twice.
func redefined(name string, rng, first hcl.Range) *diag.Diagnostic {
	return diag.At(rng, "%q is given twice", name).See("first here", first)
}
