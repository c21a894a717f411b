package runbook

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/evac-io/evac/internal/runbook/diag"
	"github.com/evac-io/evac/internal/secret"
)

// secretMark marks every value that a secret variable went into, with the
// variable's name.
type secretMark string

// secretsIn names the secret variables that went into a value.
func secretsIn(value cty.Value) []string {
	if !value.ContainsMarked() {
		return nil
	}
	_, marks := value.UnmarkDeep()
	var names []string
	for mark := range marks {
		if name, ok := mark.(secretMark); ok {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

// plain turns a wholly known value into plain data as step.Values has it;
// texts that a secret went into become secret.String.
func plain(value cty.Value) any { return plainMarked(value, false) }

func plainMarked(value cty.Value, hidden bool) any {
	value, marks := value.Unmark()
	hidden = hidden || len(marks) > 0
	typ := value.Type()
	switch {
	case value.IsNull():
		return nil
	case typ == cty.String:
		if hidden {
			return secret.New(value.AsString())
		}
		return value.AsString()
	case typ == cty.Number:
		return plainNumber(value.AsBigFloat())
	case typ == cty.Bool:
		return value.True()
	case typ.IsMapType() || typ.IsObjectType():
		m := map[string]any{}
		for it := value.ElementIterator(); it.Next(); {
			key, item := it.Element()
			m[key.AsString()] = plainMarked(item, hidden)
		}
		return m
	case typ.IsTupleType() || typ.IsListType() || typ.IsSetType():
		list := []any{}
		for it := value.ElementIterator(); it.Next(); {
			_, item := it.Element()
			list = append(list, plainMarked(item, hidden))
		}
		return list
	}
	return nil
}

func plainNumber(n *big.Float) any {
	if i, exact := n.Int64(); exact == big.Exact {
		return i
	}
	f, _ := n.Float64()
	return f
}

// What one value may be: the system's own limit of one argument.
const (
	maxValueBytes = 128 << 10
	maxValueDepth = 100
	maxNumberBits = 128
)

// tooMuch tells why a value is too large to go on with, or "".
func tooMuch(value cty.Value) string {
	left := maxValueBytes
	return measure(value, &left, 0)
}

func measure(value cty.Value, left *int, depth int) string {
	value, _ = value.Unmark()
	*left -= 16
	if depth > maxValueDepth {
		return fmt.Sprintf("nests deeper than %d", maxValueDepth)
	}
	if !value.IsKnown() || value.IsNull() {
		return ""
	}
	switch typ := value.Type(); {
	case typ == cty.String:
		*left -= len(value.AsString())
	case typ == cty.Number:
		if n := value.AsBigFloat(); n.IsInf() || n.MantExp(nil) > maxNumberBits || n.MantExp(nil) < -maxNumberBits {
			return "is too large or too small a number"
		}
	case value.CanIterateElements():
		for it := value.ElementIterator(); it.Next() && *left > 0; {
			key, item := it.Element()
			if key.Type() == cty.String {
				*left -= len(key.AsString())
			}
			if why := measure(item, left, depth+1); why != "" {
				return why
			}
		}
	}
	if *left < 0 {
		return fmt.Sprintf("is larger than %d KiB", maxValueBytes>>10)
	}
	return ""
}

// convertVariable gives a value the type of its variable.
func convertVariable(v *Variable, value cty.Value, rng hcl.Range) (cty.Value, *diag.Diagnostic) {
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		if v.Secret {
			value = value.Mark(secretMark(v.Name))
		}
		return cty.DynamicVal, diag.At(rng, "variable %q takes a %s, not %s", v.Name, v.Type, describe(value)).Hint("%s", typeHint(v))
	}
	if why := tooMuch(converted); why != "" {
		return cty.DynamicVal, diag.At(rng, "variable %q %s", v.Name, why)
	}
	return converted, nil
}

func typeHint(v *Variable) string {
	switch v.typ {
	case cty.List(cty.String):
		return `write a list: ["a", "b"]`
	case cty.Map(cty.String):
		return `write a map: { key = "value" }`
	}
	return ""
}

// given turns the value of a variable as it came from outside, a text or
// plain data, into the variable's type.
func given(v *Variable, from any) (cty.Value, *diag.Diagnostic) {
	if hidden, ok := from.(secret.String); ok {
		if !v.Secret {
			return cty.DynamicVal, diag.At(v.Range, "variable %q is given a secret, and it is not declared secret", v.Name).Hint("add secret = true")
		}
		return convertVariable(v, cty.StringVal(hidden.Reveal()), v.Range)
	}
	if v.Secret {
		return cty.DynamicVal, diag.At(v.Range, "secret variable %q is given in the open", v.Name).
			Hint("give it by the environment, EVAC_VAR_%s=…, by --var-file, or at the prompt", v.Name)
	}
	value, err := fromOutside(v, from)
	if err != nil {
		return cty.DynamicVal, diag.At(v.Range, "variable %q is a %s, and its value is not: %v", v.Name, v.Type, err).Hint("%s", outsideHint(v))
	}
	return convertVariable(v, value, v.Range)
}

func outsideHint(v *Variable) string {
	switch v.typ {
	case cty.List(cty.String):
		return fmt.Sprintf(`--var '%s=a,b' or --var '%s=["a", "b"]'`, v.Name, v.Name)
	case cty.Map(cty.String):
		return fmt.Sprintf(`--var '%s=key=value,other=value' or --var '%s={"key": "value"}'`, v.Name, v.Name)
	}
	return ""
}

func fromOutside(v *Variable, from any) (cty.Value, error) {
	text, isText := from.(string)
	if !isText {
		return toCty(from)
	}
	switch trimmed := strings.TrimSpace(text); v.typ {
	case cty.List(cty.String):
		if strings.HasPrefix(trimmed, "[") {
			return fromJSON(trimmed)
		}
		return listOf(splitList(text)), nil
	case cty.Map(cty.String):
		if strings.HasPrefix(trimmed, "{") {
			return fromJSON(trimmed)
		}
		return splitMap(text)
	}
	return cty.StringVal(text), nil
}

func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func listOf(items []string) cty.Value {
	if len(items) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	values := make([]cty.Value, len(items))
	for i, item := range items {
		values[i] = cty.StringVal(item)
	}
	return cty.ListVal(values)
}

func splitMap(text string) (cty.Value, error) {
	values := map[string]cty.Value{}
	for _, pair := range splitList(text) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return cty.NilVal, fmt.Errorf("%q has no =", pair)
		}
		values[strings.TrimSpace(key)] = cty.StringVal(strings.TrimSpace(value))
	}
	return cty.ObjectVal(values), nil
}

