package runbook

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/runbook/syntax"
	"github.com/evac-io/evac/internal/secret"
)

// seed gives a fuzzer every runbook of these tests, wrong or right.
func seed(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/*.hcl", "testdata/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	for _, text := range []string{several, hiding, rehearsed} {
		f.Add([]byte(text))
	}
	f.Add(jsonOf(f, several))
	f.Add(jsonOf(f, rehearsed))
	f.Add([]byte("locals {\n  a = \"${1 + -2 * (3 - !true ? 4 : a[0].b[*].c.*.d)}%{ if true }x%{ else }y%{ endif ~}\"\n}\n"))
	f.Add([]byte("locals {\n  a = <<-E\n    x ${upper(\"y\")} $${z}\n  E\n}\n"))
}

// FuzzParse: no text makes Parse panic or stall, what it says can be shown, and
// it says either something or gives a runbook.
func FuzzParse(f *testing.F) {
	seed(f)
	kinds := testKinds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		book, said := Parse("fuzz.hcl", text, kinds)
		if (book == nil) != said.HasErrors() {
			t.Fatalf("runbook %v, said %v", book, said.Err())
		}
		var b bytes.Buffer
		if err := said.Write(&b, true); err != nil {
			t.Fatal(err)
		}
		if _, err := said.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzFormat: a layout is stable and changes nothing that counts.
func FuzzFormat(f *testing.F) {
	seed(f)
	kinds := testKinds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		out, said := Format("fuzz.hcl", text)
		if said.HasErrors() {
			if !bytes.Equal(out, text) {
				t.Fatal("a text that does not parse is changed")
			}
			return
		}
		again, said := Format("fuzz.hcl", out)
		if said.HasErrors() || !bytes.Equal(out, again) {
			t.Fatalf("formatted twice: %v\n%q\n%q", said.Err(), out, again)
		}
		before, _ := Parse("fuzz.hcl", text, kinds)
		after, said := Parse("fuzz.hcl", out, kinds)
		if before == nil {
			return
		}
		if after == nil {
			t.Fatalf("formatting breaks it: %v", said.Err())
		}
		for id, n := range before.nodes {
			if after.nodes[id] == nil || after.nodes[id].def != n.def {
				t.Fatalf("formatting makes another step of %s:\n%s\n%s", id, text, out)
			}
		}
	})
}

// FuzzBind: what parses can be bound live and in each drill, built and shown,
// and no secret gets out.
func FuzzBind(f *testing.F) {
	seed(f)
	kinds := testKinds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		const word = "sw0rdf1sh!?"
		book, _ := Parse("fuzz.hcl", text, kinds)
		if book == nil || bytes.Contains(text, []byte("@")) {
			return // "@FILE" would read files of this machine
		}
		for _, drill := range append([]*Drill{{}}, book.Drills...) {
			in := Input{Drill: drill.Name, Runner: "kim", Values: map[string]any{}}
			for _, v := range book.Variables {
				if in.Values[v.Name] = "a"; v.Secret {
					in.Values[v.Name] = secret.New(word)
				}
			}
			b, said := book.Bind(in)
			if (b == nil) != said.HasErrors() {
				t.Fatalf("bound %v, said %v", b, said.Err())
			}
			hides(t, word, said)
			if b != nil {
				buildAll(t, b, word)
			}
		}
	})
}

func hides(t *testing.T, word string, said Diagnostics) {
	t.Helper()
	if err := said.Err(); err != nil && strings.Contains(err.Error(), word) {
		t.Fatalf("a secret gets out:\n%v", err)
	}
}

func buildAll(t *testing.T, b *Bound, word string) {
	t.Helper()
	for _, n := range b.Nodes {
		for _, out := range []Outputs{noOutputs, doneWith(map[string]string{"shell.first": `{"stdout":"x"}`})} {
			_, _, said := b.When(n, out)
			hides(t, word, said)
			_, _, said = b.Step(n, out)
			hides(t, word, said)
			shown, said := b.Fields(n, out)
			hides(t, word, said)
			for name, value := range shown {
				if text, ok := value.(string); ok && strings.Contains(text, word) {
					t.Fatalf("field %s of %s shows a secret", name, n.ID)
				}
			}
		}
	}
}

// TestCanonicalIgnoresLayout ties the two halves of the format together.
func TestCanonicalIgnoresLayout(t *testing.T) {
	a, b := syntax.Canonical([]byte("a=1 # x\n\n\nb = \"c\"\n")), syntax.Canonical([]byte("a   =   1\nb=\"c\""))
	if !bytes.Equal(a, b) {
		t.Errorf("%q and %q", a, b)
	}
}
