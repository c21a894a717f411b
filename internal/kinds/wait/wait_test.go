package wait

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

func TestMoment(t *testing.T) {
	seoul := time.FixedZone("KST", 9*3600)
	at := func(text string) time.Time {
		m, err := time.ParseInLocation("2006-01-02 15:04", text, seoul)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	tests := []struct{ now, text, want string }{
		{"2026-11-20 23:00", "02:00", "2026-11-21 02:00"},
		{"2026-11-21 02:03", "02:00", "2026-11-21 02:00"},
		{"2026-11-21 01:30", "23:00", "2026-11-20 23:00"},
		{"2026-11-21 10:00", "18:30", "2026-11-21 18:30"},
		{"2026-11-21 10:00", "2026-11-23T02:00:00+09:00", "2026-11-23 02:00"},
	}
	for _, test := range tests {
		got, err := moment(test.text, at(test.now))
		if err != nil || !got.Equal(at(test.want)) {
			t.Errorf("%s seen at %s: %s, %v, want %s", test.text, test.now, got, err, test.want)
		}
	}
	for _, bad := range []string{"", "2", "25:00", "02:60", "tomorrow"} {
		if got, err := moment(bad, at("2026-11-21 10:00")); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %s, %v, want invalid", bad, got, err)
		}
	}
}

func TestCheckWantsOneOfTwo(t *testing.T) {
	for _, w := range []Wait{{}, {For: time.Second, Until: "02:00"}, {Until: "nonsense"}} {
		if _, err := w.Check(t.Context(), testenv.Env(t)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v, want invalid", w, err)
		}
	}
}

func TestResumeDoesNotStartOver(t *testing.T) {
	env := testenv.Env(t)
	w := &Wait{For: 400 * time.Millisecond}
	began := time.Now()
	plan, err := w.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	if _, err := w.Run(ctx, env, plan); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the deadline", err)
	}
	if _, err := w.Run(t.Context(), env, plan); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 400*time.Millisecond || took > 640*time.Millisecond {
		t.Errorf("took %s, want 400 ms in all", took)
	}
}

func TestPassedTimeIsNotWaitedFor(t *testing.T) {
	env := testenv.Env(t)
	w := &Wait{Until: time.Now().Add(-time.Hour).Format(time.RFC3339)}
	plan, err := w.Check(t.Context(), env)
	if err != nil || len(plan.Warnings) != 1 {
		t.Errorf("%+v, %v, want a warning", plan, err)
	}
	if _, err := w.Run(t.Context(), env, plan); err != nil {
		t.Error(err)
	}
}

func TestDrillDoesNotWaitForATime(t *testing.T) {
	env := testenv.Env(t)
	env.Drill = true
	w := &Wait{Until: time.Now().Add(5 * time.Hour).Format(time.RFC3339)}
	plan, err := w.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(t.Context(), env, plan); err != nil {
		t.Error(err)
	}
}

func TestVerifyReadsTheClock(t *testing.T) {
	ahead := time.Now().Add(time.Hour).Format(time.RFC3339)
	if err := (&Wait{}).Verify(t.Context(), testenv.Env(t), step.Done{Output: []byte(`{"until":"` + ahead + `"}`)}); err == nil {
		t.Error("verify held an hour too early")
	}
}
