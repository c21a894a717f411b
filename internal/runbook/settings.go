package runbook

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// instance is a node to be: a definition and, if it has for_each, the key and
// value of each.
type instance struct {
	def  *nodeDef
	key  string
	each map[string]cty.Value // nil without for_each
}

// settingReader works the attributes of one node out that every node of its
// class has.
type settingReader struct {
	book  *Runbook
	inst  *instance
	scope *scope
	found []*diag.Diagnostic
}

// settings makes the node of an instance, without its place in the graph.
// What is not known yet keeps its zero value.
func (r *Runbook) settings(i *instance, s *scope) (*Node, []*diag.Diagnostic) {
	d := i.def
	n := &Node{ID: d.id, Class: d.class, Stage: r.Stages[d.stage].Name, On: d.on, Def: d.def, Range: d.rng, Items: d.items, inst: i}
	if i.each != nil {
		n.ID = instanceID(d, i.key)
	}
	reader := settingReader{book: r, inst: i, scope: s}
	switch d.class {
	case ClassStep:
		n.Kind = d.kind
		n.Why = reader.text("why", "")
		n.Timeout = reader.duration(d.attrs["timeout"], 0)
		n.Repeatable = reader.bool("repeatable", true)
		n.Retry = reader.retry()
	case ClassGate:
		n.Gate = reader.gate()
	}
	return n, reader.found
}

func (r *settingReader) wrong(d *diag.Diagnostic) {
	if d != nil {
		r.found = append(r.found, d)
	}
}

// value works an attribute out and refuses secrets; false if it is missing,
// wrong or not known yet.
func (r *settingReader) value(e *expr) (cty.Value, bool) {
	if e == nil || e.bad {
		return cty.NilVal, false
	}
	value, found := r.book.work(e, r.book.context(e, r.inst, r.scope, nil))
	r.found = append(r.found, found...)
	if len(found) > 0 {
		return value, false
	}
	if names := secretsIn(value); len(names) > 0 {
		r.wrong(seen(e, names[0]))
		return value, false
	}
	if value.IsNull() && value.IsKnown() {
		return value, false // as if it were not there
	}
	return value, value.IsWhollyKnown()
}

// seen says that a secret stands where everybody looks.
func seen(e *expr, name string) *diag.Diagnostic {
	return diag.At(e.Range(), "%q holds the secret variable %q, and everybody can see it", e.name, name)
}

func (r *settingReader) text(name, otherwise string) string {
	value, ok := r.value(r.inst.def.attrs[name])
	if !ok {
		return otherwise
	}
	text, err := convert.Convert(value, cty.String)
	if err != nil || value.Type() == cty.Bool {
		r.wrong(takes(r.inst.def.attrs[name].Range(), name, "a text", value))
		return otherwise
	}
	return text.AsString()
}

func (r *settingReader) bool(name string, otherwise bool) bool {
	value, ok := r.value(r.inst.def.attrs[name])
	if !ok {
		return otherwise
	}
	yes, d := boolOf(name, value, r.inst.def.attrs[name])
	r.wrong(d)
	return yes
}

func (r *settingReader) duration(e *expr, otherwise time.Duration) time.Duration {
	value, ok := r.value(e)
	if !ok {
		return otherwise
	}
	d, wrong := durationOf(e.name, value, e.Range())
	r.wrong(wrong)
	return d
}

// count reads a whole number between 1 and most.
func (r *settingReader) count(e *expr, most int64, otherwise int) int {
	value, ok := r.value(e)
	if !ok {
		return otherwise
	}
	number, err := convert.Convert(value, cty.Number)
	if err == nil {
		if n, whole := plainNumber(number.AsBigFloat()).(int64); whole && n >= 1 && n <= most {
			return int(n)
		}
	}
	r.wrong(takes(e.Range(), e.name, "a whole number from 1", value))
	return otherwise
}

// Retries that no author gives a wait for.
const (
	defaultWait = time.Second
	defaultMax  = time.Minute
	mostRetries = 1_000
)

