package runbook

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/evac-io/evac/internal/step"
)

// outputTypes are the types of output fields.
var outputTypes = map[step.Type]cty.Type{
	step.TypeString: cty.String, step.TypeBool: cty.Bool, step.TypeInt: cty.Number, step.TypeFloat: cty.Number,
	step.TypeList: cty.List(cty.String), step.TypeMap: cty.Map(cty.String),
}

// noOutput is the output of a step that has not run: typed, but unknown.
func noOutput(s step.Schema) cty.Value {
	fields := map[string]cty.Value{}
	for _, f := range s.Output {
		fields[f.Name] = cty.UnknownVal(outputTypes[f.Type])
	}
	return cty.ObjectVal(fields)
}

// outputValue reads a step's output from the journal. A field that is not in
// it has the zero value of its type.
func outputValue(s step.Schema, text json.RawMessage) (cty.Value, error) {
	var data map[string]any
	if len(text) > 0 {
		numbers := json.NewDecoder(bytes.NewReader(text))
		numbers.UseNumber()
		if err := numbers.Decode(&data); err != nil {
			return cty.NilVal, fmt.Errorf("read output of kind %q: %w", s.Kind, err)
		}
	}
	fields := map[string]cty.Value{}
	for _, f := range s.Output {
		typ := outputTypes[f.Type]
		if data[f.Name] == nil {
			fields[f.Name] = zeroOf(typ)
			continue
		}
		value, err := toCty(data[f.Name])
		if err == nil {
			value, err = convert.Convert(value, typ)
		}
		if err != nil {
			return cty.NilVal, fmt.Errorf("read output %q of kind %q: %w", f.Name, s.Kind, err)
		}
		if why := tooMuch(value); why != "" {
			return cty.NilVal, fmt.Errorf("read output %q of kind %q: it %s", f.Name, s.Kind, why)
		}
		fields[f.Name] = value
	}
	return cty.ObjectVal(fields), nil
}

func zeroOf(typ cty.Type) cty.Value {
	switch {
	case typ == cty.Bool:
		return cty.False
	case typ == cty.Number:
		return cty.Zero
	case typ.IsListType():
		return cty.ListValEmpty(cty.String)
	case typ.IsMapType():
		return cty.MapValEmpty(cty.String)
	}
	return cty.StringVal("")
}
