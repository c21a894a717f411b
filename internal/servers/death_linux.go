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
