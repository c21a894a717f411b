package runbook

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// mapping is how the references of an expression fare in a drill.
type mapping struct {
	mapped   []ref // what the drill or a step gives
	unmapped []ref // what stays as it is live
}

// enough references to tell what is wrong.
const enough = 4

func (m *mapping) add(other mapping) {
	m.mapped = append(m.mapped, other.mapped[:min(len(other.mapped), enough-min(len(m.mapped), enough))]...)
	m.unmapped = append(m.unmapped, other.unmapped[:min(len(other.unmapped), enough-min(len(m.unmapped), enough))]...)
}

// checkTargets refuses a drill that leaves a single target on a live place.
func (b *binder) checkTargets() {
	m := mapper{Bound: b.Bound, locals: map[string]mapping{}}
	taken := b.livePlaces()
	for _, n := range b.Nodes {
		def := n.inst.def
		if def.class != ClassStep {
			continue
		}
		b.checkSite(n)
		for _, f := range b.activeFields(n) {
			if !f.Target {
				continue
			}
			how := m.expr(f.expr, def)
			d := b.checkMapped(n, f, how)
			if d == nil {
				d = b.checkPlace(n, f, how, taken)
			}
			b.list.Add(d)
		}
		b.checkDefaults(n)
	}
}

func (b *binder) checkMapped(n *Node, f *fieldDef, m mapping) *diag.Diagnostic {
	def := n.inst.def
	rng := f.expr.Range()
	if len(m.unmapped) > 0 {
		r := m.unmapped[0]
		d := diag.At(rng, "target %q of %s is not mapped: drill %q leaves %s as it is live", f.Name, def.what(), b.Drill, r.text())
		if r.root == "site" {
			return d.Hint("add to the drill: sites = { %s = { %s } }", r.name, siteForm(r.field)).See("the drill is here", b.drill.Range)
		}
		return d.Hint("add to the drill: variables = { %s = … }", r.name).See("the drill is here", b.drill.Range)
	}
	if len(m.mapped) > 0 {
		return nil
	}
	return diag.At(rng, "target %q of %s is a literal, so drill %q would touch the live place", f.Name, def.what(), b.Drill).
		Hint("write %s = var.NAME, and in the drill variables = { NAME = … }", f.Name)
}

func siteForm(field string) string {
	if sub, ok := strings.CutPrefix(field, "aws."); ok {
		return "aws = { " + sub + " = … }"
	}
	return field + " = …"
}

func (r ref) text() string {
	text := r.root + "." + r.name
	if r.field != "" {
		text += "." + r.field
	}
	return text
}

// checkSite refuses a step that would change something on a live site.
func (b *binder) checkSite(n *Node) {
	def := n.inst.def
	if def.on == "" || def.effect == step.Reads {
		return
	}
	if _, ok := b.drill.sites[def.on]; !ok {
		b.list.Add(diag.At(def.body.Attributes["on"].Expr.Range(), "%s works on site %q, which drill %q leaves as it is live", def.what(), def.on, b.Drill).
			Hint("add to the drill: sites = { %s = { ssh = […] } }", def.on).See("the drill is here", b.drill.Range))
	}
}

// checkDefaults refuses a target that the step does not give and whose default
// is a place.
func (b *binder) checkDefaults(n *Node) {
	for _, f := range n.inst.def.schema.Fields {
		if f.Target && f.Default != "" && n.inst.def.field(f.Name) == nil {
			b.list.Add(diag.At(n.Range, "target %q of %s has its default %q, which drill %q would touch", f.Name, n.inst.def.what(), f.Default, b.Drill).
				Hint("write %s = var.NAME, and in the drill variables = { NAME = … }", f.Name))
		}
	}
}

// livePlace is a place that the live run reads or writes.
type livePlace struct {
	node  *nodeDef
	field string
}

// livePlaces are the places of the live run, as far as they are known: its
// targets, and the sources that a stand-in must not overwrite either.
func (b *binder) livePlaces() map[string]livePlace {
	places := map[string]livePlace{}
	for _, def := range b.order {
		for _, inst := range b.instancesOf(def, b.live, nil) {
			for _, f := range def.fields {
				value, found := b.work(f.expr, b.dryContext(f.expr, inst, b.live))
				if len(found) > 0 {
					continue
				}
				out, known, wrong := def.fieldValue(f, value)
				if !known || wrong != nil {
					continue
				}
				place := placeOf(f, out)
				if _, taken := places[place]; f.Target || !taken && isPlace(f, out) {
					places[place] = livePlace{def, f.Name}
				}
			}
		}
	}
	return places
}

