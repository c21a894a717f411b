package torture

import (
	"context"
	"encoding/json"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/report"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/view"
)

// clockNight has no child processes: all of it runs on the test's own clock.
const clockNight = `
runbook "clock" {
  title = "The clock goes back"
  window {
    length = "10m"
    opens  = stage.close
    closes = stage.open
  }
}

variable "port" {}

stage "close" {
  step "wait" "a" {
    for = "5ms"
  }
  step "page_publish" "down" {
    to    = "page"
    after = [step.wait.a]
  }
}

stage "open" {
  step "probe_tcp" "up" {
    address = "127.0.0.1:${var.port}"
    retry {
      attempts = 5
      wait     = "20ms"
    }
  }
  step "wait" "b" {
    for   = "5ms"
    after = [step.probe_tcp.up]
  }
}
`

// clock is a clock that can be put back.
type clock struct{ behind atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Now().Round(0).Add(-time.Duration(c.behind.Load())) // without the monotonic part, as after a resume
}

func (c *clock) back(by time.Duration) { c.behind.Add(int64(by)) }

// TestHardClockGoesBack puts the clock back by an hour again and again, and
// forward once: the run goes on without waiting for it, no time in the journal
// goes back, nothing takes less than no time, and the journal says why.
func TestHardClockGoesBack(t *testing.T) {
	t.Parallel()
	c := &clock{}
	j, err := journal.Open(t.Context(), t.TempDir(), journal.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	port := closedPort(t)
	program := clockProgram(t, port)
	checked, err := conduct.Check(t.Context(), program, 4)
	if err != nil {
		t.Fatal(err)
	}
	seen := &witness{t: t, clock: c, port: port, state: &journal.State{}}
	o := conduct.Options{Journal: j, Runner: "noh", Parallel: 4, Now: c.now, OnEvent: seen.event}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run, err := conduct.Start(ctx, o, program, checked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Request(ctx, run, journal.NewEvent(journal.AskUndo, "noh", "", 0, journal.UndoBody{})); err != nil {
		t.Fatal(err)
	}
	c.back(time.Hour)
	if err := conduct.Resume(ctx, o, program, run, false); err != nil {
		t.Fatal(err)
	}
	events, err := j.Events(ctx, run, 0)
	if err != nil {
		t.Fatal(err)
	}
	checkTimes(t, events)
	if _, err := j.Verify(ctx, run, ""); err != nil {
		t.Error(err)
	}
}

func clockProgram(t *testing.T, port string) *conduct.Program {
	t.Helper()
	registry, err := kinds.Registry()
	if err != nil {
		t.Fatal(err)
	}
	book, diags := runbook.Parse("night.hcl", []byte(clockNight), registry)
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	bound, diags := book.Bind(runbook.Input{Values: map[string]any{"port": port}, Runner: "noh"})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return conduct.FromRunbook(bound, t.TempDir(), "night.hcl", registry)
}

// closedPort is a port that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil || l.Close() != nil {
		t.Fatal("cannot get a port", err)
	}
	return port
}

// witness sees every event, puts the clock back now and then, and looks at
// the run as people do, by the clock as it is.
type witness struct {
	t     *testing.T
	clock *clock
	port  string
	state *journal.State
}

func (w *witness) event(e journal.Event) {
	if err := w.state.Apply(e); err != nil {
		w.t.Error(err)
	}
	switch e.Type {
	case journal.StepIntent, journal.StepVerified:
		w.clock.back(time.Hour)
	case journal.StageDone:
		w.clock.back(-30 * time.Minute)
	case journal.StepFailed:
		w.clock.back(time.Hour)
		l, err := net.Listen("tcp", "127.0.0.1:"+w.port)
		if err != nil {
			w.t.Error(err)
			return
		}
		w.t.Cleanup(func() { _ = l.Close() })
	}
	shot, err := json.Marshal(view.Take(view.Moment{State: w.state, Now: w.clock.now()}))
	if err != nil {
		w.t.Error(err)
	}
	if found := negative.FindString(string(shot)); found != "" {
		w.t.Errorf("after %s the status says %s\n%s", e.Type, found, shot)
	}
}

// negative is a negative number in JSON or a negative time in a report.
var negative = regexp.MustCompile(`"\w+":-\d[^,}]*|[^\w-]-\d+(\.\d+)? ?(ms|s|m|h)\b`)

// checkTimes looks at the journal's times and at the report of them.
func checkTimes(t *testing.T, events []journal.Event) {
	t.Helper()
	notes := 0
	var last time.Time
	for _, e := range events {
		if e.At.Before(last) {
			t.Errorf("event %d (%s) is at %s, after %s", e.Seq, e.Type, e.At, last)
		}
		last = e.At
		if found := negative.FindString(string(e.Body)); found != "" {
			t.Errorf("event %d (%s) says %s", e.Seq, e.Type, found)
		}
		if e.Type == journal.RunNote && strings.Contains(string(e.Body), "the clock went back by 1h0m0s") {
			notes++
		}
	}
	if notes == 0 {
		t.Error("no note says that the clock went back")
	}
	text, err := report.Markdown(events, report.Extra{})
	if err != nil {
		t.Fatal(err)
	}
	if found := negative.FindString(text); found != "" {
		t.Errorf("the report says %s:\n%s", found, text)
	}
	if !strings.Contains(text, "the clock went back") {
		t.Errorf("the report does not say that the clock went back:\n%s", text)
	}
}
