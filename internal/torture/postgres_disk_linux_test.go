package torture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/servers"
)

// TestPostgresDisk: the target's disk gets full while a database is moved to
// it, that of its data or that of its write-ahead log; then there is room
// again.
func TestPostgresDisk(t *testing.T) {
	t.Parallel()
	asMounter(t, func() {
		disk := newPgDisk(t)
		plan, strikes := pgPlan{disk: disk, size: 20}, 2
		if *full {
			plan, strikes = pgPlan{disk: disk, size: 60, everything: true}, *pgStrikes
		}
		newPgWorld(t, dice(t), plan).torture([]pgFault{
			{name: "disk full", mustFail: true, strike: disk.fill(disk.data), heal: disk.free},
			{name: "disk of the log full", mustFail: true, empties: true, strike: disk.fill(disk.wal), heal: disk.free},
		}, strikes)
	})
}

// asMounter runs f as somebody who may mount and run a server: as root, or by
// the same test started again in a user namespace of its own, as who it is.
func asMounter(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() == 0 || os.Getenv(namespaceEnv) != "" {
		f()
		return
	}
	args := append([]string{"--user", "--map-current-user", "--keep-caps", "--mount", os.Args[0], "-test.v", "-test.run=^" + t.Name() + "$"}, fullFlag()...)
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), namespaceEnv+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("in a user namespace:\n%s", out)
	if err != nil {
		t.Fatalf("this test mounts file systems and needs root or user namespaces (unshare --user --map-current-user --keep-caps --mount): %v", err)
	}
}

func fullFlag() []string {
	if *full {
		return []string{"-full"}
	}
	return nil
}

// pgDisk is where a server's data and its write-ahead log lie, on small file
// systems.
type pgDisk struct {
	t         *testing.T
	data, wal string
}

// pgDiskSize is more than a move needs.
const pgDiskSize = 512 << 20

func newPgDisk(t *testing.T) *pgDisk {
	t.Helper()
	d := &pgDisk{t: t, data: t.TempDir(), wal: t.TempDir()}
	for _, dir := range []string{d.data, d.wal} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=755", pgDiskSize)); err != nil {
			t.Fatalf("mount a tmpfs: %v (this test needs root with CAP_SYS_ADMIN, or user namespaces)", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Errorf("unmount: %v", err)
			}
		})
	}
	return d
}

// spread puts the write-ahead log of a stopped server on its own disk, and what
// the server says where there is always room.
func (d *pgDisk) spread(srv *servers.Postgres) {
	d.t.Helper()
	from, to := filepath.Join(srv.DataDir(), "pg_wal"), filepath.Join(d.wal, "pg_wal")
	said := filepath.Join(d.t.TempDir(), "server.log")
	for _, command := range [][]string{
		{"cp", "-a", from, to}, {"rm", "-r", from}, {"ln", "-s", to, from},
		{"mv", srv.LogFile(), said}, {"ln", "-s", said, srv.LogFile()},
	} {
		if out, err := exec.CommandContext(d.t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			d.t.Fatalf("move the logs: %v: %s", err, out)
		}
	}
}

// fill leaves a disk no bigger than what lies on it.
func (d *pgDisk) fill(dir string) func(*pgWorld, *process) bool {
	return func(*pgWorld, *process) bool {
		for {
			var stat unix.Statfs_t
			if err := unix.Statfs(dir, &stat); err != nil {
				d.t.Fatalf("look at the disk: %v", err)
			}
			used := (stat.Blocks - stat.Bfree) * uint64(stat.Bsize)
			err := unix.Mount("", dir, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", used))
			if err == nil {
				return true
			}
			if !errors.Is(err, unix.EINVAL) { // more has come meanwhile
				d.t.Fatalf("fill the disk: %v", err)
			}
		}
	}
}

// free gives both disks their room back, and starts the server if it has gone.
func (d *pgDisk) free(w *pgWorld) {
	for _, dir := range []string{d.data, d.wal} {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", pgDiskSize)); err != nil {
			d.t.Fatalf("give the disk room: %v", err)
		}
	}
	w.target.wake()
}
