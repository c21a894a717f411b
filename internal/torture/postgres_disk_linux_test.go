package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

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
	// stop ends what fills a disk.
	stop func()
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

// fill leaves a disk no bigger than what lies on it, and takes what is freed
// there until somebody gives it room again.
func (d *pgDisk) fill(dir string) func(*pgWorld, *process) bool {
	return func(*pgWorld, *process) bool {
		for !d.shrink(dir) { // more has come meanwhile
		}
		ctx, stop := context.WithCancel(d.t.Context())
		var taken sync.WaitGroup
		d.stop = func() { stop(); taken.Wait() }
		taken.Go(func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				d.shrink(dir)
				<-tick.C
			}
		})
		return true
	}
}

// shrink takes a disk's free room, unless some of that is used meanwhile.
func (d *pgDisk) shrink(dir string) bool {
	var stat unix.Statfs_t
	err := unix.Statfs(dir, &stat)
	if err == nil && stat.Bfree == 0 {
		return true
	}
	if err == nil {
		err = unix.Mount("", dir, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", (stat.Blocks-stat.Bfree)*uint64(stat.Bsize)))
	}
	if err != nil && !errors.Is(err, unix.EINVAL) {
		d.t.Errorf("fill the disk: %v", err)
		return true
	}
	return err == nil
}

// free gives both disks their room back, and starts the server if it has gone.
func (d *pgDisk) free(w *pgWorld) {
	d.stop()
	for _, dir := range []string{d.data, d.wal} {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, fmt.Sprintf("size=%d", pgDiskSize)); err != nil {
			d.t.Fatalf("give the disk room: %v", err)
		}
	}
	w.target.wake()
}
