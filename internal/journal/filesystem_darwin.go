package journal

import "golang.org/x/sys/unix"

// filesystemType names the file system of path (statfs(2), f_fstypename).
func filesystemType(path string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(st.Fstypename[:]), nil
}
