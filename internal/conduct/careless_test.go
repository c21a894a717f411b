package conduct

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/secret"
)

// TestSecretsOfCarelessKinds: what a kind says in an error, a hint or a panic
// reaches neither the journal nor the caller.
func TestSecretsOfCarelessKinds(t *testing.T) {
	const hidden = "hunter2 and more"
	for _, verb := range []string{"check", "run", "verify", "undo"} {
		for _, how := range []string{"error", "panic"} {
			t.Run(verb+" "+how, func(t *testing.T) {
				b := newBench(t, spec{stage: "one", name: "a"})
				b.secrets.Add(hidden)
				fail := fmt.Errorf("connect with %q", hidden)
				switch how {
				case "error":
					b.w.fail[verb+" a"] = fault.Wrap(fault.Denied, "", fail, "try "+hidden)
				case "panic":
					b.w.hook[verb+" a"] = func(context.Context) { panic(fail) }
				}
				j, run, err := b.start(nil)
				if run != "" && verb == "undo" {
					b.ask(j, run, journal.AskUndo, "kim", "", journal.UndoBody{})
					err = Resume(t.Context(), b.options(j), b.program(), run, false)
				}
				said := fmt.Sprint(err, fault.Hints(err))
				if err == nil || strings.Contains(said, "hunter2") || !strings.Contains(said, secret.Redacted) {
					t.Errorf("the caller is told %s", said)
				}
				if run == "" {
					return
				}
				var all bytes.Buffer
				if err := errors.Join(j.Export(t.Context(), run, &all)); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(all.String(), "hunter2") || !strings.Contains(all.String(), secret.Redacted) {
					t.Errorf("the journal says %s", all.String())
				}
			})
		}
	}
}
