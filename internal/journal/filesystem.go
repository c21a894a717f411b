package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// networked are file systems whose storage other machines reach too.
func networked() []string {
	return []string{
		"9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre",
		"ncpfs", "nfs", "nfs4", "orangefs", "smb", "smb2", "smb3", "smbfs", "webdav",
	}
}

// localFUSE are the user-space file systems that keep to this machine. Any
// other may be anywhere (sshfs, s3fs, rclone …).
func localFUSE() []string {
	return []string{"bindfs", "cryfs", "encfs", "exfat", "fuse-overlayfs", "gocryptfs", "ntfs-3g", "securefs"}
}

// isNetwork tells whether a file system of that type is refused.
func isNetwork(name string) bool {
	name = strings.ToLower(name)
	if kind, ok := strings.CutPrefix(name, "fuse."); ok {
		return !slices.Contains(localFUSE(), kind)
	}
	return name == "fuse" || name == "macfuse" || name == "osxfuse" || slices.Contains(networked(), name)
}

// refuseNetwork looks at the file system that holds home, or will hold it.
func refuseNetwork(home string, typeOf func(string) (string, error)) error {
	if typeOf == nil {
		typeOf = filesystemType
	}
	path, err := nearest(home)
	if err != nil {
		return explain("find the journal's directory", home, err)
	}
	name, err := typeOf(path)
	if err != nil {
		return explain("ask for the type of the journal's file system", home, err)
	}
	if isNetwork(name) {
		return fault.New(fault.Invalid, fmt.Sprintf("journal in %q: lies on a network file system (%s), where locks and syncs cannot be trusted", home, name),
			"set EVAC_HOME to a directory on a local disk: EVAC_HOME=/var/lib/evac")
	}
	return nil
}

// nearest is path or its closest ancestor that exists.
func nearest(path string) (string, error) {
	for {
		_, err := os.Stat(path)
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return path, err
		}
		path = filepath.Dir(path)
	}
}
