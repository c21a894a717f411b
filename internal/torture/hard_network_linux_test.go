package torture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mountRemote mounts a file system of that type, whose storage is this test:
// one empty directory (FUSE's protocol: linux/fuse.h, version 7.31).
func (n *night) mountRemote(dir, kind string) {
	n.t.Helper()
	path := filepath.Join(n.dir, dir)
	if err := os.Mkdir(path, 0o700); err != nil {
		n.t.Fatal(err)
	}
	device, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		n.t.Fatalf("this test mounts a file system of the kind that refuses: %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0", device.Fd())
	if err := unix.Mount("ops@far-away:/srv", path, kind, unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		n.t.Fatalf("mount %s: %v", kind, err)
	}
	served := make(chan error, 1)
	go func() { served <- serveEmpty(device) }()
	n.t.Cleanup(func() {
		if err := errors.Join(unix.Unmount(path, unix.MNT_DETACH), <-served, device.Close()); err != nil {
			n.t.Errorf("unmount: %v", err)
		}
	})
}

// What the kernel asks (enum fuse_opcode) as far as it is answered here.
const (
	fuseForget  = 2
	fuseGetattr = 3
	fuseStatfs  = 17
	fuseInit    = 26
)

// serveEmpty answers for an empty directory until it is unmounted.
func serveEmpty(device *os.File) error {
	request := make([]byte, 1<<20)
	for {
		n, err := unix.Read(int(device.Fd()), request)
		switch {
		case errors.Is(err, unix.ENODEV): // unmounted
			return nil
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN):
			continue
		case err != nil || n < 40:
			return fmt.Errorf("read a request of %d bytes: %w", n, err)
		}
		order := binary.NativeEndian
		var body []byte
		status := int32(0)
		switch order.Uint32(request[4:]) {
		case fuseForget:
			continue
		case fuseInit: // struct fuse_init_out
			body = make([]byte, 64)
			order.PutUint32(body[0:], 7)
			order.PutUint32(body[4:], 31)
			order.PutUint32(body[20:], 1<<16)
		case fuseGetattr: // struct fuse_attr_out
			body = make([]byte, 104)
			order.PutUint64(body[16:], 1)
			order.PutUint32(body[16+60:], unix.S_IFDIR|0o755)
			order.PutUint32(body[16+64:], 2)
		case fuseStatfs: // struct fuse_statfs_out
			body = make([]byte, 80)
		default:
			status = -int32(unix.ENOENT)
		}
		reply := make([]byte, 16, 16+len(body)) // struct fuse_out_header
		order.PutUint32(reply[0:], uint32(16+len(body)))
		order.PutUint32(reply[4:], uint32(status))
		copy(reply[8:], request[8:16])
		if _, err := unix.Write(int(device.Fd()), append(reply, body...)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// TestHardNetworkFilesystem: no journal is begun where locks and syncs cannot
// be trusted. Looking asks for no more than reading.
func TestHardNetworkFilesystem(t *testing.T) {
	evac := parallel(t)
	onMount(t, func() {
		n := newScriptNight(t, evac)
		n.mountRemote("far", "fuse.sshfs")
		for _, home := range []string{"far", "far/below/home"} {
			for _, command := range []string{"run night.hcl", "step wait --for 1ms"} {
				n.refused(n.run(live, append(strings.Fields(command), "--home", home)...), 10,
					filepath.Join(n.dir, home), "lies on a network file system (fuse.sshfs), where locks and syncs cannot be trusted",
					"evac: hint: set EVAC_HOME to a directory on a local disk")
			}
			n.refused(n.run(live, "status", "--home", home), 10, "there is no journal in")
		}
		n.is("early", 0)
		n.done(n.run(live, "run", "night.hcl")) // its own home is local
	})
}
