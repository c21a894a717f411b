package runbook

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/secret"
)

// TestExplosiveValues: small texts that mean something huge are refused before
// they are made.
func TestExplosiveValues(t *testing.T) {
	doubling := func(first, next string) string {
		lines := "  a0 = " + first + "\n"
		for i := range 60 {
			lines += fmt.Sprintf("  a%d = %s\n", i+1, strings.ReplaceAll(next, "X", fmt.Sprintf("local.a%d", i)))
		}
		return lines
	}
	for name, locals := range map[string]string{
		"texts":    doubling(`"ha"`, `"${X}${X}"`),
		"lists":    doubling(`["ha"]`, `[X, X]`),
		"maps":     doubling(`{ a = 1 }`, `{ a = X, b = X }`),
		"concat":   doubling(`["ha"]`, `concat(X, X)`),
		"json":     doubling(`"\""`, `jsonencode(X)`),
		"replace":  doubling(`"aa"`, `replace(X, "a", "aaaaaaaa")`),
		"squares":  doubling("10", "X * X"),
		"fraction": doubling("0.1", "X * X"),
		"negative": doubling("10", "X * X * -1"),
		"format":   `  a = format("%999999999d", 1)` + "\n",
		"formats":  `  a = formatlist("%-999999999s", ["a", "b"])` + "\n",
		"precise":  `  a = format("%.999999999f", 1)` + "\n",
		"join":     doubling(`["a", "b"]`, `[join(join("", X), X), join(join("", X), X)]`),
		"depth":    doubling(`"x"`, `[[[[X]]]]`),
		"many":     `  a = "` + strings.Repeat("${lower(\"x\")}", 1_200) + strings.Repeat("${local.b}", 1_200) + "\"\n  b = 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := "runbook \"r\" {}\nlocals {\n" + locals + "}\nstage \"s\" {\n  step \"shell\" \"a\" {\n    run = \"true\"\n  }\n}\n"
			if _, said := Parse("test.hcl", []byte(text), testKinds(t)); said.Err() == nil {
				t.Error("nothing is refused")
			}
		})
	}
}

func TestTooManyInstances(t *testing.T) {
	var text strings.Builder
	text.WriteString("runbook \"r\" {}\nvariable \"many\" {\n  type = list(string)\n}\nstage \"s\" {\n")
	for i := range 21 {
		fmt.Fprintf(&text, "  step \"shell\" \"a%d\" {\n    for_each = var.many\n    run = \"true\"\n  }\n", i)
	}
	text.WriteString("}\n")
	var many []string
	for i := range 5_000 {
		many = append(many, fmt.Sprint(i))
	}
	_, said := mustParse(t, "test.hcl", text.String()).Bind(Input{Values: map[string]any{"many": many}})
	if err := said.Err(); err == nil || !strings.Contains(err.Error(), "more than 100000 steps") {
		t.Errorf("said: %v", err)
	}
}

// TestRandomExpressions works out thousands of expressions made of everything
// that the language has, with secrets among them: none panics, and none tells
// a secret.
func TestRandomExpressions(t *testing.T) {
	const word = "sw0rdf1sh!?"
	kinds := testKinds(t)
	r := rand.New(rand.NewPCG(1, 2))
	bound := 0
	for range 1_500 {
		text := fmt.Sprintf(`
runbook "r" {}
variable "open" { default = "o" }
variable "list" {
  type    = list(string)
  default = ["a", "b"]
}
variable "map" {
  type    = map(string)
  default = { a = "1" }
}
variable "hidden" { secret = true }
locals {
  a = "l"
}
stage "s" {
  step "postgres_copy" "c" {
    from = "env:X"
    to   = "env:X"
  }
  step "shell" "a" {
    run = "true"
    env = { A = jsonencode(%s) }
  }
}
`, randomExpr(r, 3))
		book, said := Parse("test.hcl", []byte(text), kinds)
		hides(t, word, said)
		if book == nil {
			continue
		}
		b, said := book.Bind(Input{Values: map[string]any{"hidden": secret.New(word)}})
		bound++
		if hides(t, word, said); b != nil {
			buildAll(t, b, word)
		}
	}
	if bound < 50 {
		t.Errorf("only %d of them mean anything", bound)
	}
}

func randomExpr(r *rand.Rand, depth int) string {
	leaves := []string{`"x"`, `""`, "1", "-2.5", "true", "null", "[]", "{}", "var.open", "var.list", "var.map", "var.hidden", "local.a",
		"var.list[0]", "var.map.a", `var.map["b"]`, "step.postgres_copy.c.rows", "step.postgres_copy.c.same", "var.list[*]"}
	if depth == 0 {
		return leaves[r.IntN(len(leaves))]
	}
	sub := func() string { return randomExpr(r, r.IntN(depth)) }
	switch r.IntN(12) {
	case 0:
		return "[" + sub() + ", " + sub() + "]"
	case 1:
		return "{ a = " + sub() + ", (" + sub() + ") = " + sub() + " }"
	case 2:
		return `"a${` + sub() + `}b%{ if ` + sub() + ` }c%{ endif }"`
	case 3:
		return "(" + sub() + " ? " + sub() + " : " + sub() + ")"
	case 4:
		ops := []string{"+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"}
		return "(" + sub() + " " + ops[r.IntN(len(ops))] + " " + sub() + ")"
	case 5:
		return "!" + sub()
	case 6:
		return sub() + "[" + sub() + "]"
	case 7:
		return "(" + sub() + ")[*].a"
	default:
		return randomCall(r, sub)
	}
}

func randomCall(r *rand.Rand, sub func() string) string {
	var names []string
	for name := range functions() {
		names = append(names, name)
	}
	// Ranging over a map is random in its own way: sort, to be repeatable.
	slices.Sort(names)
	args := make([]string, 1+r.IntN(3))
	for i := range args {
		args[i] = sub()
	}
	last := ""
	if r.IntN(8) == 0 {
		last = "..."
	}
	return names[r.IntN(len(names))] + "(" + strings.Join(args, ", ") + last + ")"
}
