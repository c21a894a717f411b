package runbook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// fieldTypes are the types that expressions are converted to.
var fieldTypes = map[step.Type]struct {
	typ  cty.Type
	want string
}{
	step.TypeString:    {cty.String, "a text"},
	step.TypeBool:      {cty.Bool, "true or false"},
	step.TypeInt:       {cty.Number, "a whole number"},
	step.TypeFloat:     {cty.Number, "a number"},
	step.TypeDuration:  {cty.String, "a duration"},
	step.TypeSize:      {cty.String, "a size"},
	step.TypeSecret:    {cty.String, "a secret"},
	step.TypeDSN:       {cty.String, "a connection string"},
	step.TypeList:      {cty.List(cty.String), "a list of texts"},
	step.TypeMap:       {cty.Map(cty.String), "a map of texts"},
	step.TypeSecretMap: {cty.Map(cty.String), "a map of texts"},
}

func mayHoldSecret(t step.Type) bool {
	return t == step.TypeSecret || t == step.TypeDSN || t == step.TypeSecretMap
}

// fieldValue gives a worked-out value the type of its field. It is not known
// yet if known is false; a nil value means that the field is not given.
func (n *nodeDef) fieldValue(f *fieldDef, value cty.Value) (out any, known bool, wrong *diag.Diagnostic) {
	if names := secretsIn(value); len(names) > 0 && !mayHoldSecret(f.Type) {
		return nil, false, n.misplacedSecret(f, names)
	}
	rng := f.expr.Range()
	bareValue, _ := value.UnmarkDeep()
	if value.IsNull() && value.IsKnown() {
		if f.Required {
			return nil, false, diag.At(rng, "%q is required, and this is null", f.Name)
		}
		return nil, true, nil
	}
	converted, err := convert.Convert(value, fieldTypes[f.Type].typ)
	if err != nil || !fits(f.Type, bareValue) {
		return nil, false, n.wrongType(f, value)
	}
	if !converted.IsWhollyKnown() {
		return nil, false, nil
	}
	if hasNull(converted) {
		return nil, false, diag.At(rng, "%q holds a null", f.Name)
	}
	if out, wrong = plain(converted), wrongSecret(f, converted); wrong != nil {
		return nil, false, wrong
	}
	return out, true, n.wrongText(f, out, converted)
}

// fits refuses conversions that HCL would do but an author hardly means.
func fits(t step.Type, value cty.Value) bool {
	typ := value.Type()
	switch t {
	case step.TypeString, step.TypeSecret, step.TypeDSN:
		return typ == cty.String || typ == cty.Number && t == step.TypeString || typ == cty.DynamicPseudoType
	case step.TypeDuration, step.TypeSize:
		return typ == cty.String || typ == cty.DynamicPseudoType || t == step.TypeSize && typ == cty.Number
	}
	return true
}

func hasNull(value cty.Value) bool {
	value, _ = value.Unmark()
	if value.IsNull() || !value.CanIterateElements() {
		return value.IsNull()
	}
	for it := value.ElementIterator(); it.Next(); {
		if _, item := it.Element(); item.IsNull() {
			return true
		}
	}
	return false
}

// wrongType says what the field takes and what to write.
func (n *nodeDef) wrongType(f *fieldDef, value cty.Value) *diag.Diagnostic {
	rng := f.expr.Range()
	bareValue, _ := value.UnmarkDeep()
	switch f.Type {
	case step.TypeDuration:
		return notDuration(f.Name, bareValue, rng)
	case step.TypeSize:
		return notSize(f.Name, bareValue, rng)
	}
	shown := value
	if f.Secret || f.Type == step.TypeSecretMap {
		shown = cty.UnknownVal(bareValue.Type())
	}
	d := takes(rng, f.Name, fieldTypes[f.Type].want, shown)
	if !f.Secret {
		d.Message += oddElement(bareValue)
	}
	switch {
	case f.Secret:
		d.Hide(rng)
	case f.Type == step.TypeList && bareValue.Type() == cty.String:
		d.Hint("write a list: %s = [%s]", f.Name, short(strings.Trim(describe(shown), "…")))
	case f.Type == step.TypeList:
		d.Hint(`write %s = ["a", "b"]`, f.Name)
	case f.Type == step.TypeMap, f.Type == step.TypeSecretMap:
		d.Hint(`write %s = { NAME = "value" }`, f.Name)
	}
	return d
}

