//go:build linux || darwin

package pg

import (
	"fmt"
	"syscall"
)

// freeBytes is what an ordinary user may still write to the file system of a
// directory.
func freeBytes(directory string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(directory, &s); err != nil {
		return -1, fmt.Errorf("ask free space of %q: %w", directory, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // the types differ between systems
}
