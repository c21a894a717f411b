package runbook

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/step"
)

// declareRunbook reads the runbook block, of which there is one.
func (p *parser) declareRunbook(root *hclsyntax.Body) {
	blocks := wellFormed(root, "runbook", 1)
	if len(blocks) == 0 {
		if !slices.ContainsFunc(root.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "runbook" }) {
			p.list.Add(diag.At(p.whole(), "there is no runbook block").Hint(`begin with: runbook "NAME" { title = "…" }`))
		}
		return
	}
	for _, second := range blocks[1:] {
		p.list.Add(diag.At(header(second), "there is more than one runbook block").See("first here", header(blocks[0])))
	}
	block := blocks[0]
	p.strict(block.Body, "runbook", []string{"title"}, p.grammar["runbook"].Blocks)
	p.book.Name = block.Labels[0]
	p.book.Title = p.literalText(block.Body, "title", p.book.Name)
	windows := wellFormed(block.Body, "window", 0)
	for _, second := range windows[min(1, len(windows)):] {
		p.list.Add(diag.At(second.TypeRange, "runbook has more than one window").See("first here", windows[0].TypeRange))
	}
	if len(windows) > 0 {
		p.window = windows[0]
		p.strict(p.window.Body, "window", []string{"length", "opens", "closes"}, nil)
		p.missing(p.window.Body, p.window.TypeRange, "window", `length = "4h"`, "opens = stage.NAME", "closes = stage.NAME")
	}
}

// resolveWindow reads the window once the stages are known.
func (p *parser) resolveWindow() {
	if p.window == nil {
		return
	}
	w := &Window{Range: p.window.TypeRange}
	attrs := p.window.Body.Attributes
	if attr, ok := attrs["length"]; ok {
		w.Length = p.literalDuration(attr)
	}
	opens, openOK := p.stageRef(attrs["opens"])
	closes, closeOK := p.stageRef(attrs["closes"])
	if openOK && closeOK && p.book.stages[closes] < p.book.stages[opens] {
		p.list.Add(diag.At(attrs["closes"].Expr.Range(), "the window closes with stage %q, which ends before stage %q begins", closes, opens).
			See("opens here", attrs["opens"].Expr.Range()))
	}
	w.Opens, w.Closes = opens, closes
	p.book.Window = w
}

// stageRef reads a bare stage.NAME.
func (p *parser) stageRef(attr *hclsyntax.Attribute) (string, bool) {
	if attr == nil {
		return "", false
	}
	names := p.stageNames()
	path := p.path(attr.Expr)
	if len(path) == 2 && path[0] == "stage" {
		if _, ok := p.book.stages[path[1]]; ok {
			return path[1], true
		}
		p.list.Add(diag.At(attr.Expr.Range(), "there is no stage %q", path[1]).Hint("%s", diag.DidYouMean(path[1], names)))
		return "", false
	}
	hint := "write stage.NAME without quotes"
	if len(path) == 1 && slices.Contains(names, path[0]) {
		hint = "did you mean stage." + path[0] + "?"
	}
	p.list.Add(diag.At(attr.Expr.Range(), "%q takes a stage", attr.Name).Hint("%s", hint))
	return "", false
}

func (p *parser) stageNames() []string {
	var names []string
	for _, s := range p.book.Stages {
		names = append(names, s.Name)
	}
	return names
}

func (p *parser) declareVariable(block *hclsyntax.Block) {
	v := &Variable{Name: block.Labels[0], Range: header(block), Type: step.TypeString, typ: cty.String, body: block.Body}
	if !p.declare("variable "+quote(v.Name), v.Range) {
		return
	}
	p.strict(block.Body, "variable "+quote(v.Name), []string{"type", "default", "secret", "doc"}, nil, "default")
	p.book.variables[v.Name] = v
	p.book.Variables = append(p.book.Variables, v)
	v.Doc = p.literalText(block.Body, "doc", "")
	v.Secret = p.literalBool(block.Body, "secret")
	if attr, ok := block.Body.Attributes["type"]; ok {
		p.variableType(v, attr)
	}
	if v.Secret && v.Type != step.TypeString {
		p.list.Add(diag.At(v.Range, "secret variable %q is a %s, and only a string can be secret", v.Name, v.Type))
	}
}

