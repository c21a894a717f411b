package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const namespaceEnv = "EVAC_TORTURE_NAMESPACE"

// onMount runs f as somebody who may mount: as root, or by the same test
// started again in a user namespace.
func onMount(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() == 0 || os.Getenv(namespaceEnv) != "" {
		f()
		return
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--map-root-user", "--mount", os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), namespaceEnv+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("this test mounts file systems and needs root or user namespaces (unshare -rm): %v\n%s", err, out)
	}
}

// mount mounts a small file system on a directory of the night.
func (n *night) mount(dir, options string) {
	n.t.Helper()
	path := filepath.Join(n.dir, dir)
	if err := os.MkdirAll(path, 0o700); err != nil {
		n.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, options); err != nil {
		n.t.Fatalf("mount a tmpfs: %v", err)
	}
	n.t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			n.t.Errorf("unmount: %v", err)
		}
	})
}

// fillingNight fills the file system that the journal lies on while a step
// runs; with a file "room" it does not.
const fillingNight = `
runbook "filling" {
  title = "The disk gets full"
}

stage "all" {
  step "shell" "before" {
    run  = "echo x >> before"
    undo = "rm before"
  }
  step "shell" "fills" {
    run   = "echo x >> filled; test -e room || cat /dev/zero > home/ballast || true"
    undo  = "rm -f filled; test -e room || cat /dev/zero > home/ballast || true"
    after = [step.shell.before]
  }
  step "shell" "after" {
    run   = "seq 1 50000; echo x >> after"
    undo  = "rm after"
    after = [step.shell.fills]
  }
}
`

// TestHardFullDisk: the journal's disk gets full while the run goes on, and
// again while it is undone.
func TestHardFullDisk(t *testing.T) {
	evac := parallel(t)
	onMount(t, func() {
		n := nightOf(t, evac, fillingNight)
		n.mount("home", "size=2m")
		full := []string{"the disk is full", filepath.Join(n.dir, "home"), "evac: hint: free space on the file system of", "evac resume"}

		n.refused(n.run(live, "run", "night.hcl"), 1, full...)
		n.chain("full")
		n.refused(n.run(live, "resume"), 1, full...)
		n.is("after", 0)

		n.write("room", "")
		n.remove("home/ballast")
		n.done(n.run(live, "resume"))
		n.is("before", 1)
		n.is("after", 1)
		n.chain("freed")

		n.remove("room")
		n.refused(n.run(live, "undo"), 1, full...)
		n.chain("full in undo")
		n.write("room", "")
		n.remove("home/ballast")
		n.done(n.run(live, "resume"))
		for _, file := range []string{"before", "filled", "after"} {
			n.is(file, 0)
		}
		if result := n.status().Result; result != "undone" {
			t.Errorf("result %q", result)
		}
		n.chain("undone")
	})
}

// TestHardFullFromTheStart: with whatever little room there is, a run that
// cannot come into being or go on says so, and goes on when there is more.
func TestHardFullFromTheStart(t *testing.T) {
	evac := parallel(t)
	onMount(t, func() {
		const size, page = 1 << 20, 4 << 10
		step := 20 * page
		if *full {
			step = page
		}
		n := nightOf(t, evac, fillingNight)
		n.mount("home", fmt.Sprintf("size=%d", size))
		n.write("room", "")
		for room := 2 * page; ; room += step {
			n.until("the ballast", func() bool { // a command's keeper may hold removed files a moment longer
				return os.WriteFile(filepath.Join(n.dir, "home", "ballast"), make([]byte, size-room), 0o600) == nil
			})
			e := n.run(live, "run", "night.hcl")
			if e.code == 0 && room > 10*page {
				return
			}
			n.refused(e, 1, "the disk is full", "evac: hint: free space on the file system of")
			n.remove("home/ballast")
			n.finish("run", "night.hcl")
			n.chain(fmt.Sprintf("%d bytes of room", room))
			if err := os.RemoveAll(filepath.Join(n.dir, "home", "runs")); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(n.dir, "home", "evac*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestHardFullScratch: what a step writes beside the journal finds no room: a
// log that is cut off does not fail a command that went well, a missing
// directory holds the run.
func TestHardFullScratch(t *testing.T) {
	evac := parallel(t)
	onMount(t, func() {
		n := nightOf(t, evac, strings.ReplaceAll(fillingNight, "home/ballast", "home/runs/ballast"))
		n.mount("home/runs", "size=128k,nr_inodes=12")
		e := n.run(live, "run", "night.hcl")
		if !strings.Contains(e.stderr, "its output is not whole") || !strings.Contains(e.stderr, "no space left on device") {
			t.Errorf("nobody is told of the log that is cut off:\n%s", e.stderr)
		}
		if e.code == 20 {
			n.refused(e, 20, "no space left on device", "evac: hint:")
			n.write("room", "")
			n.remove("home/runs/ballast")
			e = n.run(live, "resume")
		}
		n.done(e)
		n.is("before", 1)
		n.is("filled", 1)
		n.is("after", 1)
		n.chain("end")
	})
}

// TestHardReadOnly: a journal that cannot be written can still be read.
func TestHardReadOnly(t *testing.T) {
	evac := parallel(t)
	onMount(t, func() {
		n := nightOf(t, evac, fillingNight)
		n.mount("home", "size=4m")
		n.write("room", "")
		if e := n.run(live, "run", "night.hcl", "--fail", "shell.after"); e.code != 20 {
			t.Fatalf("exit %d\n%s", e.code, e.stderr)
		}
		n.until("nobody writes any more", func() bool { // a command's keeper may end after evac
			return unix.Mount("", filepath.Join(n.dir, "home"), "", unix.MS_REMOUNT|unix.MS_RDONLY, "") == nil
		})
		for _, command := range []string{"run night.hcl", "resume", "undo", "hold", "retry shell.after", "note hello", "step wait --for 1ms"} {
			n.refused(n.run(live, strings.Fields(command)...), 12, "cannot be written", "read-only file system", filepath.Join(n.dir, "home"), "evac: hint:")
		}
		for _, command := range []string{"status", "status --json", "report", "journal verify", "journal export", "runs", "drills", "check night.hcl"} {
			n.done(n.run(live, strings.Fields(command)...))
		}
		n.is("after", 0)
		if err := unix.Mount("", filepath.Join(n.dir, "home"), "", unix.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
		n.done(n.run(live, "resume"))
		n.is("after", 1)
	})
}
