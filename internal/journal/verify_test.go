package journal_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// original is a closed journal with one finished run, to be copied and
// tampered with.
type original struct {
	file   []byte
	run    string
	events []journal.Event
	head   string
}

func makeOriginal(t *testing.T) original {
	t.Helper()
	dir := home(t)
	j := open(t, dir, journal.Options{})
	run, l := begin(t, j, 2)
	for i := range 2 {
		events := stepEvents(i)
		add(t, l, events[:]...)
	}
	if _, err := j.Request(t.Context(), run, journal.NewEvent(journal.AskNote, "lee", "", 0, journal.NoteBody{Text: "hello"})); err != nil {
		t.Fatal(err)
	}
	last := add(t, l, journal.NewEvent(journal.RunDone, "evac", "", 0, journal.EndBody{Result: journal.ResultDone}))
	events, err := j.Events(t.Context(), run, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "evac.db"))
	if err != nil {
		t.Fatal(err)
	}
	return original{file, run, events, last[0].Hash}
}

// copy writes the journal anew and lets SQL loose on it.
func (o original) copy(t *testing.T, statements ...string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "evac.db")
	if err := os.WriteFile(path, o.file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (o original) verify(t *testing.T, dir, head string) (journal.Report, error) {
	t.Helper()
	j, err := journal.OpenRead(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	return j.Verify(t.Context(), o.run, head)
}

// TestVerifyWhole: what nobody touched is whole, also seen from an older head.
func TestVerifyWhole(t *testing.T) {
	o := makeOriginal(t)
	dir := o.copy(t)
	for _, e := range o.events {
		report, err := o.verify(t, dir, " "+strings.ToUpper(e.Hash)+"\n")
		if err != nil || report.HeadSeq != e.Seq {
			t.Errorf("head of event %d found at %d: %v", e.Seq, report.HeadSeq, err)
		}
	}
	report, err := o.verify(t, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	want := journal.Report{Run: o.run, Events: int64(len(o.events)), Head: o.head, First: o.events[0].At, Last: o.events[len(o.events)-1].At}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestVerifyEveryColumn changes each column of each event.
func TestVerifyEveryColumn(t *testing.T) {
	o := makeOriginal(t)
	for _, change := range []string{
		"run = run || 'x'", "seq = seq + 1000", "at = replace(at, 'T', 't')", "at = '2020-01-01T00:00:00Z'", "epoch = epoch + 1", "actor = actor || ' '",
		"type = 'run.note'", "step = step || 'x'", "attempt = attempt + 1", "body = replace(body, '}', ' }') || ' '",
		"prev = '0' || substr(prev || '0', 2)", "hash = 'f0' || substr(hash, 3)",
	} {
		for _, e := range o.events {
			dir := o.copy(t, fmt.Sprintf("UPDATE events SET %s WHERE seq = %d", change, e.Seq))
			report, err := o.verify(t, dir, "")
			if fault.KindOf(err) != fault.Different || !names(report, e.Seq) {
				t.Errorf("%s in event %d: %v, findings %v", change, e.Seq, err, report.Findings)
			}
		}
	}
}

func names(r journal.Report, seq int64) bool {
	for _, f := range r.Findings {
		if f.Seq == seq {
			return true
		}
	}
	return false
}

// TestVerify has what can be done to a chain as a whole.
func TestVerify(t *testing.T) {
	o := makeOriginal(t)
	n := int64(len(o.events))
	swap := func(a, b int64) []string {
		return []string{
			fmt.Sprintf("UPDATE events SET seq = -1 WHERE seq = %d", a), fmt.Sprintf("UPDATE events SET seq = %d WHERE seq = %d", a, b),
			fmt.Sprintf("UPDATE events SET seq = %d WHERE seq = -1", b),
		}
	}
	reindex := fmt.Sprintf("UPDATE runs SET (seq, head) = (%d, '%s'), ended = '', result = ''", n-1, o.events[n-2].Hash)
	for _, c := range []struct {
		name       string
		statements []string
		head       string
		want       string // finding
		seq        int64
	}{
		{"first deleted", []string{"DELETE FROM events WHERE seq = 1"}, "", journal.FindMissing, 1},
		{"middle deleted", []string{"DELETE FROM events WHERE seq IN (4, 5)"}, "", journal.FindMissing, 4},
		{"deleted and closed up", []string{"DELETE FROM events WHERE seq = 4", "UPDATE events SET seq = -seq", "UPDATE events SET seq = -seq - (seq < -4) * 1"}, "", journal.FindMoved, 4},
		{"neighbours swapped", swap(3, 4), "", journal.FindMoved, 3},
		{"far ones swapped", swap(3, 7), "", journal.FindMoved, 7},
		{"end cut", []string{fmt.Sprintf("DELETE FROM events WHERE seq >= %d", n-1)}, "", journal.FindCut, n - 1},
		{"all cut", []string{"DELETE FROM events"}, "", journal.FindCut, 1},
		{"end cut, index too", []string{fmt.Sprintf("DELETE FROM events WHERE seq = %d", n), reindex}, o.head, journal.FindCut, n},
		{"added at the end", []string{fmt.Sprintf("INSERT INTO events SELECT run, seq + 1, at, epoch, actor, type, step, attempt, body, hash, prev FROM events WHERE seq = %d", n)}, "", journal.FindAltered, n + 1},
		{"run not listed", []string{"DELETE FROM runs"}, "", journal.FindIndex, 0},
		{"list says unfinished", []string{"UPDATE runs SET ended = '', result = ''"}, "", journal.FindIndex, 0},
		{"list says drill", []string{"UPDATE runs SET mode = 'drill'"}, "", journal.FindIndex, 0},
		{"list has another head", []string{"UPDATE runs SET head = 'x'"}, "", journal.FindIndex, n},
		{"never had that head", nil, strings.Repeat("0", 64), journal.FindCut, n + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := o.verify(t, o.copy(t, c.statements...), c.head)
			if fault.KindOf(err) != fault.Different || len(fault.Hints(err)) == 0 {
				t.Fatalf("verify: %v", err)
			}
			for _, f := range report.Findings {
				if f.Kind == c.want && f.Seq == c.seq {
					return
				}
			}
			t.Errorf("no %q at event %d in %+v", c.want, c.seq, report.Findings)
		})
	}
	if _, err := o.verify(t, o.copy(t, fmt.Sprintf("DELETE FROM events WHERE seq = %d", n), reindex), ""); err != nil {
		t.Errorf("a neat cut shows without a head: %v", err)
	}
}

// TestAlteredIsNotContinued: nobody appends to a chain whose end was cut off,
// which would hide the cut.
func TestAlteredIsNotContinued(t *testing.T) {
	o := makeOriginal(t)
	n := len(o.events)
	j := open(t, o.copy(t, fmt.Sprintf("DELETE FROM events WHERE seq = %d", n)), journal.Options{})
	if _, err := j.Request(t.Context(), o.run, journal.NewEvent(journal.AskNote, "lee", "", 0, nil)); fault.KindOf(err) != fault.Different {
		t.Errorf("append behind a cut: %v", err)
	}
	j = open(t, o.copy(t, "DELETE FROM events WHERE seq = 3"), journal.Options{})
	if _, err := j.Load(t.Context(), o.run); fault.KindOf(err) != fault.Different {
		t.Errorf("load with a gap: %v", err)
	}
}

// TestDamagedFile flips single bytes of the file: it is noticed, or every
// event still reads as it was written.
func TestDamagedFile(t *testing.T) {
	o := makeOriginal(t)
	random := rand.New(rand.NewPCG(1, 2))
	var noticed int
	for range 150 {
		at, bit := random.IntN(len(o.file)), byte(1)<<random.IntN(8)
		damaged := original{file: append([]byte(nil), o.file...), run: o.run}
		damaged.file[at] ^= bit
		events, err := damaged.readAll(t)
		if err != nil {
			noticed++
		} else if diff := cmp.Diff(o.events, events); diff != "" {
			t.Errorf("byte %d, bit %d: not noticed:\n%s", at, bit, diff)
		}
	}
	if noticed == 0 {
		t.Error("no damage was noticed")
	}
}

func (o original) readAll(t *testing.T) ([]journal.Event, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evac.db"), o.file, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.OpenRead(t.Context(), dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := j.Verify(t.Context(), o.run, ""); err != nil {
		return nil, err
	}
	return j.Events(t.Context(), o.run, 0)
}
