package runbook

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/runbook/syntax"
	"github.com/evac-io/evac/internal/step"
)

// Diagnostics is everything that is wrong with a runbook, sorted by position.
type Diagnostics = diag.List

// parser holds what is known while a file is read.
type parser struct {
	book     *Runbook
	list     diag.List
	grammar  syntax.Grammar
	declared map[string]hcl.Range // "step shell.x" → where
	window   *hclsyntax.Block
	// guesses left: looking for the nearest of many names costs time.
	guesses int
}

// Parse reads a runbook and says everything about it that can be said without
// the values of its variables. The runbook is nil if anything is wrong.
func Parse(file string, text []byte, kinds *step.Registry) (*Runbook, Diagnostics) {
	blocks := grammar()
	parsed, list := syntax.Parse(file, text, blocks)
	sum := sha256.Sum256(text)
	p := &parser{
		list:     list,
		grammar:  blocks,
		declared: map[string]hcl.Range{},
		guesses:  1_000_000,
		book: &Runbook{File: file, Text: text, Hash: hex.EncodeToString(sum[:]),
			syntax: parsed, kinds: kinds, base: &hcl.EvalContext{Functions: functions()},
			variables: map[string]*Variable{}, people: map[string]bool{}, sites: map[string]*Site{},
			locals: map[string]*local{}, stages: map[string]int{}, nodes: map[string]*nodeDef{}},
	}
	if list.HasErrors() && !parsed.Whole {
		return nil, list
	}
	p.names(parsed.Body)
	p.resolve()
	p.order()
	p.dryRun()
	p.cycles()
	if p.list.HasErrors() {
		return nil, p.list
	}
	return p.book, p.list
}

// names is the first pass: which names there are, so that the second pass can
// tell a typing error from a reference forward.
func (p *parser) names(root *hclsyntax.Body) {
	p.strict(root, "a runbook file", nil, p.grammar)
	p.declareRunbook(root)
	for _, block := range wellFormed(root, "variable", 1) {
		p.declareVariable(block)
	}
	for _, block := range wellFormed(root, "locals", 0) {
		p.declareLocals(block)
	}
	for _, block := range wellFormed(root, "people", 0) {
		p.declarePeople(block)
	}
	for _, block := range wellFormed(root, "site", 1) {
		p.declareSite(block)
	}
	for _, block := range wellFormed(root, "stage", 1) {
		p.declareStage(block)
	}
	for _, block := range wellFormed(root, "drill", 1) {
		p.declareDrill(block)
	}
	if len(p.book.order) == 0 {
		p.list.Add(diag.At(p.whole(), "runbook has nothing to do").
			Hint("add a stage with a step, or begin with: evac init"))
	}
}

// whole points to the file as such.
func (p *parser) whole() hcl.Range { return hcl.Range{Filename: p.book.File} }

// resolve is the second pass: every expression's references are looked up.
func (p *parser) resolve() {
	p.resolveWindow()
	for _, v := range p.book.Variables {
		p.resolveVariable(v)
	}
	for _, l := range p.book.localList {
		l.expr = p.expression(l.attr, place{what: "a local", allow: beforeRun})
	}
	for _, s := range p.book.Sites {
		p.resolveSite(s)
	}
	for _, d := range p.book.Drills {
		p.resolveDrill(d)
	}
	for _, n := range p.book.order {
		p.resolveNode(n)
	}
}
