//go:build torture

package journal

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// killpoint ends this process with SIGKILL at its Nth commit:
// EVAC_TORTURE_COMMIT=N,before or N,after (0 or nothing: never).
type killpoint struct{ commits atomic.Int64 }

func (k *killpoint) before() { k.strike(k.commits.Add(1), "before") }
func (k *killpoint) after()  { k.strike(k.commits.Load(), "after") }

func (k *killpoint) strike(commit int64, moment string) {
	n, when, _ := strings.Cut(os.Getenv("EVAC_TORTURE_COMMIT"), ",")
	if n != strconv.FormatInt(commit, 10) || when != moment {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // cannot fail: the process is our own
	select {}
}
