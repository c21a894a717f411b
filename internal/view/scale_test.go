package view

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/night"
)

// A run of 10,000 steps is followed and drawn without holding its conductor
// up: the bound is far above what it takes, and far below a second a picture.
func TestManySteps(t *testing.T) {
	const steps = 10_000
	b, body := night.NewBook(), night.Body()
	body.Nodes = nil
	for i := range steps {
		body.Nodes = append(body.Nodes, journal.NodeBody{ID: fmt.Sprintf("wait.n%d", i), Class: journal.ClassStep, Stage: "close", Kind: "wait", ExpectMS: 1})
	}
	b.Do(journal.RunCreated, "", body).Do(journal.StageStarted, "close", nil)
	for _, n := range body.Nodes[:steps/2] {
		b.Begin(n.ID, 1)
	}
	var out bytes.Buffer
	v := New(Options{Out: &out, Err: &out, Zone: time.UTC, Now: b.Now})
	began := time.Now()
	for _, e := range b.Events {
		v.Event(e)
	}
	followed := time.Since(began)
	const pictures = 10
	began = time.Now()
	for range pictures {
		v.Snapshot()
	}
	drawn := time.Since(began) / pictures
	t.Logf("%d events followed in %s, a snapshot in %s", len(b.Events), followed, drawn)
	if followed > 2*time.Second || drawn > 500*time.Millisecond {
		t.Errorf("%d events took %s, a snapshot %s", len(b.Events), followed, drawn)
	}
}
