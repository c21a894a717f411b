//go:build torture

package journal_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/evac-io/evac/internal/journal"
)

// TestKillpoints kills a process at each of its first commits, before and
// after: before, nothing of it is there; after, all of it.
func TestKillpoints(t *testing.T) {
	for commit := 1; commit <= 6; commit++ {
		for _, when := range []string{"before", "after"} {
			t.Run(strconv.Itoa(commit)+" "+when, func(t *testing.T) {
				dir := home(t)
				j := open(t, dir, journal.Options{})
				run, l := begin(t, j, 1)
				if err := l.Release(); err != nil {
					t.Fatal(err)
				}
				// Its commits are requests.
				cmd := exec.CommandContext(t.Context(), os.Args[0])
				cmd.Env = append(os.Environ(), fmt.Sprintf("%s=request|%s|%s|100", childEnv, dir, run), fmt.Sprintf("EVAC_TORTURE_COMMIT=%d,%s", commit, when))
				var exit *exec.ExitError
				if err := cmd.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the child ended with %v", err)
				}
				want := int64(2 + commit)
				if when == "before" {
					want--
				}
				report, err := j.Verify(t.Context(), run, "")
				if err != nil || report.Events != want {
					t.Errorf("%d events, want %d: %v", report.Events, want, err)
				}
			})
		}
	}
}
