package journal_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// refused checks an error's kind, text and hint.
func refused(t *testing.T, err error, kind fault.Kind, text, hint string) {
	t.Helper()
	if fault.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v (%s), want %s with %q", err, fault.KindOf(err), kind, text)
	}
	if !strings.Contains(strings.Join(fault.Hints(err), "\n"), hint) {
		t.Errorf("hints %q, want %q", fault.Hints(err), hint)
	}
}

// TestOpenMakes: only the owner may read a journal; opened by many at once it
// is made once.
func TestOpenMakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with blank?#%", "home")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			j, err := journal.Open(t.Context(), dir, journal.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	j := open(t, dir, journal.Options{})
	run, _ := begin(t, j, 1)
	for path, want := range map[string]os.FileMode{
		dir: 0o700, filepath.Join(dir, "evac.db"): 0o600, filepath.Join(dir, "evac.db-wal"): 0o600, j.RunDir(run): 0o700, filepath.Join(j.RunDir(run), "lock"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := home(t)
	on := func(fs string, err error) journal.Options {
		return journal.Options{Filesystem: func(string) (string, error) { return fs, err }}
	}
	for _, fs := range []string{"nfs", "nfs4", "cifs", "smb2", "smbfs", "9p", "afs", "ceph", "fuse", "fuse.sshfs", "fuse.s3fs", "fuse.unheard-of", "macfuse"} {
		_, err := journal.Open(t.Context(), dir, on(fs, nil))
		refused(t, err, fault.Invalid, "network file system ("+fs+")", "EVAC_HOME=")
	}
	if _, err := journal.Open(t.Context(), dir, on("", errors.New("no answer"))); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("a file system without a name: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused journal left its directory: %v", err)
	}
	_, err := journal.OpenRead(t.Context(), dir)
	refused(t, err, fault.Invalid, "there is no journal in", "evac run")
	for _, fs := range []string{"", "ext4", "apfs", "fuseblk", "fuse.gocryptfs", "virtiofs"} {
		open(t, dir, on(fs, nil))
	}
}

// TestNewerVersion: the journal of a newer evac is refused, and left as it is.
func TestNewerVersion(t *testing.T) {
	dir := home(t)
	if err := open(t, dir, journal.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, dir, "PRAGMA user_version = 7")
	_, err := journal.Open(t.Context(), dir, journal.Options{})
	refused(t, err, fault.Invalid, "has version 7, and this evac knows versions up to 1", "evac --version")
	_, err = journal.OpenRead(t.Context(), dir)
	refused(t, err, fault.Invalid, "has version 7", "evac --version")
}

func execute(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "evac.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestHalfMade: a process killed while it made the journal leaves an empty
// file; it is no journal yet and becomes one.
func TestHalfMade(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evac.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := journal.OpenRead(t.Context(), dir)
	refused(t, err, fault.Invalid, "there is no journal in", "evac run")
	begin(t, open(t, dir, journal.Options{}), 1)
}

func TestNotAJournal(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evac.db"), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := journal.Open(t.Context(), dir, journal.Options{})
	refused(t, err, fault.Different, "is damaged", "keep a copy")
}

// TestReadWhileWritten: a reader sees what is committed, and cannot write.
func TestReadWhileWritten(t *testing.T) {
	dir := home(t)
	run, l := begin(t, open(t, dir, journal.Options{}), 1)
	r, err := journal.OpenRead(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, e := range stepEvents(0) {
		head := add(t, l, e)[0].Hash
		s, err := r.Load(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if s.Head != head {
			t.Errorf("the reader sees event %d", s.Seq)
		}
	}
	_, err = r.Take(t.Context(), run, "kim")
	refused(t, err, fault.Failed, "open for reading only", "")
	_, err = r.NewRun(t.Context(), "x", journal.Live)
	refused(t, err, fault.Failed, "open for reading only", "")
	_, err = r.Request(t.Context(), run, journal.NewEvent(journal.AskHold, "kim", "", 0, nil))
	refused(t, err, fault.Failed, "open for reading only", "")
	refused(t, r.SetProgress(t.Context(), run, "s", journal.ProgressRow{}), fault.Failed, "open for reading only", "")
}

// TestClock turns the clock back: times never do, and the jump is on record
// once.
func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)
	j := open(t, home(t), journal.Options{Now: func() time.Time { return now }})
	run, l := begin(t, j, 1)
	high := now
	note := journal.NewEvent(journal.RunNote, "evac", "", 0, journal.NoteBody{Text: "x"})
	for _, c := range []struct {
		step  time.Duration
		wrote int
		at    func() time.Time
	}{
		{time.Second, 1, func() time.Time { return now }},
		{-500 * time.Millisecond, 1, func() time.Time { return high }}, // within what is usual
		{-time.Hour, 2, func() time.Time { return high }},
		{time.Minute, 1, func() time.Time { return high }},
		{-2 * time.Hour, 2, func() time.Time { return high }}, // once more
		{4 * time.Hour, 1, func() time.Time { return now }},
		{-time.Minute, 2, func() time.Time { return high }},
	} {
		now = now.Add(c.step)
		if now.After(high) {
			high = now
		}
		written := add(t, l, note)
		if len(written) != c.wrote || !written[0].At.Equal(c.at()) {
			t.Errorf("clock moved by %s: %d events at %s, want %d at %s", c.step, len(written), written[0].At, c.wrote, c.at())
		}
		if len(written) == 2 && (written[1].Type != journal.RunNote || !strings.Contains(string(written[1].Body), "the clock went back by ")) {
			t.Errorf("the jump is recorded as %s %s", written[1].Type, written[1].Body)
		}
	}
	if _, err := j.Verify(t.Context(), run, ""); err != nil {
		t.Error(err)
	}
}