// isPlace tells whether a field that is no target names a place: a connection
// string or a URL.
func isPlace(f *fieldDef, value any) bool {
	text, _ := value.(string)
	return f.Type == step.TypeDSN || f.Type == step.TypeString && strings.Contains(text, "://")
}

// checkPlace refuses a stand-in that is empty or a place of the live run.
func (b *binder) checkPlace(n *Node, f *fieldDef, how mapping, live map[string]livePlace) *diag.Diagnostic {
	out, waits, found := b.field(n, f, noOutputs)
	if len(waits) > 0 || len(found) > 0 || out == nil {
		return nil
	}
	place := placeOf(f, out)
	same, isLive := live[place]
	what := "is the live place"
	switch {
	case place == "":
		what = "is empty"
	case !isLive:
		return nil
	case same.node != n.inst.def || same.field != f.Name:
		what = "is the live " + strconv.Quote(same.field) + " of " + same.node.ref()
	}
	d := diag.At(f.expr.Range(), "target %q of %s: the stand-in of drill %q %s", f.Name, n.inst.def.what(), b.Drill, what)
	return d.See("the stand-in is here", b.standInRange(how.mapped[0]))
}

// standInRange is where the drill maps a reference.
func (b *binder) standInRange(r ref) hcl.Range {
	if e := b.drill.vars[r.name]; r.root == "var" && e != nil {
		return e.Range()
	}
	if in := b.drill.sites[r.name]; r.root == "site" && in != nil {
		if e := in.fields[r.field]; e != nil {
			return e.Range()
		}
		return in.rng
	}
	return b.drill.Range
}

// placeOf names the place that a target's value points to: of a connection
// string host, port and database, whoever the user is.
func placeOf(f *fieldDef, value any) string {
	text, isText := value.(string)
	if hidden, ok := value.(secret.String); ok {
		text, isText = hidden.Reveal(), true
	}
	if !isText {
		return string(f.Type) + describePlain(value)
	}
	if f.Type == step.TypeDSN && !pointsElsewhere(text) {
		shown := secret.NewDSN(text).String() // "" of ""
		shown = shown[strings.LastIndex(shown, "@")+1:]
		return strings.ToLower(strings.Replace(shown, ":5432/", "/", 1))
	}
	return strings.TrimSuffix(text, "/")
}

// mapper looks through locals and each to what they come from.
type mapper struct {
	*Bound
	locals map[string]mapping
}

func (m *mapper) expr(e *expr, n *nodeDef) mapping {
	var all mapping
	for _, r := range e.refs {
		all.add(m.ref(r, n))
	}
	return all
}

func (m *mapper) ref(r ref, n *nodeDef) mapping {
	given := false
	switch r.root {
	case "step":
		given = true
	case "each":
		return m.expr(n.forEach, n)
	case "var":
		_, given = m.drill.vars[r.name]
	case "site":
		given = m.siteMapped(r)
	case "local":
		known, ok := m.locals[r.name]
		if !ok {
			known = m.expr(m.Runbook.locals[r.name].expr, n)
			m.locals[r.name] = known
		}
		return known
	}
	if given {
		return mapping{mapped: []ref{r}}
	}
	return mapping{unmapped: []ref{r}}
}

// siteMapped tells whether the drill maps the attribute, or all below it.
func (m *mapper) siteMapped(r ref) bool {
	in := m.drill.sites[r.name]
	if in == nil {
		return false
	}
	for _, a := range m.Runbook.sites[r.name].attrs {
		if a.field != r.field && !strings.HasPrefix(a.field, r.field+".") {
			continue
		}
		if in.fields[a.field] != nil {
			continue
		}
		if in.whole == nil || !m.Runbook.sites[in.whole.refs[0].name].has(a.field) {
			return false
		}
	}
	return true
}

func describePlain(value any) string {
	v, err := toCty(value)
	if err != nil || !v.IsWhollyKnown() || v.Type() == cty.DynamicPseudoType {
		return ""
	}
	return v.GoString()
}
