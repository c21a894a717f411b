package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// TestSecondConductor: another process that holds the run is named; killed, it
// leaves the run free, although a program that it started lives on.
func TestSecondConductor(t *testing.T) {
	dir := home(t)
	j := open(t, dir, journal.Options{})
	run, l := begin(t, j, 1)
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	cmd, out := startChild(t, "hold", dir, run)
	var epoch int64
	var survivor int
	if _, err := fmt.Fscan(out, &epoch, &survivor); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(survivor, syscall.SIGKILL); err != nil {
			t.Errorf("end the child's child: %v", err)
		}
	})
	if epoch != l.Epoch()+1 {
		t.Errorf("the child's epoch is %d, want %d", epoch, l.Epoch()+1)
	}

	_, err := j.Take(t.Context(), run, "kim")
	if fault.Code(err) != 11 {
		t.Fatalf("a second conductor gets %v (exit %d)", err, fault.Code(err))
	}
	for _, want := range []string{`"park"`, "process " + strconv.Itoa(cmd.Process.Pid), "since 20"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	if hints := fault.Hints(err); len(hints) != 1 || !strings.Contains(hints[0], "evac status "+run) {
		t.Errorf("hints %q", hints)
	}
	if h := holder(t, j); h == nil || h.Runner != "park" || h.PID != cmd.Process.Pid {
		t.Errorf("the list of runs names %v", h)
	}

	kill(t, cmd)
	if h := holder(t, j); h != nil {
		t.Errorf("the list of runs still names %v", h)
	}
	if again := take(t, j, run); again.Epoch() != epoch+1 {
		t.Errorf("epoch %d after %d", again.Epoch(), epoch)
	}
}

func holder(t *testing.T, j *journal.Journal) *journal.Holder {
	t.Helper()
	runs, err := j.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return runs[0].Holder
}

// TestLeaseLost: who loses the lock file (somebody cleaned up) loses the run
// as soon as another takes it.
func TestLeaseLost(t *testing.T) {
	j := open(t, home(t), journal.Options{})
	run, old := begin(t, j, 1)
	if err := os.Remove(filepath.Join(j.RunDir(run), "lock")); err != nil {
		t.Fatal(err)
	}
	l, err := j.Take(t.Context(), run, "park")
	if err != nil {
		t.Fatal(err)
	}
	_, err = old.Append(t.Context(), journal.NewEvent(journal.RunNote, "evac", "", 0, nil))
	if !errors.Is(err, journal.ErrLeaseLost) || fault.KindOf(err) != fault.Busy || !strings.Contains(err.Error(), `"park"`) {
		t.Errorf("append without the lease: %v", err)
	}
	add(t, l, journal.NewEvent(journal.RunNote, "evac", "", 0, nil))
	if err := errors.Join(l.Release(), l.Release()); err != nil {
		t.Fatal(err)
	}
	if _, err = l.Append(t.Context(), journal.NewEvent(journal.RunNote, "evac", "", 0, nil)); !errors.Is(err, journal.ErrLeaseLost) {
		t.Errorf("append after release: %v", err)
	}
}

// TestAppend is about a batch: filled in, all or none, in one chain whichever
// goroutine writes.
func TestAppend(t *testing.T) {
	j := open(t, home(t), journal.Options{})
	run, l := begin(t, j, 1)
	events := stepEvents(0)
	written := add(t, l, events[:]...)
	for i, e := range written {
		if e.Run != run || e.Seq != int64(3+i) || e.Epoch != l.Epoch() || e.At.IsZero() || len(e.Hash) != 64 {
			t.Errorf("event %d came back as %+v", i, e)
		}
		if i > 0 && e.Prev != written[i-1].Hash {
			t.Errorf("event %d does not follow", e.Seq)
		}
	}
	if _, err := l.Append(t.Context(), events[0], journal.Event{Type: journal.RunNote, Body: []byte("{")}); err == nil {
		t.Error("a body that is not JSON was taken")
	}
	ctx := within(t, 0)
	<-ctx.Done()
	if _, err := l.Append(ctx, events[0]); !errors.Is(err, ctx.Err()) {
		t.Errorf("append with a context that has ended: %v", err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 10 {
				if _, err := l.Append(t.Context(), events[:2]...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	report, err := j.Verify(t.Context(), run, "")
	if err != nil || report.Events != 5+8*10*2 {
		t.Errorf("%d events: %v", report.Events, err)
	}
}

// TestRequest: only requests, only to runs that have begun.
func TestRequest(t *testing.T) {
	j := open(t, home(t), journal.Options{})
	empty, err := j.NewRun(t.Context(), "move", journal.Live)
	if err != nil {
		t.Fatal(err)
	}
	run, _ := begin(t, j, 1)
	for _, c := range []struct {
		run  string
		typ  journal.Type
		want string
	}{
		{run, journal.AskHold, ""},
		{run, "ask.of_a_newer_version", ""},
		{run, journal.StepRan, "is not a request"},
		{run, journal.AskAnswered, "is not a request"},
		{empty, journal.AskHold, "no run"},
		{"none", journal.AskHold, "no run"},
	} {
		e, err := j.Request(t.Context(), c.run, journal.NewEvent(c.typ, "lee", "", 0, nil))
		if c.want == "" && (err != nil || e.Epoch != 0 || e.Hash == "") {
			t.Errorf("%s: %+v, %v", c.typ, e, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s to %q: %v, want %q", c.typ, c.run, err, c.want)
		}
	}
	if _, err := j.Take(t.Context(), "none", "kim"); !errors.Is(err, journal.ErrNoRun) || fault.KindOf(err) != fault.Invalid {
		t.Errorf("take a run that is not there: %v", err)
	}
}
