package journal_test

import (
	"testing"
	"time"

	"github.com/evac-io/evac/internal/journal"
)

// TestBigRun appends a big run in the batches of a conductor with 64
// parallel steps and reads it back. The bounds are loose; what it takes is
// logged.
func TestBigRun(t *testing.T) {
	const steps, parallel = bigRun, 64
	j := open(t, home(t), journal.Options{})
	run, l := begin(t, j, steps)
	start := time.Now()
	for first := 0; first < steps; first += parallel {
		for phase := range 3 {
			var batch []journal.Event
			for i := first; i < min(first+parallel, steps); i++ {
				batch = append(batch, stepEvents(i)[phase])
			}
			add(t, l, batch...)
		}
	}
	written := time.Since(start)
	start = time.Now()
	s, err := j.Load(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	loaded := time.Since(start)
	start = time.Now()
	report, err := j.Verify(t.Context(), run, s.Head)
	if err != nil {
		t.Fatal(err)
	}
	verified := time.Since(start)
	start = time.Now()
	if _, err := j.Practice(t.Context(), "move"); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events: written in %s, loaded in %s, verified in %s, practice in %s", report.Events, written, loaded, verified, time.Since(start))
	if s.Seq != 3*steps+2 || s.Nodes[steps-1].Phase != journal.Done {
		t.Errorf("the run ends with event %d and step %s", s.Seq, s.Nodes[steps-1].Phase)
	}
	if written > 10*time.Second || loaded > 2*time.Second {
		t.Errorf("written in %s, loaded in %s", written, loaded)
	}
}