func (r *settingReader) retry() Retry {
	attrs := r.inst.def.retry
	if attrs == nil {
		return Retry{Attempts: 1}
	}
	retry := Retry{Attempts: r.count(attrs["attempts"], mostRetries, 1), Wait: r.duration(attrs["wait"], defaultWait)}
	retry.Max = r.duration(attrs["max"], max(defaultMax, retry.Wait))
	if retry.Max < retry.Wait {
		r.wrong(diag.At(attrs["max"].Range(), "\"max\" is shorter than the first wait, %s", retry.Wait))
	}
	return retry
}

func (r *settingReader) gate() *Gate {
	attrs := r.inst.def.attrs
	g := &Gate{Ask: r.text("ask", ""), People: r.inst.def.people, Timeout: r.duration(attrs["timeout"], 0),
		OnTimeout: r.text("on_timeout", OnTimeoutHold)}
	if attrs["ask"] != nil || len(g.People) > 0 {
		g.Approvals = 1
	}
	g.Approvals = r.count(attrs["approvals"], 100, g.Approvals)
	if choices := []string{OnTimeoutHold, OnTimeoutUndo, OnTimeoutContinue}; !slices.Contains(choices, g.OnTimeout) {
		r.wrong(takes(attrs["on_timeout"].Range(), "on_timeout", "hold, undo or continue", cty.StringVal(g.OnTimeout)).Hint("%s", near(g.OnTimeout, choices)))
	}
	if at := r.text("at", ""); at != "" {
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			r.wrong(takes(attrs["at"].Range(), "at", "a time with its zone", cty.StringVal(at)).Hint(`write it like "2026-03-01T02:00:00+09:00"`))
		}
		g.At = t
	}
	return g
}

// when tells whether a step runs at all; known is false as long as that
// depends on outputs that are not there.
func (r *Runbook) when(e *expr, at *hcl.EvalContext) (run, known bool, found []*diag.Diagnostic) {
	value, found := r.work(e, at)
	if len(found) > 0 || e.bad {
		return false, false, found
	}
	if names := secretsIn(value); len(names) > 0 {
		return false, false, []*diag.Diagnostic{diag.At(e.Range(), "when depends on the secret variable %q, and everybody can see what runs", names[0])}
	}
	if value.Type() != cty.Bool && value.Type() != cty.DynamicPseudoType || value.IsKnown() && value.IsNull() {
		return false, false, []*diag.Diagnostic{takes(e.Range(), "when", "true or false", value)}
	}
	if !value.IsKnown() {
		return false, false, nil
	}
	return value.True(), true, nil
}

// keyed is one key and value of for_each.
type keyed struct {
	key   string
	value cty.Value
}

// instanceKeys reads for_each: a list or set of texts, or a map.
func instanceKeys(e *expr, value cty.Value) ([]keyed, *diag.Diagnostic) {
	if names := secretsIn(value); len(names) > 0 {
		return nil, diag.At(e.Range(), "for_each holds the secret variable %q, and its keys become names", names[0])
	}
	typ := value.Type()
	isList := typ.IsTupleType() || typ.IsListType() || typ.IsSetType()
	if typ != cty.DynamicPseudoType && !isList && !typ.IsMapType() && !typ.IsObjectType() || value.IsKnown() && value.IsNull() {
		return nil, takes(e.Range(), "for_each", "a list of texts or a map", value).Hint(`for_each = ["a", "b"] or { a = 1, b = 2 }`)
	}
	if !value.IsWhollyKnown() {
		return nil, nil
	}
	var all []keyed
	seen := map[string]bool{}
	for it := value.ElementIterator(); it.Next(); {
		key, item := it.Element()
		if isList {
			if key = item; item.IsNull() || item.Type() != cty.String {
				return nil, diag.At(e.Range(), "for_each takes a list of texts, and %s is in it", describe(item))
			}
		}
		name := key.AsString()
		if seen[name] {
			return nil, diag.At(e.Range(), "for_each has %q twice", name).Hint("distinct(…) keeps one of each")
		}
		seen[name] = true
		all = append(all, keyed{name, item})
	}
	return all, nil
}
