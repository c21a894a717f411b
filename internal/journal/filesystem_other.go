//go:build !linux && !darwin

package journal

// filesystemType cannot tell here; nothing is refused.
func filesystemType(string) (string, error) { return "", nil }