// oddElement says which element of a list or map is no text, "" if all are.
func oddElement(value cty.Value) string {
	if !value.IsKnown() || !value.CanIterateElements() {
		return ""
	}
	for it := value.ElementIterator(); it.Next(); {
		key, item := it.Element()
		if _, err := convert.Convert(item, cty.String); err == nil {
			continue
		}
		if key.Type() == cty.String {
			return fmt.Sprintf(" whose %q is %s", key.AsString(), describe(item))
		}
		return " that holds " + describe(item)
	}
	return ""
}

// wrongText refuses a text that the field's type cannot read.
func (n *nodeDef) wrongText(f *fieldDef, out any, value cty.Value) *diag.Diagnostic {
	rng := f.expr.Range()
	text, isText := out.(string)
	switch {
	case f.Secret || f.Type == step.TypeSecretMap:
		return nil // read where it is used: "env:NAME" needs no environment here
	case f.Type == step.TypeDuration:
		if _, err := step.ParseDuration(text); err != nil {
			return notDuration(f.Name, value, rng)
		}
	case f.Type == step.TypeSize:
		if _, err := step.ParseSize(text); err != nil {
			return notSize(f.Name, value, rng)
		}
	case isText && len(f.Enum) > 0 && !slices.Contains(f.Enum, text):
		return takes(rng, f.Name, "one of "+strings.Join(f.Enum, ", "), value).Hint("%s", near(text, f.Enum))
	}
	if err := f.Valid(out); err != nil {
		return takes(rng, f.Name, fieldTypes[f.Type].want, value)
	}
	return nil
}

func near(given string, names []string) string {
	if name := diag.Nearest(given, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return ""
}

// misplacedSecret says which secret went where it would be seen.
func (n *nodeDef) misplacedSecret(f *fieldDef, names []string) *diag.Diagnostic {
	d := diag.At(secretRange(f, names[0]), "%q holds the secret variable %q, and everybody can see it", f.Name, names[0])
	if env, ok := n.schema.Field("env"); ok && env.Type == step.TypeSecretMap {
		upper := strings.ToUpper(strings.ReplaceAll(names[0], "-", "_"))
		return d.Hint(`pass it in the environment: env = { %s = var.%s }, and write "$%s" in the command`, upper, names[0], upper)
	}
	var fits []string
	for _, other := range n.schema.Fields {
		if mayHoldSecret(other.Type) {
			fits = append(fits, other.Name)
		}
	}
	if len(fits) > 0 {
		return d.Hint("fields of kind %q that keep secrets: %s", n.kind, strings.Join(fits, ", "))
	}
	return d.Hint("kind %q has no field that keeps secrets", n.kind)
}

// secretRange is the reference that brought the secret in, as near as can be.
func secretRange(f *fieldDef, name string) hcl.Range {
	for _, r := range f.expr.refs {
		if r.root == "var" && r.name == name {
			return r.rng
		}
	}
	return f.expr.Range()
}

// wrongEntry refuses a map entry whose name says that it is a secret and whose
// value is none.
func wrongEntry(f *fieldDef, value cty.Value) *diag.Diagnostic {
	value, marks := value.Unmark()
	if len(marks) > 0 {
		return nil
	}
	for it := value.ElementIterator(); it.Next(); {
		key, item := it.Element()
		name := key.AsString()
		if item.IsMarked() || item.AsString() == "" || !diag.SoundsSecret(name) || pointsElsewhere(item.AsString()) {
			continue
		}
		return diag.At(f.expr.Range(), "%q holds %s in the open", f.Name, name).
			Hint(`write %s = var.NAME of a variable with secret = true, or "env:NAME" or "@FILE"`, name).Hide(f.expr.Range())
	}
	return nil
}

// wrongSecret refuses a secret that stands in the runbook or in a variable
// that is not secret: the journal would keep it.
func wrongSecret(f *fieldDef, value cty.Value) *diag.Diagnostic {
	if f.Type == step.TypeSecretMap {
		return wrongEntry(f, value)
	}
	if !f.Secret || value.IsMarked() {
		return nil
	}
	text := value.AsString()
	if f.Type == step.TypeDSN && secret.NewDSN(text).Password() == "" {
		return nil
	}
	if f.Type == step.TypeSecret && text == "" || pointsElsewhere(text) {
		return nil
	}
	rng := f.expr.Range()
	for _, r := range f.expr.refs {
		if r.root == "var" {
			return diag.At(r.rng, "%q gets a secret from variable %q, which is not secret", f.Name, r.name).
				Hint("add secret = true to variable %q", r.name).Hide(rng)
		}
	}
	what := "its secret"
	if f.Type == step.TypeDSN {
		what = "its password"
	}
	return diag.At(rng, "%q holds %s in the runbook, which everybody can read", f.Name, what).
		Hint(`say where it is kept: "env:NAME" or "@FILE", or var.NAME of a variable with secret = true`).Hide(rng)
}
