//go:build torture

package salvage

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// writes counts the moments at which a process may be told to die.
var writes atomic.Int64

// killpoint ends this process with SIGKILL at its Nth write, rename or line of the
// state: EVAC_TORTURE_WRITE=N (nothing: never).
func killpoint() {
	if os.Getenv("EVAC_TORTURE_WRITE") != strconv.FormatInt(writes.Add(1), 10) {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // cannot fail: the process is our own
	select {}
}
