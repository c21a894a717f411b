package torture

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// looks are the commands that read a journal, acts those that write.
var (
	looks = []string{"status", "report", "journal verify", "journal export", "runs", "drills"}
	acts  = []string{"run night.hcl", "resume", "undo", "hold", "note hello", "approve go --as park", "step wait --for 1ms"}
)

// TestHardNewerJournal: a journal that a newer evac has written is left alone.
func TestHardNewerJournal(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.late")
	db, err := sql.Open("sqlite", n.home("evac.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 7"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := n.bytes("evac.db")
	for _, command := range append(looks, acts...) {
		n.refused(n.run(live, strings.Fields(command)...), 10, n.home("evac.db"), "has version 7, and this evac knows versions up to 1", "evac: hint: use the evac that wrote it")
	}
	if string(before) != string(n.bytes("evac.db")) {
		t.Error("the journal was touched")
	}
}

func (n *night) home(file string) string { return filepath.Join(n.dir, "home", file) }

func (n *night) bytes(file string) []byte {
	n.t.Helper()
	b, err := os.ReadFile(n.home(file))
	if err != nil {
		n.t.Fatal(err)
	}
	return b
}

// TestHardDamagedJournal: whatever happens to the file, a command says so
// clearly or does its work; verify never calls whole what is not.
func TestHardDamagedJournal(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.late")
	whole := n.bytes("evac.db")
	events := n.done(n.run(live, "journal", "export")).stdout
	for name, damage := range map[string]func([]byte) []byte{
		"half":             func(b []byte) []byte { return b[:len(b)/2] },
		"no whole page":    func(b []byte) []byte { return b[:1000] },
		"another file":     func([]byte) []byte { return []byte(strings.Repeat("this is no database\n", 999)) },
		"first page lost":  func(b []byte) []byte { return append(make([]byte, 4096), b[4096:]...) },
		"a page of zeroes": func(b []byte) []byte { return append(append(b[:8192:8192], make([]byte, 4096)...), b[12288:]...) },
	} {
		for _, command := range []string{"journal verify", "status", "resume", "run night.hcl", "hold"} {
			n.damage(damage(whole))
			if e := n.run(live, strings.Fields(command)...); e.code != 3 {
				t.Errorf("%s: %s: exit %d", name, command, e.code)
			} else {
				n.refused(e, 3, n.home("evac.db"), "is damaged", "evac: hint: keep a copy")
			}
		}
	}
	every := 3001
	if *full {
		every = 101
	}
	found := 0
	for at := 100; at < len(whole); at += every {
		turned := append([]byte{}, whole...)
		turned[at] ^= 0xff
		n.damage(turned)
		e := n.run(live, "journal", "verify")
		n.readable(e)
		if e.code == 3 {
			found++
		} else if now := n.run(live, "journal", "export").stdout; e.code != 0 || now != events {
			t.Errorf("byte %d turned over: verify ends with %d\n%s", at, e.code, e.stderr)
		}
		n.readable(n.run(live, "status"))
	}
	if found == 0 {
		t.Error("no damage was found: the test does not test")
	}
	n.is("late", 0)
}

// damage replaces the journal's file.
func (n *night) damage(b []byte) {
	n.t.Helper()
	for _, file := range []string{"evac.db-wal", "evac.db-shm"} {
		if err := os.Remove(n.home(file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			n.t.Fatal(err)
		}
	}
	if err := os.WriteFile(n.home("evac.db"), b, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// TestHardLostJournal: where runs were begun, no new journal is begun in
// silence.
func TestHardLostJournal(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.late")
	for name, lose := range map[string]func(){
		"empty":   func() { n.damage(nil) },
		"removed": func() { n.remove("home/evac.db") },
	} {
		lose()
		for _, command := range append(looks, acts...) {
			e := n.run(live, strings.Fields(command)...)
			if e.code != 3 {
				t.Errorf("%s: %s: exit %d", name, command, e.code)
			}
			n.refused(e, 3, "the journal in", "is lost: runs were begun there", "evac: hint: put it back from a copy")
		}
	}
	n.is("moved", 1)
}

// TestHardTailLost: the newest events of a killed conductor are in a file of
// their own. Without it the journal is whole but short, and the head tells.
func TestHardTailLost(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.late")
	if e := n.run(at(4, "after"), "resume"); !e.killed {
		t.Fatalf("exit %d\n%s", e.code, e.stderr)
	}
	head := n.done(n.run(live, "journal", "verify")).stdout
	head = strings.TrimSpace(head[strings.LastIndex(head, " "):])
	n.done(n.run(live, "journal", "verify", "--head", head))
	for _, file := range []string{"evac.db-wal", "evac.db-shm"} {
		if err := os.Remove(n.home(file)); err != nil {
			t.Logf("%s: %v", file, err) // it may have been written back
		}
	}
	n.done(n.run(live, "journal", "verify"))
	n.refused(n.run(live, "journal", "verify", "--head", head), 3, "evac: hint: keep the file as evidence")
	n.finish()
	n.is("moved", 1)
	n.chain("end")
}
