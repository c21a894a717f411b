package runbook

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/runbook/syntax"
)

// grammar is the blocks of the language.
func grammar() syntax.Grammar {
	name := []string{"name"}
	return syntax.Grammar{
		"runbook":  {Labels: name, Blocks: syntax.Grammar{"window": {}}},
		"variable": {Labels: name},
		"locals":   {},
		"people":   {},
		"site":     {Labels: name, Blocks: syntax.Grammar{"aws": {}}},
		"drill":    {Labels: name},
		"stage": {Labels: name, Blocks: syntax.Grammar{
			"step":      {Labels: []string{"kind", "name"}, Blocks: syntax.Grammar{"retry": {}}},
			"gate":      {Labels: name},
			"checklist": {Labels: name, Blocks: syntax.Grammar{"item": {Labels: name}}},
		}},
	}
}

// strict refuses every attribute and block that the body may not have. what
// names the body: "window", `step "shell" "x"`. The value of an unknown name
// is not shown if one of secrets may have been meant.
func (p *parser) strict(body *hclsyntax.Body, what string, attrs []string, blocks syntax.Grammar, secrets ...string) {
	blockNames := slices.Sorted(maps.Keys(blocks))
	for _, attr := range body.Attributes {
		if slices.Contains(attrs, attr.Name) {
			continue
		}
		if _, isBlock := blocks[attr.Name]; isBlock {
			p.list.Add(diag.At(attr.NameRange, "%q is a block, not an attribute", attr.Name).Hint("write %s", blockForm(attr.Name, blocks[attr.Name])))
			continue
		}
		d := diag.At(attr.NameRange, "unknown attribute %q in %s", attr.Name, what)
		d.Hint("%s", diag.DidYouMean(attr.Name, append(slices.Clone(attrs), blockNames...)))
		if near := diag.Nearest(attr.Name, attrs); slices.Contains(secrets, near) || near == "" && len(secrets) > 0 {
			d.Hide(attr.Expr.Range())
		}
		p.list.Add(d)
	}
	for _, block := range body.Blocks {
		shape, known := blocks[block.Type]
		switch {
		case known:
			p.labels(block, shape)
		case slices.Contains(attrs, block.Type):
			p.list.Add(diag.At(block.TypeRange, "%q is an attribute, not a block", block.Type).Hint("write %s = …", block.Type))
		default:
			p.list.Add(diag.At(block.TypeRange, "unknown block %q in %s", block.Type, what).
				Hint("%s", diag.DidYouMean(block.Type, append(blockNames, attrs...))))
		}
	}
}

func blockForm(name string, shape syntax.Shape) string {
	for _, label := range shape.Labels {
		name += " \"" + label + "\""
	}
	return name + " { … }"
}

// labels refuses a block with too few or too many labels, or with one that no
// reference could be written to.
func (p *parser) labels(block *hclsyntax.Block, shape syntax.Shape) {
	if len(block.Labels) != len(shape.Labels) {
		p.list.Add(diag.At(header(block), "%q takes %s, not %d", block.Type, plural(len(shape.Labels), "label"), len(block.Labels)).
			Hint("write %s", blockForm(block.Type, shape)))
		return
	}
	for i, label := range block.Labels {
		if !hclsyntax.ValidIdentifier(label) {
			p.list.Add(diag.At(block.LabelRanges[i], "%q cannot be a %s", label, shape.Labels[i]).
				Hint("a name begins with a letter and has letters, digits, - and _"))
		}
	}
}

// wellFormed gives the blocks of a type whose labels are as they should be.
func wellFormed(body *hclsyntax.Body, typ string, labels int) []*hclsyntax.Block {
	var found []*hclsyntax.Block
	for _, block := range body.Blocks {
		if block.Type == typ && len(block.Labels) == labels {
			found = append(found, block)
		}
	}
	return found
}

// header is the range of a block's type and labels.
func header(block *hclsyntax.Block) hcl.Range {
	rng := block.TypeRange
	if n := len(block.LabelRanges); n > 0 && block.LabelRanges[n-1].End.Byte > rng.End.Byte {
		if last := block.LabelRanges[n-1]; last.Start.Line == rng.Start.Line {
			return hcl.RangeBetween(rng, last)
		}
		return block.LabelRanges[n-1] // JSON: the name says more than the type
	}
	return rng
}

// missing refuses a body without an attribute that it must have.
// Each example shows how it is written: `length = "4h"`.
func (p *parser) missing(body *hclsyntax.Body, at hcl.Range, what string, examples ...string) {
	for _, example := range examples {
		name, _, _ := strings.Cut(example, " ")
		if _, ok := body.Attributes[name]; !ok {
			p.list.Add(diag.At(at, "%s has no %q", what, name).Hint("add %s", example))
		}
	}
}

// declare notes where something was first given and refuses it a second time.
// what names it: `stage "close"`.
func (p *parser) declare(what string, rng hcl.Range) bool {
	if first, twice := p.declared[what]; twice {
		p.list.Add(diag.At(rng, "%s stands twice", what).See("first here", first))
		return false
	}
	p.declared[what] = rng
	return true
}
