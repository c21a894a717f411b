package torture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHardArguments: what nobody should type is refused with 10, at once, and
// leaves nothing behind.
func TestHardArguments(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.write("empty.hcl", "")
	n.write("binary.hcl", "\x00\x01\x02\xff\xfe runbook")
	n.write("file", "no directory")
	if err := os.Mkdir(filepath.Join(n.dir, "directory.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(n.dir, "pipe.hcl"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(n.dir, "huge.hcl")); err != nil || f.Truncate(1<<40) != nil || f.Close() != nil {
		t.Fatal("cannot make a large file", err)
	}
	for _, c := range []struct{ args, said string }{
		{"run night.hcl --parallel 0", "--parallel 0: at least one step"},
		{"run night.hcl --parallel -3", "--parallel -3: at least one step"},
		{"run night.hcl --parallel 99999999999999999999", "value out of range"},
		{"run night.hcl --parallel many", "invalid argument \"many\""},
		{"run night.hcl --only shell.none", `no step "shell.none" in the runbook`},
		{"run night.hcl --from nowhere", `no stage "nowhere" in the runbook`},
		{"run night.hcl --fail shell.none", `no step "shell.none" to fail`},
		{"run night.hcl --fail shell.late:soon", `"soon" is not start, middle or verify`},
		{"run night.hcl --confirm shell.none", `no step "shell.none" to confirm`},
		{"run night.hcl --var nothing", `--var "nothing" has no value`},
		{"run night.hcl --var who=me", "the runbook has no such variable"},
		{"run night.hcl --var-file none.json", "none.json"},
		{"run night.hcl --var-file night.hcl", "not a JSON object"},
		{"run night.hcl other.hcl", "other arguments"},
		{"run", "other arguments"},
		{"run empty.hcl", "there is no runbook block"},
		{"run binary.hcl", "binary.hcl:1:"},
		{"run directory.hcl", `"directory.hcl" is a directory`},
		{"run pipe.hcl", `"pipe.hcl" is not a regular file`},
		{"run /dev/zero", `"/dev/zero" is not a regular file`},
		{"run huge.hcl", `"huge.hcl" has 1.0 TiB, more than the 16 MiB`},
		{"run none.hcl", "no such file or directory"},
		{"check pipe.hcl", `"pipe.hcl" is not a regular file`},
		{"fmt pipe.hcl", `"pipe.hcl" is not a regular file`},
		{"drill pipe.hcl", `"pipe.hcl" is not a regular file`},
		{"drill night.hcl", "has no drill block"},
		{"--home file run night.hcl", "is no directory"},
		{"--home file status", "is no directory"},
		{"--home file/below resume", "is no directory"},
		{"runn night.hcl", "unknown command"},
		{"status --colour", "unknown flag: --colour"},
	} {
		n.refused(n.run(live, strings.Fields(c.args)...), 10, c.said)
	}
	if runs := n.run(live, "runs").stdout; strings.Contains(runs, "script-") {
		t.Errorf("a run is left behind:\n%s", runs)
	}
	n.is("early", 0)
}

// TestHardRunNames: a run's name is looked up, never taken for a path.
func TestHardRunNames(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.done(n.run(live, "run", "night.hcl"))
	before := n.files()
	for _, run := range []string{"../../x", "..", ".", "/etc/passwd", "none", "x'; drop table events; --", "%s%n", "-", "a\nb", strings.Repeat("x", 5000), ""} {
		for _, args := range [][]string{
			{"status", run}, {"report", run}, {"journal", "verify", run}, {"journal", "export", run},
			{"resume", "--run", run}, {"undo", "--run", run}, {"hold", "--run", run}, {"retry", "shell.late", "--run", run},
			{"note", "hello", "--run", run}, {"approve", "go", "--run", run}, {"tick", "a.b", "--run", run},
		} {
			if run == "" && (args[0] == "report" || args[len(args)-2] == "--run") || !*full && len(run)%2 == 0 && args[0] != "status" {
				continue // the newest one; and not every pair in the short form
			}
			if e := n.run(live, args...); e.code != 10 || !strings.Contains(e.stderr, "evac: hint:") {
				t.Errorf("evac %.60q: exit %d\n%.500s%.500s", args, e.code, e.stdout, e.stderr)
			} else {
				n.readable(e)
			}
		}
	}
	if after := n.files(); after != before {
		t.Errorf("files were made or lost:\n%s\nbefore:\n%s", after, before)
	}
	n.is("late", 1)
}

// files lists the night's directory and the one around it.
func (n *night) files() string {
	n.t.Helper()
	var list strings.Builder
	err := filepath.Walk(filepath.Dir(n.dir), func(path string, _ os.FileInfo, err error) error {
		if !strings.HasSuffix(path, "-wal") && !strings.HasSuffix(path, "-shm") {
			list.WriteString(path + "\n")
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return list.String()
}
