package journal_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

const namespaceEnv = "EVAC_JOURNAL_TEST_NAMESPACE"

// onTmpfs runs f with a small file system of its own: mounted as root, or by
// the same test started again in a user namespace.
func onTmpfs(t *testing.T, size string, f func(dir string)) {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if err == nil {
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Errorf("unmount: %v", err)
			}
		})
		f(dir)
		return
	}
	if os.Getenv(namespaceEnv) != "" {
		t.Fatalf("mount a tmpfs in a user namespace: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--mount", os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), namespaceEnv+"=1")
	out, runErr := cmd.CombinedOutput()
	if runErr != nil {
		t.Fatalf("this test needs a small file system to fill. mount as this user: %v; in a user namespace (unshare -rm): %v\n%s", err, runErr, out)
	}
	t.Logf("in a user namespace:\n%s", out)
}

// fill writes events until the disk is full and gives the last hash that was
// acknowledged.
func fill(t *testing.T, l *journal.Lease) (string, error) {
	t.Helper()
	var head string
	for range 10_000 {
		written, err := l.Append(t.Context(), journal.NewEvent(journal.RunNote, "evac", "", 0, journal.NoteBody{Text: strings.Repeat("x", 5000)}))
		if err != nil {
			return head, err
		}
		head = written[0].Hash
	}
	t.Fatal("the disk does not get full")
	return "", nil
}

func TestFullDisk(t *testing.T) {
	onTmpfs(t, "3m", func(dir string) {
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(dir, "home")
		j := open(t, dir, journal.Options{})
		run, l := begin(t, j, 1)
		head, err := fill(t, l)
		refused(t, err, fault.Failed, "the disk is full", "free space on the file system of")
		refused(t, err, fault.Failed, "append to the journal of run", "`evac resume`")
		_, err = j.Request(t.Context(), run, journal.NewEvent(journal.AskHold, "lee", "", 0, journal.NoteBody{Text: strings.Repeat("x", 5000)}))
		refused(t, err, fault.Failed, "the disk is full", "free space")
		_, err = j.NewRun(t.Context(), "other", journal.Live)
		refused(t, err, fault.Failed, "the disk is full", "free space")
		if s, err := j.Load(t.Context(), run); err != nil || s.Head != head {
			t.Errorf("the full journal ends elsewhere than acknowledged: %v", err)
		}
		if err := errors.Join(l.Release(), j.Close()); err != nil {
			t.Fatal(err)
		}
		again, err := journal.Open(t.Context(), dir, journal.Options{})
		if err == nil {
			_, err = again.Take(t.Context(), run, "kim")
			if e := again.Close(); e != nil {
				t.Error(e)
			}
		}
		if err != nil {
			refused(t, err, fault.Failed, "the disk is full", "free space")
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		goOn(t, dir, run, head)
	})
}

// TestFullDiskSameProcess: a waiting conductor goes on once there is space.
func TestFullDiskSameProcess(t *testing.T) {
	onTmpfs(t, "2m", func(dir string) {
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, filepath.Join(dir, "home"), journal.Options{})
		run, l := begin(t, j, 1)
		head, err := fill(t, l)
		refused(t, err, fault.Failed, "the disk is full", "free space")
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		add(t, l, stepEvents(0)[0])
		if report, err := j.Verify(t.Context(), run, head); err != nil || report.HeadSeq != report.Events-1 {
			t.Errorf("after space was freed: %+v, %v", report, err)
		}
	})
}

func goOn(t *testing.T, dir, run, head string) {
	t.Helper()
	j := open(t, dir, journal.Options{})
	l := take(t, j, run)
	add(t, l, stepEvents(0)[0])
	if report, err := j.Verify(t.Context(), run, head); err != nil || report.HeadSeq != report.Events-1 {
		t.Errorf("after resume: %+v, %v", report, err)
	}
}

// TestReadOnlyMedium reads journals that lie where nothing can be written: one
// that was closed, one that was not (its newest events are in the WAL), with
// and without SQLite's index file beside it.
func TestReadOnlyMedium(t *testing.T) {
	for name, files := range map[string][]string{
		"closed": {"evac.db"}, "killed": {"evac.db", "evac.db-wal", "evac.db-shm"}, "copied": {"evac.db", "evac.db-wal"},
	} {
		t.Run(name, func(t *testing.T) {
			source := home(t)
			j := open(t, source, journal.Options{})
			run, l := begin(t, j, 1)
			head := add(t, l, stepEvents(0)[0])[0].Hash
			if err := j.SetProgress(t.Context(), run, nodeID(0), journal.ProgressRow{Done: 7}); err != nil {
				t.Fatal(err)
			}
			if name == "closed" {
				if err := errors.Join(l.Release(), j.Close()); err != nil {
					t.Fatal(err)
				}
			}
			onTmpfs(t, "8m", func(dir string) {
				for _, f := range append(files, "evac-progress.db") {
					copyTo(t, filepath.Join(source, f), filepath.Join(dir, f))
				}
				if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
					t.Fatal(err)
				}
				readAt(t, dir, run, head)
				_, err := journal.Open(t.Context(), dir, journal.Options{})
				refused(t, err, fault.Denied, fmt.Sprintf("%q cannot be written", dir), "EVAC_HOME")
				_, err = journal.Open(t.Context(), filepath.Join(dir, "new"), journal.Options{})
				refused(t, err, fault.Denied, "make the journal's directory", "EVAC_HOME")
			})
		})
	}
}

func readAt(t *testing.T, dir, run, head string) {
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
	if report, err := j.Verify(t.Context(), run, head); err != nil || report.Head != head {
		t.Errorf("verify: %+v, %v", report, err)
	}
	if _, err := j.Progress(t.Context(), run); err != nil {
		t.Errorf("progress: %v", err)
	}
	if runs, err := j.Runs(t.Context()); err != nil || len(runs) != 1 {
		t.Errorf("runs: %v, %v", runs, err)
	}
}

func copyTo(t *testing.T, source, target string) {
	t.Helper()
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
