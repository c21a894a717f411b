package torture

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSalvageFullDisk: the disk of the output folder gets full, more than once;
// with room the same command goes on.
func TestSalvageFullDisk(t *testing.T) {
	evac := parallel(t)
	onMount(t, func() {
		h := newHaul(t, evac, "tiny")
		h.again()
		h.mount("out", "size=500k")
		for _, size := range []string{"1m", "2m", "3m", "32m"} {
			e := h.run(live, h.args...)
			if e.code != 1 || !strings.Contains(e.stderr, "the disk is full") || strings.Contains(e.stderr, "is full: the disk") || !strings.Contains(e.stderr, "free space on the file system of "+filepath.Join(h.dir, "out")) {
				t.Fatalf("on a full disk: exit %d\n%s", e.code, e.stderr)
			}
			if err := unix.Mount("tmpfs", filepath.Join(h.dir, "out"), "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
				t.Fatal(err)
			}
		}
		h.through("after a full disk")
	})
}
