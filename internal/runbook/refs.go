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

// ref is one name that an expression refers to.
type ref struct {
	root string // "var", "local", "site", "each" or "step"
	// name is that of the variable, local or site, "KIND.NAME" of a step.
	name string
	// field is a site's attribute ("aws.region"), a step's output field, or
	// key or value of each.
	field string
	// key chooses the instance of a step with for_each; nil means all.
	key hclsyntax.Expression
	rng hcl.Range
}

// expr is an attribute's expression and what it refers to.
type expr struct {
	hclsyntax.Expression
	name string // of the attribute
	refs []ref
	bad  bool // something is wrong with it: it is not worked out
}

// allow says what an expression may refer to.
type allow uint8

const (
	beforeRun allow = 1 << iota // variables, locals, sites
	eachItem                    // each.key, each.value
	outputs                     // step.KIND.NAME.field
)

// place is where an expression stands.
type place struct {
	what  string // "a local", "for_each"
	allow allow
	node  *nodeDef // nil outside of stages
	drill bool     // inside of a drill block
}

// maxRefs bounds what one expression may refer to, and with it the size of
// its value.
const maxRefs = 1_000

// expression looks up everything that an attribute refers to.
func (p *parser) expression(attr *hclsyntax.Attribute, at place) *expr {
	return p.expressionOf(attr.Name, attr.Expr, at)
}

func (p *parser) expressionOf(name string, syn hclsyntax.Expression, at place) *expr {
	w := &walker{parser: p, place: at, expr: &expr{Expression: syn, name: name}}
	_ = hclsyntax.Walk(syn, w) // the walker collects by itself
	if len(w.expr.refs) > maxRefs {
		w.wrong(diag.At(syn.Range(), "%q refers to more than %d names", name, maxRefs))
	}
	return w.expr
}

// walker visits every part of an expression.
type walker struct {
	parser *parser
	place  place
	expr   *expr
	taken  hclsyntax.Node // a reference already read as part of a longer one
	inFor  bool
}

func (w *walker) wrong(d *diag.Diagnostic) {
	w.expr.bad = true
	w.parser.list.Add(d)
}

// Enter reads references, calls and texts.
func (w *walker) Enter(node hclsyntax.Node) hcl.Diagnostics {
	if w.inFor {
		return nil
	}
	switch n := node.(type) {
	case *hclsyntax.ForExpr:
		w.inFor = true
		w.wrong(diag.At(n.Range(), "a runbook has no `for` expressions").
			Hint("use for_each on the step, a splat (var.hosts[*]) or formatlist(\"ops@%%s\", var.hosts)"))
	case *hclsyntax.FunctionCallExpr:
		w.call(n)
	case *hclsyntax.LiteralValueExpr:
		w.text(n)
	case *hclsyntax.RelativeTraversalExpr:
		w.instance(n)
	case *hclsyntax.ScopeTraversalExpr:
		if node != w.taken {
			w.refer(n.Traversal, nil, n.Range())
		}
	}
	return nil
}

// Exit does nothing.
func (w *walker) Exit(hclsyntax.Node) hcl.Diagnostics { return nil }

func (w *walker) call(n *hclsyntax.FunctionCallExpr) {
	if _, ok := w.parser.book.base.Functions[n.Name]; ok {
		return
	}
	d := diag.At(n.NameRange, "there is no function %q", n.Name)
	switch {
	case strings.HasPrefix(n.Name, "file") || strings.HasPrefix(n.Name, "template") || n.Name == "pathexpand":
		d = diag.At(n.NameRange, "there is no function %q: a runbook reads no files", n.Name).
			Hint("let the step read the file, or give its content with --var-file")
	case strings.Contains(n.Name, "env"):
		d = diag.At(n.NameRange, "there is no function %q: a runbook reads no environment", n.Name).
			Hint(`declare variable "NAME" and set EVAC_VAR_NAME; a secret or dsn field also takes "env:NAME"`)
	case slices.Contains([]string{"timestamp", "now", "uuid", "random", "plantimestamp"}, n.Name):
		d = diag.At(n.NameRange, "there is no function %q: a runbook says the same each time it is read", n.Name).
			Hint("give the value as a variable")
	default:
		d.Hint("%s", diag.DidYouMean(n.Name, slices.Collect(maps.Keys(w.parser.book.base.Functions))))
	}
	w.wrong(d)
}

// text refuses a password that stands in a text.
func (w *walker) text(n *hclsyntax.LiteralValueExpr) {
	if n.Val.Type() != cty.String || !n.Val.IsKnown() || n.Val.IsNull() || !diag.HasPassword(n.Val.AsString()) {
		return
	}
	w.wrong(diag.At(n.Range(), "%q holds a password that everybody can read", w.expr.name).
		Hint(`make it a variable with secret = true, or in a secret or dsn field say where it is kept: "env:NAME" or "@FILE"`).Hide(n.Range()))
}

