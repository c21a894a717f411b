package main

import (
	"bytes"
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
	"github.com/evac-io/evac/internal/demo/wreck"
)

// demoRun is one small demo as a command, for all tests that look at it.
type demoRun struct {
	objects []map[string]any
	result  demo.Result
	stderr  string
}

// demoOnce and homeOnce run it at the first call.
var (
	demoOnce = sync.OnceValues(func() (demoRun, error) { return runDemo("") })
	homeOnce = sync.OnceValues(func() (demoRun, error) { return runDemo("--home") })
)

// runDemo runs it, has its journal verified, and cleans up.
func runDemo(flags string) (demoRun, error) {
	var run demoRun
	var out, log strings.Builder
	cmd := exec.Command("sh", "-c", `dir=$(mktemp -d) && cd "$dir" || exit 1
		trap 'rm -rf "$dir"' EXIT
		evac demo move --small --json `+flags+` && evac journal verify --home evac-demo-*/journal >&2 && head -n 3 evac-demo-*/report.md >&2`)
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
}

func smallDemo(t *testing.T, once func() (demoRun, error)) demoRun {
	t.Helper()
	run, err := once()
	if err != nil {
		t.Fatalf("evac demo move --small --json: %v\n%s", err, run.stderr)
	}
	return run
}

func TestDemo(t *testing.T) {
	t.Parallel()
	run := smallDemo(t, demoOnce)
	if r := run.result; r.Result != "done" || !r.Sound() || r.Rows == 0 || r.Orders.Acknowledged == 0 || r.WriteDowntimeSeconds <= 0 {
		t.Errorf("the demo came to %+v", r)
	}
	for _, want := range []string{"is whole", "# After-action report", "- Result: **done**"} {
		if !strings.Contains(run.stderr, want) {
			t.Errorf("the demo's journal and report lack %q:\n%s", want, run.stderr)
		}
	}
	onlyLastIsResult(t, run.objects)
}

func onlyLastIsResult(t *testing.T, objects []map[string]any) {
	t.Helper()
	for _, o := range objects[:len(objects)-1] {
		if o["type"] == "result" {
			t.Errorf("a result that is not the last object: %v", o)
		}
	}
}

// TestDemoGoesHome has customers order on a database that followed, takes them
// back to the old one, and wants every order on both.
func TestDemoGoesHome(t *testing.T) {
	t.Parallel()
	run := smallDemo(t, homeOnce)
	r := run.result
	if r.Result != "undone" || !r.Sound() || r.Rows == 0 || r.Orders.Acknowledged == 0 || r.OrdersOn != "source" {
		t.Errorf("the demo came to %+v", r)
	}
	if r.OrdersToo == nil || r.OrdersToo.Acknowledged != r.Orders.Acknowledged || r.Check.Tables == 0 {
		t.Errorf("the side that follows has %+v of %+v, rows compared %+v", r.OrdersToo, r.Orders, r.Check)
	}
	if r.Back == nil || r.Back.WriteDowntimeSeconds <= 0 || !r.Back.WriteOutage.From.After(r.WriteOutage.To) {
		t.Errorf("the way home took %+v, after %+v", r.Back, r.WriteOutage)
	}
	var proved []string
	for _, p := range r.Proved {
		proved = append(proved, p.Step)
	}
	want := []string{"postgres_verify.following", "postgres_freeze.old", "postgres_switch.shop", "postgres_verify.home"}
	if diff := cmp.Diff(want, proved); diff != "" {
		t.Errorf("proved (-want +got):\n%s", diff)
	}
	for _, want := range []string{"is whole", "# After-action report", "- Result: **undone**"} {
		if !strings.Contains(run.stderr, want) {
			t.Errorf("the demo's journal and report lack %q:\n%s", want, run.stderr)
		}
	}
	onlyLastIsResult(t, run.objects)
}

// TestREADMEDemo holds what the README shows of a demo against a real one: the
// same lines with other figures.
func TestREADMEDemo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("## What the demo shows"))
	blocks := strings.Split(string(text), "```text\n")
	for i, once := range []func() (demoRun, error){demoOnce, homeOnce} {
		shown, _, _ := strings.Cut(blocks[i+1], "```")
		var real strings.Builder
		if err := demo.Print(&real, smallDemo(t, once).result); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(figureless(shown), figureless(real.String())); diff != "" {
			t.Errorf("the README shows another demo than there is (-README +real):\n%s", diff)
		}
	}
}

// salvageOnce runs the demo of the salvage as a command.
var salvageOnce = sync.OnceValues(func() (run demoRun, err error) {
	var out, log strings.Builder
	cmd := exec.Command("sh", "-c", `dir=$(mktemp -d) && cd "$dir" || exit 1
		trap 'rm -rf "$dir"' EXIT
		evac demo salvage --json && test -s evac-demo-*/rows/report.html`)
	cmd.Stdout, cmd.Stderr = &out, &log
	err = cmd.Run()
	run.stderr = log.String()
	if err == nil {
		run.objects, err = objects(out.String())
	}
	return run, err
})

// TestDemoSalvage holds the figures, and what the README shows, against a real
// salvage of the stores that come with the program.
func TestDemoSalvage(t *testing.T) {
	t.Parallel()
	run := smallDemo(t, salvageOnce)
	last := run.objects[len(run.objects)-1]
	for field, want := range map[string]any{"result": "done", "complete": true, "missing": 0.0, "different": 0.0, "extra": 0.0, "rows": 9836.0, "tables": 26.0} {
		if last[field] != want {
			t.Errorf("%s is %v, want %v", field, last[field], want)
		}
	}
	if last["damaged_places"].(float64) == 0 || last["seconds"].(float64) > 60 {
		t.Errorf("the demo came to %v", last)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(text), "`evac demo salvage` shows")
	_, shown, _ = strings.Cut(shown, "```text\n")
	shown, _, _ = strings.Cut(shown, "```")
	var sentence strings.Builder
	result, err := json.Marshal(last)
	if err != nil {
		t.Fatal(err)
	}
	var r wreck.Result
	if err := json.Unmarshal(result, &r); err != nil {
		t.Fatal(err)
	}
	if err := wreck.Print(&sentence, r); err != nil {
		t.Fatal(err)
	}
	const from = "PostgreSQL\n" // where figureless begins
	if diff := cmp.Diff(figureless(from+shown), figureless(from+run.stderr+sentence.String())); diff != "" {
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

var figure = regexp.MustCompile(`HAProxy [0-9][^:]*|(no )?transactions? ended .*|/\S+|\d+([.,:]\d+)*`)
