package report

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/night"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMarkdown(t *testing.T) {
	alone := night.NewBook().Do(journal.RunCreated, "", journal.RunBody{Runbook: "shell <b>*evil*</b>", Mode: journal.Alone, Runner: "kim", Version: "0.1.0",
		Stages: []string{"alone"}, Nodes: []journal.NodeBody{{ID: "shell.x", Class: journal.ClassStep, Stage: "alone", Kind: "shell"}}})
	for name, tt := range map[string]struct {
		night *night.Book
		extra Extra
	}{
		"done":       {night.Done(), traffic()},
		"turnedback": {night.TurnedBack(), Extra{}},
		"holding":    {night.Holding(), Extra{}},
		"alone":      {alone, Extra{}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.extra.Zone = time.FixedZone("KST", 9*3600)
			got, err := Markdown(tt.night.Events, tt.extra)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".md", got)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// traffic is what users saw of the good night: orders fail for three seconds,
// looks for one.
func traffic() Extra {
	closed := night.Begin().Add(6 * time.Second)
	e := Extra{
		Orders:  &Orders{Acknowledged: 180_412, On: "target"},
		Outages: []Outage{{Kind: Write, From: closed, To: closed.Add(3200 * time.Millisecond)}},
		Tables:  []Table{{Title: "Versions", Header: []string{"Side", ">PostgreSQL"}, Rows: [][]string{{"source", "16.4"}, {"target|new", "18.0"}}}},
	}
	for i := range 10 {
		at := night.Begin().Add(time.Duration(i) * time.Second)
		writes, reads := Second{At: at, Kind: Write, Requests: 210}, Second{At: at, Kind: Read, Requests: 800}
		if i >= 6 && i < 9 {
			writes.Failed = 210
		}
		if i == 8 {
			reads.Failed = 12
		}
		e.Seconds = append(e.Seconds, writes, reads)
	}
	return e
}

func TestManySeconds(t *testing.T) {
	e := Extra{Zone: time.UTC}
	for i := range 1000 {
		e.Seconds = append(e.Seconds, Second{At: night.Begin().Add(time.Duration(i) * time.Second), Kind: Write})
	}
	got, err := Markdown(night.Closed().Events, e)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "\nand 700 seconds more.\n") {
		t.Error("the list of seconds is not cut")
	}
}

func TestReadExtra(t *testing.T) {
	path := filepath.Join(t.TempDir(), "extra.json")
	if extra, err := ReadExtra(path); err != nil || extra.Orders != nil {
		t.Errorf("a file that is not there gives %+v, %v", extra, err)
	}
	if err := os.WriteFile(path, []byte(`{"orders": {"acknowledged": 7}, "seconds": [{"at": "2025-03-09T01:00:00Z", "kind": "read", "requests": 3}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	extra, err := ReadExtra(path)
	want := Extra{Orders: &Orders{Acknowledged: 7}, Seconds: []Second{{At: night.Begin(), Kind: Read, Requests: 3}}}
	if diff := cmp.Diff(want, extra); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := os.WriteFile(path, []byte(`{`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadExtra(path); err == nil {
		t.Error("half a file is read without an error")
	}
}

// A journal that cannot be folded gives no report.
func TestUnreadable(t *testing.T) {
	events := night.Closed().Events
	events[2].Step = "elsewhere"
	if _, err := Markdown(events, Extra{}); err == nil {
		t.Error("a stage that is not in the runbook is reported")
	}
}
