package runbook

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

var update = flag.Bool("update", false, "rewrite the expected diagnostics")

// bindLine begins a file that is bound too: "# bind NAME=TEXT … drill=NAME runner=NAME".
const bindLine = "# bind"

// TestDiagnostics shows each file of testdata to Parse, and to Bind if it
// asks for it, and compares everything that is said with the .txt beside it.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	jsons, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	kinds := testKinds(t)
	for _, file := range append(files, jsons...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			book, said := Parse(filepath.Base(file), text, kinds)
			if first, _, _ := strings.Cut(string(text), "\n"); book != nil && strings.HasPrefix(first, bindLine) {
				_, said = book.Bind(bindInput(t, first))
			}
			var b bytes.Buffer
			if err := said.Write(&b, false); err != nil {
				t.Fatal(err)
			}
			golden(t, file+".txt", b.Bytes())
		})
	}
}

func bindInput(t *testing.T, line string) Input {
	t.Helper()
	in := Input{Values: map[string]any{}}
	for _, word := range strings.Fields(strings.TrimPrefix(line, bindLine)) {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case name == "drill":
			in.Drill = value
		case name == "runner":
			in.Runner = value
		case strings.HasPrefix(name, "secret:"):
			in.Values[strings.TrimPrefix(name, "secret:")] = secret.New(value)
		default:
			in.Values[name] = value
		}
	}
	return in
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("diagnostics differ (-want +got):\n%s", d)
	}
}

// hintOf is what an error advises.
func hintOf(err error) string { return strings.Join(fault.Hints(err), "\n") }
