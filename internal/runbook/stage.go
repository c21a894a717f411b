package runbook

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/runbook/syntax"
	"github.com/evac-io/evac/internal/step"
)

// nodeDef is a step, gate or checklist as it stands in the text; for_each
// makes several nodes of one step.
type nodeDef struct {
	id, class, kind, name string
	stage                 int
	rng                   hcl.Range // of the header
	kindRange             hcl.Range
	body                  *hclsyntax.Body
	def                   string // hash of the text

	known  bool // the kind is
	schema step.Schema
	effect step.Effect

	attrs   map[string]*expr // what every node of the class may have, but after and for_each
	forEach *expr
	fields  []*fieldDef
	retry   map[string]*expr
	after   []afterRef
	hasWait bool // it says `after`
	items   []Item
	on      string
	people  []string // of a gate
}

// fieldDef is a field of a step's kind, as the step gives it.
type fieldDef struct {
	step.Field
	expr *expr
}

// afterRef is one entry of after.
type afterRef struct {
	node *nodeDef
	key  hclsyntax.Expression // of one instance; nil means all
	rng  hcl.Range
}

// ref is how the text refers to the node.
func (n *nodeDef) ref() string {
	if n.class == ClassStep {
		return "step." + n.id
	}
	return n.id
}

// repeats tells whether the node is a step with for_each.
func (n *nodeDef) repeats() bool {
	_, ok := n.body.Attributes["for_each"]
	return ok && n.class == ClassStep
}

// what names the node in a sentence.
func (n *nodeDef) what() string {
	if n.class == ClassStep {
		return "step " + quote(n.kind) + " " + quote(n.name)
	}
	return n.class + " " + quote(n.name)
}

// commonAttrs are the attributes that every step may have beside its kind's.
var commonAttrs = []string{"why", "on", "timeout", "for_each", "when", "repeatable", "after"}

func (p *parser) declareStage(block *hclsyntax.Block) {
	name := block.Labels[0]
	if !p.declare("stage "+quote(name), header(block)) {
		return
	}
	shapes := p.grammar["stage"].Blocks
	p.strict(block.Body, "stage "+quote(name), []string{"title"}, shapes)
	p.book.stages[name] = len(p.book.Stages)
	p.book.Stages = append(p.book.Stages, &Stage{Name: name, Title: p.literalText(block.Body, "title", name), Range: header(block)})
	for _, inner := range block.Body.Blocks {
		if shape, ok := shapes[inner.Type]; ok && len(inner.Labels) == len(shape.Labels) {
			p.declareNode(inner)
		}
	}
}

func (p *parser) declareNode(block *hclsyntax.Block) {
	n := &nodeDef{class: block.Type, kind: block.Type, name: block.Labels[len(block.Labels)-1],
		stage: len(p.book.Stages) - 1, rng: header(block), body: block.Body, attrs: map[string]*expr{}}
	if n.class == ClassStep {
		n.kind, n.kindRange = block.Labels[0], block.LabelRanges[0]
	}
	n.id = n.kind + "." + n.name
	if !p.declare(n.what(), n.rng) {
		return
	}
	n.def = p.hash(block)
	p.book.nodes[n.id] = n
	p.book.order = append(p.book.order, n)
	switch n.class {
	case ClassStep:
		p.declareStep(n)
	case ClassGate:
		p.strict(n.body, n.what(), []string{"ask", "approvals", "people", "at", "timeout", "on_timeout", "after"}, nil)
	case ClassChecklist:
		p.declareChecklist(n)
	}
}

func (p *parser) declareStep(n *nodeDef) {
	blocks := p.grammar["stage"].Blocks["step"].Blocks
	kind, schema, ok := p.book.kinds.Kind(n.kind)
	if !ok {
		d := diag.At(n.kindRange, "unknown kind %q", n.kind).Hint("%s", p.guess(n.kind, p.book.kinds.Names()))
		p.list.Add(d.Hint("all kinds: evac kinds"))
		return
	}
	n.known, n.schema, n.effect = true, schema, kind.Effect
	attrs, secrets := slices.Clone(commonAttrs), []string(nil)
	for _, f := range schema.Fields {
		attrs = append(attrs, f.Name)
		if mayHoldSecret(f.Type) {
			secrets = append(secrets, f.Name)
		}
	}
	p.strict(n.body, n.what(), attrs, blocks, secrets...)
	for _, retry := range wellFormed(n.body, "retry", 0) {
		if p.declare("retry of "+n.what(), retry.TypeRange) {
			p.strict(retry.Body, "retry", []string{"attempts", "wait", "max"}, nil)
			p.missing(retry.Body, retry.TypeRange, "retry", "attempts = 3")
		}
	}
}

// nobody stands for an owner that is missing or wrong; no person can be
// called so.
const nobody = "\x00"

func (p *parser) declareChecklist(n *nodeDef) {
	p.strict(n.body, n.what(), []string{"after"}, p.grammar["stage"].Blocks["checklist"].Blocks)
	items := wellFormed(n.body, "item", 1)
	if len(items) == 0 {
		p.list.Add(diag.At(n.rng, "%s has no items", n.what()).Hint(`add item "NAME" { owner = "PERSON" }`))
	}
	for _, block := range items {
		name := block.Labels[0]
		if !p.declare("item "+quote(name)+" of "+n.what(), header(block)) {
			continue
		}
		p.strict(block.Body, "item "+quote(name), []string{"owner", "text"}, nil)
		p.missing(block.Body, header(block), "item "+quote(name), `owner = "PERSON"`)
		item := Item{Name: name, Text: p.literalText(block.Body, "text", name), Owner: p.literalText(block.Body, "owner", nobody)}
		if item.Owner != nobody {
			p.person(item.Owner, block.Body.Attributes["owner"].Expr.Range())
		}
		n.items = append(n.items, item)
	}
}

// hash names what a node says: its attributes and blocks by name, without
// comments, layout and why.
func (p *parser) hash(block *hclsyntax.Block) string {
	sum := sha256.New()
	var write func(b *hclsyntax.Block)
	write = func(b *hclsyntax.Block) {
		sum.Write([]byte(b.Type + "\x00"))
		for _, label := range b.Labels {
			sum.Write([]byte(label + "\x00"))
		}
		for _, name := range slices.Sorted(slices.Values(attributeNames(b.Body))) {
			if name != "why" {
				sum.Write([]byte(name + "\x01"))
				sum.Write(syntax.Canonical(p.book.syntax.Source.Slice(b.Body.Attributes[name].Expr.Range())))
				sum.Write([]byte{2})
			}
		}
		for _, inner := range b.Body.Blocks {
			write(inner)
		}
		sum.Write([]byte{3})
	}
	write(block)
	return hex.EncodeToString(sum.Sum(nil))
}
