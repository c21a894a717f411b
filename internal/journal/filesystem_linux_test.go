package journal

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestMagicName(t *testing.T) {
	for magic, want := range map[uint32]string{
		0x6969: "nfs", 0x517b: "smb", 0xff534d42: "cifs", 0xfe534d42: "smb2", 0x01021997: "9p", 0x5346414f: "afs", 0x6b414653: "afs",
		0x00c36400: "ceph", 0x73757245: "coda", 0x564c: "ncpfs", 0x65735546: "fuse", 0x0bd00bd0: "lustre",
		0x47504653: "gpfs", 0x19830326: "beegfs", 0x20030528: "orangefs",
		unix.EXT4_SUPER_MAGIC: "", unix.XFS_SUPER_MAGIC: "", unix.BTRFS_SUPER_MAGIC: "", unix.TMPFS_MAGIC: "", unix.OVERLAYFS_SUPER_MAGIC: "",
	} {
		name := magicName(magic)
		if name != want || isNetwork(name) != (want != "") {
			t.Errorf("magic %#x is %q, want %q", magic, name, want)
		}
	}
}

func TestTypeOfDevice(t *testing.T) {
	const table = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /mnt/a\040b rw,nosuid - fuse.sshfs ops@host:/ rw,user_id=0
41 22 0:36 / /mnt/c rw,nosuid shared:7 master:2 - fuseblk /dev/sdb1 rw
`
	for device, want := range map[string]string{"254:0": "ext4", "0:35": "fuse.sshfs", "0:36": "fuseblk", "0:99": "fuse"} {
		if got := typeOfDevice(table, device); got != want {
			t.Errorf("device %s is %q, want %q", device, got, want)
		}
	}
}

// TestRealFilesystem asks the kernel about this machine's own file systems.
func TestRealFilesystem(t *testing.T) {
	for _, path := range []string{t.TempDir(), "/proc"} {
		name, err := filesystemType(path)
		if err != nil || isNetwork(name) {
			t.Errorf("%s is on %q: %v", path, name, err)
		}
	}
	if name, err := fuseType("/proc"); err != nil || name != "proc" {
		t.Errorf("/proc is on %q by the mount table: %v", name, err)
	}
	if _, err := filesystemType(t.TempDir() + "/none"); err == nil {
		t.Error("a path that is not there has a file system")
	}
}
