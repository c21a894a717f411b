package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/evac-io/evac/internal/demo"
)

// demoRun is one small demo as a command, for all tests that look at it.
type demoRun struct {
	objects []map[string]any
	result  demo.Result
	stderr  string
}

// demoOnce runs it at the first call. It belongs to no test, so its directory
// does not either.
var demoOnce = sync.OnceValues(func() (demoRun, error) {
	var run demoRun
	var out, log strings.Builder
	cmd := exec.Command("sh", "-c", `dir=$(mktemp -d) && cd "$dir" && evac demo move --small --json`)
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
	r := newReader(t)
	home := filepath.Join(filepath.Dir(run.result.Report), "journal")
	said := r.enter(t, "evac journal verify --home '"+home+"'")
	if !strings.Contains(said, "is whole") {
		t.Errorf("the demo's journal: %s", said)
	}
	for _, o := range run.objects[:len(run.objects)-1] {
		if o["type"] == "result" {
			t.Errorf("a result that is not the last object: %v", o)
		}
	}
}
