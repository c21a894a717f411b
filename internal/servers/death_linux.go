package servers

import "syscall"

// setDeathSignal asks the kernel to send sig when the parent ends; 0 is none.
func setDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
