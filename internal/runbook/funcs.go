package runbook

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are what an expression may call: pure, known from other HCL
// programs, and none of them reads a file, the environment or the clock.
func functions() map[string]function.Function {
	table := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc, "max": stdlib.MaxFunc, "min": stdlib.MinFunc,
		"chomp": stdlib.ChompFunc, "format": careful(stdlib.FormatFunc, wideFormat), "formatlist": careful(stdlib.FormatListFunc, wideFormat),
		"join": careful(stdlib.JoinFunc, longJoin), "lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc,
		"replace": careful(stdlib.ReplaceFunc, longReplace), "split": stdlib.SplitFunc, "substr": stdlib.SubstrFunc,
		"trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc, "trimspace": stdlib.TrimSpaceFunc,
		"coalesce": stdlib.CoalesceFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc,
		"distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc, "keys": stdlib.KeysFunc,
		"length": length, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "reverse": stdlib.ReverseListFunc,
		"slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc,
		"jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc,
		"tobool": stdlib.MakeToFunc(cty.Bool), "tonumber": stdlib.MakeToFunc(cty.Number), "tostring": stdlib.MakeToFunc(cty.String),
		"tolist": stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)), "tomap": stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"toset": stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
	}
	for name, f := range table {
		table[name] = careful(f, nil)
	}
	return table
}

// length counts the elements of a collection or the characters of a text.
var length = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch typ := args[0].Type(); {
		case !args[0].IsKnown():
			return cty.UnknownVal(cty.Number), nil
		case typ == cty.String:
			return stdlib.Strlen(args[0])
		case typ.IsObjectType() || typ.IsTupleType() || typ.IsCollectionType():
			return args[0].Length(), nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "must be a list, a map or a text")
	},
})

// careful keeps a function from making more than a value may be: before it
// runs by a forecast, if it can blow up, and after it in any case.
func careful(f function.Function, forecast func(args []cty.Value) int) function.Function {
	return function.New(&function.Spec{
		Params: f.Params(), VarParam: f.VarParam(),
		Type: f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if forecast != nil && allKnown(args) && forecast(args) > maxValueBytes {
				return cty.NilVal, fmt.Errorf("the result would be larger than %d KiB", maxValueBytes>>10)
			}
			result, err := f.Call(args)
			if err != nil {
				return result, err
			}
			if why := tooMuch(result); why != "" {
				return cty.NilVal, fmt.Errorf("the result %s", why)
			}
			return result, nil
		},
	})
}

func allKnown(args []cty.Value) bool {
	for _, arg := range args {
		if !arg.IsWhollyKnown() || arg.IsNull() || arg.ContainsMarked() {
			return false
		}
	}
	return true
}

func longReplace(args []cty.Value) int {
	text, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
	return len(text) + strings.Count(text, old)*len(with)
}

func longJoin(args []cty.Value) int {
	items := 0
	for _, list := range args[1:] {
		items += list.LengthInt()
	}
	return items * len(args[0].AsString())
}

// hugeWidth finds a width or precision of more than four digits in a format.
var hugeWidth = regexp.MustCompile(`%[^A-Za-z]*[0-9]{5}`)

func wideFormat(args []cty.Value) int {
	if args[0].Type() == cty.String && hugeWidth.MatchString(args[0].AsString()) {
		return maxValueBytes + 1
	}
	return 0
}