func fromJSON(text string) (cty.Value, error) {
	var data any
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return cty.NilVal, fmt.Errorf("read it as JSON: %w", err)
	}
	return toCty(data)
}

// toCty takes plain data over, as JSON or the journal gives it.
func toCty(data any) (cty.Value, error) {
	switch t := data.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case string:
		return cty.StringVal(t), nil
	case bool:
		return cty.BoolVal(t), nil
	case int:
		return cty.NumberIntVal(int64(t)), nil
	case int64:
		return cty.NumberIntVal(t), nil
	case float64:
		return cty.NumberFloatVal(t), nil
	case json.Number:
		return cty.ParseNumberVal(string(t))
	case []string:
		return listOf(t), nil
	case map[string]string:
		values := map[string]cty.Value{}
		for key, value := range t {
			values[key] = cty.StringVal(value)
		}
		return cty.ObjectVal(values), nil
	case []any:
		return listToCty(t)
	case map[string]any:
		values := map[string]cty.Value{}
		for _, key := range slices.Sorted(maps.Keys(t)) {
			value, err := toCty(t[key])
			if err != nil {
				return cty.NilVal, err
			}
			values[key] = value
		}
		return cty.ObjectVal(values), nil
	}
	return cty.NilVal, fmt.Errorf("a %T is no value", data)
}

func listToCty(items []any) (cty.Value, error) {
	values := make([]cty.Value, len(items))
	for i, item := range items {
		var err error
		if values[i], err = toCty(item); err != nil {
			return cty.NilVal, err
		}
	}
	return cty.TupleVal(values), nil
}
