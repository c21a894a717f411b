package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/demo"
)

// demoRun is one small demo as a command, for all tests that look at it.
type demoRun struct {
	objects []map[string]any
	result  demo.Result
	stderr  string
}

// demoOnce runs it at the first call, has its journal verified, and cleans up.
var demoOnce = sync.OnceValues(func() (demoRun, error) {
	var run demoRun
	var out, log strings.Builder
	cmd := exec.Command("sh", "-c", `dir=$(mktemp -d) && cd "$dir" || exit 1
		trap 'rm -rf "$dir"' EXIT
		evac demo move --small --json && evac journal verify --home evac-demo-*/journal >&2 && head -n 3 evac-demo-*/report.md >&2`)
	cmd.Stdout, cmd.Stderr = &out, &log
	err := cmd.Run()
	run.stderr = log.String()
	if err != nil {
		return run, err
	}
	if run.objects, err = objects(out.String()); err != nil {
		return run, err
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return run, json.Unmarshal([]byte(lines[len(lines)-1]), &run.result)
})

func smallDemo(t *testing.T) demoRun {
	t.Helper()
	run, err := demoOnce()
	if err != nil {
		t.Fatalf("evac demo move --small --json: %v\n%s", err, run.stderr)
	}
	return run
}

func TestDemo(t *testing.T) {
	t.Parallel()
	run := smallDemo(t)
	if r := run.result; r.Result != "done" || !r.Sound() || r.Rows == 0 || r.Orders.Acknowledged == 0 || r.WriteDowntimeSeconds <= 0 {
		t.Errorf("the demo came to %+v", r)
	}
	for _, want := range []string{"is whole", "# After-action report", "- Result: **done**"} {
		if !strings.Contains(run.stderr, want) {
			t.Errorf("the demo's journal and report lack %q:\n%s", want, run.stderr)
		}
	}
	for _, o := range run.objects[:len(run.objects)-1] {
		if o["type"] == "result" {
			t.Errorf("a result that is not the last object: %v", o)
		}
	}
}

// TestREADMEDemo holds what the README shows of a demo against a real one: the
// same lines with other figures.
func TestREADMEDemo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(text), "```text\n")
	shown, _, _ = strings.Cut(shown, "```")
	var real strings.Builder
	if err := demo.Print(&real, smallDemo(t).result); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(figureless(shown), figureless(real.String())); diff != "" {
		t.Errorf("the README shows another demo than there is (-README +real):\n%s", diff)
	}
}

// figureless are the lines of the figures, from the one about the servers on,
// without figures and paths.
func figureless(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for len(lines) > 0 && !strings.HasPrefix(lines[0], "PostgreSQL") {
		lines = lines[1:]
	}
	for i, line := range lines {
		lines[i] = figure.ReplaceAllString(line, "N")
	}
	return lines
}

var figure = regexp.MustCompile(`HAProxy [0-9][^:]*|/\S+|\d+([.,:]\d+)*`)
