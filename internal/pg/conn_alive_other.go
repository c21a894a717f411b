//go:build !linux

package pg

import "syscall"

// limitSent does nothing: elsewhere the system alone says how long sent data
// may stay unacknowledged.
func limitSent(int) func(network, address string, c syscall.RawConn) error { return nil }