// variableTypes are the types by how they are written.
var variableTypes = map[string]struct {
	name step.Type
	typ  cty.Type
}{
	"string":       {step.TypeString, cty.String},
	"bool":         {step.TypeBool, cty.Bool},
	"number":       {step.TypeFloat, cty.Number},
	"list(string)": {step.TypeList, cty.List(cty.String)},
	"map(string)":  {step.TypeMap, cty.Map(cty.String)},
}

func (p *parser) variableType(v *Variable, attr *hclsyntax.Attribute) {
	text := strings.Trim(strings.Join(strings.Fields(string(p.book.syntax.Source.Slice(attr.Expr.Range()))), ""), `"`)
	_, quoted := literal(attr.Expr)
	t, ok := variableTypes[text]
	switch {
	case ok && quoted && !p.book.syntax.JSON:
		p.list.Add(diag.At(attr.Expr.Range(), "a type is written without quotes").Hint("write type = %s", text))
	case ok:
		v.Type, v.typ = t.name, t.typ
	default:
		near := diag.Nearest(text, []string{"string", "bool", "number", "list(string)", "map(string)"})
		if alias := (map[string]string{"list": "list(string)", "map": "map(string)", "int": "number", "float": "number", "boolean": "bool", "text": "string", "set(string)": "list(string)"})[text]; alias != "" {
			near = alias
		}
		d := diag.At(attr.Expr.Range(), "unknown type %s", short(text))
		if near != "" {
			d.Hint("did you mean %s?", near)
		}
		p.list.Add(d.Hint("a variable is a string, bool, number, list(string) or map(string)"))
	}
}

// resolveVariable reads the default, which refers to nothing.
func (p *parser) resolveVariable(v *Variable) {
	attr, ok := v.body.Attributes["default"]
	if !ok {
		return
	}
	v.HasDefault = true
	e := p.expression(attr, place{what: "a default"})
	if e.bad {
		return
	}
	value, found := p.book.work(e, p.book.base)
	if len(found) > 0 {
		p.list.Add(found...)
		return
	}
	value, d := convertVariable(v, value, attr.Expr.Range())
	if d == nil && v.Secret && !value.IsNull() {
		d = literalSecret(value, attr.Expr.Range(), "secret variable "+quote(v.Name))
	}
	if d != nil {
		p.list.Add(d)
		return
	}
	v.value = value
	if !v.Secret {
		v.Default = plain(value)
	}
}

func (p *parser) declarePeople(block *hclsyntax.Block) {
	if p.declare("people", block.TypeRange) {
		p.strict(block.Body, "people", attributeNames(block.Body), nil)
	}
	for _, attr := range inOrder(block.Body) {
		if !p.declare("person "+quote(attr.Name), attr.NameRange) {
			continue
		}
		p.book.people[attr.Name] = true
		p.book.People = append(p.book.People, Person{Name: attr.Name, Role: p.literalText(block.Body, attr.Name, ""), Range: attr.NameRange})
	}
}

// personNames lists who there is.
func (r *Runbook) personNames() []string {
	var names []string
	for _, person := range r.People {
		names = append(names, person.Name)
	}
	return names
}

func attributeNames(body *hclsyntax.Body) []string {
	var names []string
	for name := range body.Attributes {
		names = append(names, name)
	}
	return names
}

// inOrder gives a body's attributes as they stand in the text.
func inOrder(body *hclsyntax.Body) []*hclsyntax.Attribute {
	var attrs []*hclsyntax.Attribute
	for _, attr := range body.Attributes {
		attrs = append(attrs, attr)
	}
	slices.SortFunc(attrs, func(a, b *hclsyntax.Attribute) int { return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte })
	return attrs
}

// person refuses a name that people does not have.
func (p *parser) person(name string, rng hcl.Range) {
	if p.book.people[name] {
		return
	}
	d := diag.At(rng, "there is no %q in people", name)
	if len(p.book.People) == 0 {
		d.Hint("add people { %s = \"ROLE\" }", name)
	} else {
		d.Hint("%s", diag.DidYouMean(name, p.book.personNames()))
	}
	p.list.Add(d)
}
