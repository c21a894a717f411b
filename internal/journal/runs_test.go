package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

func TestNewRun(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 30, 45, 0, time.Local)
	j := open(t, home(t), journal.Options{Now: func() time.Time { return noon }})
	for _, c := range [][2]string{
		{"tokyo-to-seoul", "tokyo-to-seoul-20260102-123045"}, {"tokyo-to-seoul", "tokyo-to-seoul-20260102-123045-2"}, {"tokyo-to-seoul", "tokyo-to-seoul-20260102-123045-3"},
		{"../../etc/passwd", "etc-passwd-20260102-123045"}, {"이사 날", "이사-날-20260102-123045"}, {"$(rm -rf /)", "rm--rf-20260102-123045"}, {"", "run-20260102-123045"}, {"\xff\x00", "run-20260102-123045-2"},
	} {
		got, err := j.NewRun(t.Context(), c[0], journal.Live)
		if err != nil || got != c[1] {
			t.Errorf("a run of %q is %q, want %q (%v)", c[0], got, c[1], err)
		}
		if info, err := os.Stat(j.RunDir(got)); err != nil || !info.IsDir() {
			t.Errorf("it has no directory: %v", err)
		}
	}
	long, err := j.NewRun(t.Context(), strings.Repeat("가", 500), journal.Live)
	if err != nil || len(long) > 200 {
		t.Errorf("a long name gives %q (%v)", long, err)
	}
	if runs, err := j.Runs(t.Context()); err != nil || len(runs) != 0 {
		t.Errorf("runs that have not begun are listed: %v, %v", runs, err)
	}
}

func TestRuns(t *testing.T) {
	j := open(t, home(t), journal.Options{})
	_, err := j.Newest(t.Context(), false)
	refused(t, err, fault.Invalid, "no run", "evac run")
	if !errors.Is(err, journal.ErrNoRun) {
		t.Errorf("no run: %v", err)
	}
	done, l := begin(t, j, 1)
	end := add(t, l, journal.NewEvent(journal.RunDone, "evac", "", 0, journal.EndBody{Result: journal.ResultDone}))[0]
	going, _ := begin(t, j, 1)
	other := beginDrill(t, j, "other")

	runs, err := j.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	if diff := cmp.Diff([]string{other, going, done}, ids); diff != "" {
		t.Errorf("runs: want -, got +:\n%s", diff)
	}
	if r := runs[2]; r.Result != journal.ResultDone || !r.Ended.Equal(end.At) || r.Head != end.Hash || r.Seq != end.Seq || r.Holder != nil || r.Created.IsZero() {
		t.Errorf("the run that is done shows as %+v", r)
	}
	if r := runs[1]; r.Result != "" || r.Runbook != "move" || r.Mode != journal.Live || r.Holder == nil || r.Holder.Runner != "kim" || r.Holder.PID != os.Getpid() {
		t.Errorf("the run that goes on shows as %+v", r)
	}
	newest := func(runbook string, unfinished bool, want string) {
		t.Helper()
		got, err := j.NewestOf(t.Context(), runbook, unfinished)
		if got != want || (want == "") != errors.Is(err, journal.ErrNoRun) {
			t.Errorf("newest of %q is %q, want %q (%v)", runbook, got, want, err)
		}
	}
	newest("move", false, going)
	newest("other", true, other)
	newest("none", false, "")
	if got, err := j.Newest(t.Context(), true); got != other || err != nil {
		t.Errorf("newest is %q, want %q (%v)", got, other, err)
	}
	// A run that was done and is undone is open again, until that is done.
	add(t, l, journal.NewEvent(journal.UndoStarted, "kim", "", 0, journal.UndoBody{}))
	if runs, err = j.Runs(t.Context()); err != nil || runs[2].Result != "" || !runs[2].Ended.IsZero() {
		t.Errorf("the run that is undone shows as %+v (%v)", runs[2], err)
	}
	if _, err := j.Verify(t.Context(), done, ""); err != nil {
		t.Error(err)
	}
	_, err = j.Load(t.Context(), "none")
	refused(t, err, fault.Invalid, `no run "none" in the journal`, "evac runs")
	_, err = j.Verify(t.Context(), "none", "")
	refused(t, err, fault.Invalid, `no run "none" in the journal`, "evac runs")
	refused(t, j.Export(t.Context(), "none", os.Stderr), fault.Invalid, `no run "none" in the journal`, "evac runs")
}