// instance reads step.KIND.NAME[key].field where the key is no literal.
func (w *walker) instance(n *hclsyntax.RelativeTraversalExpr) {
	index, ok := n.Source.(*hclsyntax.IndexExpr)
	if !ok {
		return
	}
	scope, ok := index.Collection.(*hclsyntax.ScopeTraversalExpr)
	if !ok || scope.Traversal.RootName() != "step" || len(scope.Traversal) != 3 {
		return
	}
	w.taken = scope
	whole := append(slices.Clone(scope.Traversal), n.Traversal...)
	w.refer(whole, index.Key, n.Range())
}

// refer looks a reference up and keeps it.
func (w *walker) refer(t hcl.Traversal, key hclsyntax.Expression, rng hcl.Range) {
	r, d := w.lookup(t, key, rng)
	if d != nil {
		w.wrong(d)
		return
	}
	w.expr.refs = append(w.expr.refs, r)
}

func (w *walker) lookup(t hcl.Traversal, key hclsyntax.Expression, rng hcl.Range) (ref, *diag.Diagnostic) {
	r := ref{root: t.RootName(), rng: rng, key: key}
	if len(t) > 1 {
		r.name, _ = stepName(t[1])
	}
	switch r.root {
	case "var", "local", "site":
		if w.place.allow&beforeRun == 0 {
			return r, diag.At(rng, "%s can refer to nothing, and this is a reference", w.place.what)
		}
	}
	switch r.root {
	case "var":
		if v := w.parser.book.variables[r.name]; v != nil {
			v.used, v.drilled = v.used || !w.place.drill, v.drilled || w.place.drill
		}
		return r, lookupName(w.parser, r, "variable", w.parser.book.variables)
	case "local":
		return r, lookupName(w.parser, r, "local", w.parser.book.locals)
	case "site":
		return w.lookupSite(r, t)
	case "each":
		return w.lookupEach(r)
	case "step":
		return w.lookupStep(r, t)
	}
	return r, w.unknownRoot(t, r)
}

func keysOf[T any](m map[string]T) []string { return slices.Collect(maps.Keys(m)) }

func lookupName[T any](p *parser, r ref, kind string, names map[string]T) *diag.Diagnostic {
	if _, ok := names[r.name]; ok {
		return nil
	}
	if r.name == "" {
		return diag.At(r.rng, "%q stands for no single %s", r.root, kind).Hint("write %s.NAME", r.root)
	}
	d := diag.At(r.rng, "there is no %s %q", kind, r.name)
	if len(names) == 0 && kind == "variable" {
		return d.Hint("declare it: variable %q { }", r.name)
	}
	return d.Hint("%s", p.guess(r.name, keysOf(names)))
}

// guess is diag.DidYouMean as long as guessing costs no time.
func (p *parser) guess(name string, names []string) string {
	if p.guesses -= len(names); p.guesses < 0 {
		return ""
	}
	return diag.DidYouMean(name, names)
}

func (w *walker) lookupEach(r ref) (ref, *diag.Diagnostic) {
	r.field, r.name = r.name, ""
	switch {
	case w.place.node == nil || !w.place.node.repeats():
		return r, diag.At(r.rng, "each stands only in a step with for_each").Hint(`add for_each = ["a", "b"] to the step`)
	case w.place.allow&eachItem == 0:
		return r, diag.At(r.rng, "%s cannot refer to each", w.place.what)
	case r.field != "key" && r.field != "value":
		return r, diag.At(r.rng, "each has key and value, not %q", r.field).Hint("%s", diag.DidYouMean(r.field, []string{"key", "value"}))
	}
	return r, nil
}

// unknownRoot says what a name that begins no reference may have meant.
func (w *walker) unknownRoot(t hcl.Traversal, r ref) *diag.Diagnostic {
	root, book := r.root, w.parser.book
	switch root {
	case "gate", "checklist":
		return diag.At(r.rng, "%s.%s stands only in after", root, r.name).Hint("after = [%s.%s]", root, r.name)
	case "stage":
		return diag.At(r.rng, "stage.%s stands only in opens and closes of the window", r.name)
	case "env":
		return diag.At(r.rng, "a runbook reads no environment").Hint("declare variable %q and set EVAC_VAR_%s", r.name, r.name)
	}
	d := diag.At(r.rng, "%q means nothing here", root)
	switch _, isVar := book.variables[root]; {
	case isVar:
		return d.Hint("did you mean var.%s?", root)
	case book.locals[root] != nil:
		return d.Hint("did you mean local.%s?", root)
	case book.sites[root] != nil:
		return d.Hint("did you mean site.%s?", root)
	case len(t) == 1 && root == strings.ToUpper(root):
		return d.Hint("a variable of the shell is written $%s or $${%s}", root, root)
	case len(t) == 1:
		return d.Hint("a text stands in quotes: %q", root)
	case book.nodes[root+"."+r.name] != nil:
		return d.Hint("did you mean step.%s?", string(book.syntax.Source.Slice(r.rng)))
	}
	if near := diag.Nearest(root, []string{"var", "variable", "local", "site", "each", "step"}); near != "" {
		near = strings.Replace(near, "variable", "var", 1)
		return d.Hint("did you mean %s%s?", near, strings.TrimPrefix(string(book.syntax.Source.Slice(r.rng)), root))
	}
	return d.Hint("a reference begins with var, local, site, each or step")
}
