package testenv

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// swallow puts a filter before a socket that takes no packet (socket(7),
// SO_ATTACH_FILTER): the kernel drops what arrives and acknowledges nothing,
// as if it had been lost on its way.
func swallow(socket syscall.Conn) error {
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	return control(socket, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing[0]})
	})
}

// hear takes the filter away, if there is one.
func hear(socket syscall.Conn) error {
	return control(socket, func(fd int) error {
		err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
		if errors.Is(err, unix.ENOENT) {
			err = nil
		}
		return err
	})
}

func control(socket syscall.Conn, do func(fd int) error) error {
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var wrong error
	err = raw.Control(func(fd uintptr) { wrong = do(int(fd)) })
	return errors.Join(err, wrong)
}
