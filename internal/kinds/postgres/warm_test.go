package postgres

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// A warming whose time is up has not read enough, which verify says with its
// own exit code; retried, it reads on.
func TestWarmIsNotWarmEnough(t *testing.T) {
	w := &Warm{
		Database: testenv.Database(t, testenv.Postgres(t, testenv.Older)), Jobs: 2, WarmEnough: 90, MaxLatency: 100, Physical: "auto",
		Until: time.Now().Add(-time.Minute).Format(time.RFC3339),
	}
	execute(t, w.Database, `create table t as select i, repeat('x', 500) v from generate_series(1, 1000) i`)
	env := testenv.Env(t)
	plan, err := w.Check(t.Context(), env)
	if err != nil || !strings.Contains(strings.Join(plan.Warnings, "; "), "has passed") {
		t.Fatalf("%v, %v", plan.Warnings, err)
	}
	run := func() (WarmOutput, error) {
		out, err := w.Run(t.Context(), env, plan)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return out.(WarmOutput), w.Verify(t.Context(), env, step.Done{Plan: plan, Output: text})
	}
	if out, err := run(); out.PercentHot != 0 || out.Complete || fault.Code(err) != 3 {
		t.Errorf("out of time: %+v, %v with exit code %d", out, err, fault.Code(err))
	}
	if out, err := run(); out.PercentHot != 100 || !out.Complete || err != nil {
		t.Errorf("retried: %+v, %v", out, err)
	}
	w.MaxLatency = 1e-6
	if _, err := run(); fault.Code(err) != 3 || !strings.Contains(err.Error(), "times a warm one") {
		t.Errorf("too slow: %v", err)
	}
}

func TestWarmRefusesFields(t *testing.T) {
	for _, w := range []*Warm{
		{Jobs: 0, WarmEnough: 90}, {Jobs: 1, WarmEnough: 101}, {Jobs: 1, MaxRate: -1}, {Jobs: 1, MaxLatency: -1}, {Jobs: 1, Until: "soon"},
	} {
		w.Database = secret.NewDSN("postgres://nobody@127.0.0.1:1/nowhere")
		if _, err := w.Check(t.Context(), testenv.Env(t)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestWarmUntil(t *testing.T) {
	now := time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"90m":                  now.Add(90 * time.Minute),
		"08:50":                time.Date(2026, 11, 22, 8, 50, 0, 0, time.UTC),
		"22:59":                now.Add(-time.Minute),
		"2026-11-22T08:50:00Z": time.Date(2026, 11, 22, 8, 50, 0, 0, time.UTC),
	} {
		if got, err := (&Warm{Until: text}).until(now); !got.Equal(want) || err != nil {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
}
