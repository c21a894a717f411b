package servers

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// setDeathSignal asks the kernel to send sig when the parent ends; 0 is none.
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// zombie tells whether a process has ended and waits to be reaped, which a
// container's first process may never do: its state stands after its name
// (proc(5), /proc/pid/stat).
func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.HasPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" Z"))
}

// servesData tells whether a process is a server of that data directory.
func servesData(pid int, data string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(line, []byte(data))
}
