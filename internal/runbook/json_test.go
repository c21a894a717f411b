package runbook

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/secret"
)

// jsonOf writes an HCL runbook as JSON: blocks as objects by label, in arrays,
// references as they are written, other expressions as "${…}".
func jsonOf(t testing.TB, text string) []byte {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(text), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out, err := json.MarshalIndent(jsonBody(text, file.Body.(*hclsyntax.Body)), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func jsonBody(text string, body *hclsyntax.Body) map[string]any {
	object := map[string]any{}
	for name, attr := range body.Attributes {
		object[name] = jsonExpr(text, name, attr.Expr)
	}
	for _, block := range body.Blocks {
		var inner any = jsonBody(text, block.Body)
		for i := len(block.Labels) - 1; i >= 0; i-- {
			inner = map[string]any{block.Labels[i]: inner}
		}
		list, _ := object[block.Type].([]any)
		object[block.Type] = append(list, inner)
	}
	return object
}

func jsonExpr(text, name string, expr hclsyntax.Expression) any {
	source := strings.TrimSpace(string(expr.Range().SliceBytes([]byte(text))))
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return json.RawMessage(source)
	case *hclsyntax.TupleConsExpr:
		list := []any{}
		for _, item := range e.Exprs {
			list = append(list, jsonExpr(text, name, item))
		}
		return list
	case *hclsyntax.TemplateExpr:
		if value, diags := e.Value(nil); !diags.HasErrors() {
			return strings.ReplaceAll(strings.ReplaceAll(value.AsString(), "${", "$${"), "%{", "%%{")
		}
		return strings.Trim(source, `"`)
	}
	if name == "after" || name == "opens" || name == "closes" || name == "on" || name == "type" {
		return source
	}
	if object, ok := expr.(*hclsyntax.ObjectConsExpr); ok {
		m := map[string]any{}
		for _, item := range object.Items {
			key, _ := item.KeyExpr.Value(nil)
			m[key.AsString()] = jsonExpr(text, name, item.ValueExpr)
		}
		return m
	}
	return "${" + source + "}"
}

// TestJSONSaysTheSame reads runbooks in HCL and in JSON and compares what is
// bound, field by field.
func TestJSONSaysTheSame(t *testing.T) {
	design, err := os.ReadFile(filepath.Join("testdata", "design.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STAND_IN_DB", "postgres://x:hunter2@lab/shop")
	dsn := secret.New("postgres://app:swordfish@live/shop")
	for name, test := range map[string]struct {
		text string
		in   Input
	}{
		"design":  {string(design), Input{Values: map[string]any{"tokyo_db": dsn, "seoul_db": dsn}}},
		"several": {several, Input{}},
		"hiding":  {hiding, Input{Values: map[string]any{"db": dsn, "word": dsn}}},
		"live":    {rehearsed, Input{Values: map[string]any{"db": dsn}}},
		"drill":   {rehearsed, Input{Drill: "lab"}},
	} {
		t.Run(name, func(t *testing.T) {
			inHCL := mustBind(t, test.text, test.in)
			inJSON := mustBind(t, string(jsonOf(t, test.text)), test.in)
			ignore := []cmp.Option{cmpopts.IgnoreFields(Node{}, "Range", "Def", "inst"), cmpopts.EquateEmpty()}
			byID := func(b *Bound) map[string]*Node { return b.byID }
			sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
			if d := cmp.Diff(byID(inHCL), byID(inJSON), append(ignore, sorted)...); d != "" {
				t.Errorf("nodes (-HCL +JSON):\n%s", d)
			}
			for _, n := range inHCL.Nodes {
				want, _ := inHCL.Fields(n, noOutputs)
				got, _ := inJSON.Fields(inJSON.Node(n.ID), noOutputs)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s (-HCL +JSON):\n%s", n.ID, d)
				}
			}
			if d := cmp.Diff(inHCL.Window, inJSON.Window, cmpopts.IgnoreTypes(hcl.Range{})); d != "" {
				t.Errorf("window: %s", d)
			}
		})
	}
}

func TestFormatJSON(t *testing.T) {
	text := jsonOf(t, several)
	var dense bytes.Buffer
	if err := json.Compact(&dense, text); err != nil {
		t.Fatal(err)
	}
	out, said := Format("r.json", dense.Bytes())
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	again, _ := Format("r.json", out)
	if !bytes.Equal(out, again) || !bytes.Contains(out, []byte("\n  \"stage\": [\n")) {
		t.Errorf("formatted:\n%s", out)
	}
}