func beginDrill(t *testing.T, j *journal.Journal, name string) string {
	t.Helper()
	run, err := j.NewRun(t.Context(), name, journal.Drill)
	if err != nil {
		t.Fatal(err)
	}
	body := runBody(2)
	body.Runbook, body.Mode = name, journal.Drill
	add(t, take(t, j, run), journal.NewEvent(journal.RunCreated, "kim", "", 0, body))
	return run
}

func TestPractice(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	j := open(t, home(t), journal.Options{Now: func() time.Time { return now }})
	at := now
	run, l := begin(t, j, 3)
	beginDrill(t, j, "other")
	events := stepEvents(0)
	add(t, l, journal.NewEvent(journal.StageStarted, "evac", "move", 0, nil))
	add(t, l, events[0], journal.NewEvent(journal.StepFailed, "evac", nodeID(0), 1, journal.FailBody{Phase: "run", Error: "x"}), events[0], events[1], events[2])
	add(t, l, stepEvents(1)[0], stepEvents(1)[1])
	now = now.Add(90 * time.Second)
	add(t, l, journal.NewEvent(journal.StageDone, "evac", "open", 0, nil))

	history, err := j.Practice(t.Context(), "move")
	if err != nil {
		t.Fatal(err)
	}
	work := step.Work{Unit: "rows", Total: 7}
	want := []journal.Rehearsal{{Run: run, Mode: journal.Live, At: at, WindowMS: 90_000, Nodes: []journal.Rehearsed{
		{ID: nodeID(0), Class: journal.ClassStep, Def: "def-0", Done: true, RunMS: 3, VerifyMS: 1, Work: work, Failed: 1},
		{ID: nodeID(1), Class: journal.ClassStep, Def: "def-1", RunMS: 3, Work: work},
	}}}
	if diff := cmp.Diff(want, history); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestWait: a request of another process wakes who waits for it; a context
// that ends does too.
func TestWait(t *testing.T) {
	dir := home(t)
	j := open(t, dir, journal.Options{})
	run, l := begin(t, j, 1)
	seq := add(t, l, stepEvents(0)[0])[0].Seq
	if err := j.Wait(t.Context(), run, seq-1); err != nil {
		t.Error(err)
	}
	cmd, _ := startChild(t, "request", dir, run, "1")
	if err := j.Wait(within(t, 20*time.Second), run, seq); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	events, err := j.Events(t.Context(), run, seq)
	if err != nil || len(events) != 1 || events[0].Type != journal.AskNote || events[0].Actor != "lee" {
		t.Errorf("events %+v, %v", events, err)
	}
	ctx := within(t, time.Millisecond)
	if err := j.Wait(ctx, run, seq+1); !errors.Is(err, ctx.Err()) {
		t.Errorf("wait ended with %v", err)
	}
}

func TestProgress(t *testing.T) {
	dir := home(t)
	j := open(t, dir, journal.Options{})
	at := time.Date(2026, 1, 2, 12, 0, 0, 5, time.UTC)
	reader := open(t, dir, journal.Options{})
	shows := func(j *journal.Journal, want map[string]journal.ProgressRow) {
		t.Helper()
		got, err := j.Progress(t.Context(), "r")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	}
	set := func(j *journal.Journal, run, step string, p journal.ProgressRow) {
		t.Helper()
		if err := j.SetProgress(t.Context(), run, step, p); err != nil {
			t.Fatal(err)
		}
	}
	shows(reader, map[string]journal.ProgressRow{})
	half := journal.ProgressRow{At: at, Unit: "rows", Done: 5, Total: 10, Note: "table orders"}
	set(j, "r", "a", journal.ProgressRow{At: at, Done: 1})
	set(j, "r", "a", half)
	set(j, "r", "b", journal.ProgressRow{At: at, Done: 2})
	set(j, "other", "a", journal.ProgressRow{At: at, Done: 3})
	want := map[string]journal.ProgressRow{"a": half, "b": {At: at, Done: 2}}
	shows(j, want)
	shows(reader, want)

	// A damaged file is begun anew; it hides nothing that counts.
	if err := errors.Join(reader.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "evac-progress.db"), []byte(strings.Repeat("broken ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, journal.Options{})
	set(again, "r", "a", half)
	shows(again, map[string]journal.ProgressRow{"a": half})
}
