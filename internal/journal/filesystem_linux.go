package journal

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// filesystemType names the file system of path by its statfs magic.
func filesystemType(path string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", err
	}
	name := magicName(uint32(st.Type)) //nolint:gosec // magics are 32 bits; the sign of CIFS's depends on the machine
	if name != "fuse" {
		return name, nil
	}
	return fuseType(path)
}

// magicName names the magics (statfs(2) and the file systems' own sources)
// that matter here; "" is any other.
func magicName(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB_SUPER_MAGIC:
		return "smb"
	case unix.CIFS_SUPER_MAGIC:
		return "cifs"
	case unix.SMB2_SUPER_MAGIC:
		return "smb2"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case unix.CODA_SUPER_MAGIC:
		return "coda"
	case unix.NCP_SUPER_MAGIC:
		return "ncpfs"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case 0x0bd00bd0:
		return "lustre"
	case 0x47504653:
		return "gpfs"
	case 0x19830326:
		return "beegfs"
	case 0x20030528:
		return "orangefs"
	}
	return ""
}

// fuseType finds which user-space file system path is on ("fuse.sshfs"): the
// magic is the same for all of them, the mount table has the name
// (proc_pid_mountinfo(5)).
func fuseType(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", err
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	device := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	return typeOfDevice(string(table), device), nil
}

func typeOfDevice(mountinfo, device string) string {
	for line := range strings.Lines(mountinfo) {
		left, right, _ := strings.Cut(line, " - ")
		fields, rest := strings.Fields(left), strings.Fields(right)
		if len(fields) > 2 && fields[2] == device && len(rest) > 0 {
			return rest[0]
		}
	}
	return "fuse"
}
