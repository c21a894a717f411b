package journal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// A test that needs another process starts its own binary again: childEnv
// names what that does, with home and run.
const childEnv = "EVAC_JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if job, ok := os.LookupEnv(childEnv); ok {
		if err := child(job); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(fault.Code(err))
		}
		return
	}
	os.Exit(m.Run())
}

func child(job string) error {
	parts := strings.Split(job, "|")
	ctx := context.Background()
	j, err := journal.Open(ctx, parts[1], journal.Options{})
	if err != nil {
		return err
	}
	run := parts[2]
	switch parts[0] {
	case "request":
		err = childRequests(ctx, j, run, parts[3])
	case "hold":
		err = childHolds(ctx, j, run)
	case "append":
		err = childAppends(ctx, j, run)
	default:
		err = fmt.Errorf("unknown job %q", parts[0])
	}
	return errors.Join(err, j.Close())
}

func childRequests(ctx context.Context, j *journal.Journal, run, count string) error {
	n, err := strconv.Atoi(count)
	for i := 0; i < n && err == nil; i++ {
		_, err = j.Request(ctx, run, journal.NewEvent(journal.AskNote, "lee", "", 0, journal.NoteBody{Text: strconv.Itoa(i)}))
	}
	return err
}

// childHolds takes the run, starts a program that outlives it, says so and
// waits to be killed.
func childHolds(ctx context.Context, j *journal.Journal, run string) error {
	l, err := j.Take(ctx, run, "park")
	if err != nil {
		return err
	}
	survivor := exec.CommandContext(ctx, "sleep", "60")
	if err := survivor.Start(); err != nil {
		return err
	}
	fmt.Println(l.Epoch(), survivor.Process.Pid)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childAppends appends batches until it is killed and says what was
// acknowledged.
func childAppends(ctx context.Context, j *journal.Journal, run string) error {
	l, err := j.Take(ctx, run, "park")
	for n := 0; err == nil; n++ {
		batch := make([]journal.Event, 1+rand.IntN(8))
		for i := range batch {
			batch[i] = journal.NewEvent(journal.RunNote, "evac", "", 0, journal.NoteBody{Text: strings.Repeat("x", rand.IntN(3000))})
		}
		var written []journal.Event
		if written, err = l.Append(ctx, batch...); err == nil {
			last := written[len(written)-1]
			_, err = fmt.Println(last.Seq, last.Hash)
		}
	}
	return err
}

func startChild(t testing.TB, job ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(job, "|"))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// kill is kill -9; it returns when the process is gone.
func kill(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("killed child: %v", err)
	}
}

// TestWritersInManyProcesses: requests of two processes and events of a
// conductor make one whole chain.
func TestWritersInManyProcesses(t *testing.T) {
	const requests, steps = 150, 150
	dir := home(t)
	j := open(t, dir, journal.Options{})
	run, l := begin(t, j, steps)
	var children []*exec.Cmd
	for range 2 {
		cmd, _ := startChild(t, "request", dir, run, strconv.Itoa(requests))
		children = append(children, cmd)
	}
	for i := range steps {
		events := stepEvents(i)
		add(t, l, events[:]...)
	}
	for _, cmd := range children {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	report, err := j.Verify(t.Context(), run, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(2 + 3*steps + 2*requests); report.Events != want {
		t.Errorf("%d events, want %d", report.Events, want)
	}
	s, err := j.Load(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Notes) != 2*requests || s.Nodes[steps-1].Phase != journal.Done {
		t.Errorf("%d notes, want %d; last step %s", len(s.Notes), 2*requests, s.Nodes[steps-1].Phase)
	}
}

// TestKilledWriter kills an appending process at random moments: what it was
// told to be on disk is there, and the chain is whole.
func TestKilledWriter(t *testing.T) {
	const kills = 25
	dir := home(t)
	j := open(t, dir, journal.Options{})
	run, l := begin(t, j, 1)
	if err := errors.Join(l.Release(), j.Close()); err != nil {
		t.Fatal(err)
	}
	var total int64
	for n := range kills {
		seq, hash := killOnce(t, dir, run)
		j, err := reopen(t, dir, n)
		if err != nil {
			t.Fatal(err)
		}
		report, err := j.Verify(t.Context(), run, hash)
		if err != nil {
			t.Fatalf("after kill %d: %v", n, err)
		}
		if report.HeadSeq != seq {
			t.Fatalf("after kill %d: acknowledged event %d stands at %d", n, seq, report.HeadSeq)
		}
		total = report.Events
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d events after %d kills", total, kills)
}

// reopen looks at what a kill left: every second time as a reader, who must
// manage with the WAL as it is.
func reopen(t *testing.T, dir string, n int) (*journal.Journal, error) {
	if n%2 == 0 {
		return journal.OpenRead(t.Context(), dir)
	}
	return journal.Open(t.Context(), dir, journal.Options{})
}

// killOnce gives the last event that the child was told to be on disk.
func killOnce(t *testing.T, dir, run string) (seq int64, hash string) {
	t.Helper()
	cmd, out := startChild(t, "append", dir, run)
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the child wrote nothing")
	}
	last := lines.Text()
	time.AfterFunc(rand.N(40*time.Millisecond), func() { _ = cmd.Process.Kill() }) // it lives until then
	for lines.Scan() {
		last = lines.Text()
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	if _, err := fmt.Sscan(last, &seq, &hash); err != nil {
		t.Fatalf("read %q: %v", last, err)
	}
	return seq, hash
}
