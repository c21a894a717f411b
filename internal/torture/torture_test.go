package torture

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/testenv"
)

var full = flag.Bool("full", false, "kill at every write and hundreds of times, not only a few")

// build makes, once, an evac that kills itself at the commit it is told.
func build(t *testing.T) string {
	t.Helper()
	evac, err := built()
	if err != nil {
		t.Fatalf("build evac: %v", err)
	}
	return evac
}

// builtIn is where evac is built to; TestMain makes and removes it.
var builtIn string

var built = sync.OnceValues(func() (string, error) {
	evac := filepath.Join(builtIn, "evac")
	out, err := exec.Command("go", "build", "-tags", "torture", "-o", evac, "../../cmd/evac").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return evac, err
})

// TestTortureWrites kills the conductor before and after each of its commits,
// forward and in undo.
func TestTortureWrites(t *testing.T) {
	evac := build(t)
	step := 7
	if *full {
		step = 1
	}
	kills := 0
	for _, moment := range []string{"before", "after"} {
		for commit := 1; ; commit += step {
			n := newNight(t, evac)
			what := fmt.Sprintf("killed %s commit %d", moment, commit)
			if e := n.run(at(commit, moment), "run", "night.hcl"); !e.killed {
				break // the run has fewer commits
			}
			n.finish("run", "night.hcl")
			n.check(what)
			kills += n.kills
		}
		for commit := 1; ; commit += step {
			n := newNight(t, evac)
			n.finish("run", "night.hcl")
			what := fmt.Sprintf("undo killed %s commit %d", moment, commit)
			if e := n.run(at(commit, moment), "undo"); !e.killed {
				n.gone("undo")
				break
			}
			n.finishUndo()
			n.gone(what)
			kills += n.kills
		}
	}
	t.Logf("%d kills at journal writes", kills)
}

// finishUndo undoes what a killed undo has left.
func (n *night) finishUndo() {
	n.t.Helper()
	if s := n.status(); s.Result == "undone" {
		return
	}
	if e := n.run(live, "undo"); e.code != 0 {
		n.t.Fatalf("evac undo: exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
}

// TestTortureRandom kills the conductor at random instants, again and again
// until the run is through.
func TestTortureRandom(t *testing.T) {
	evac := build(t)
	nights := 3
	if *full {
		nights = 100
	}
	random := dice(t)
	kills := 0
	for i := range nights {
		n := newNight(t, evac)
		what := fmt.Sprintf("night %d", i)
		for range 4 {
			command := []string{"run", "night.hcl"}
			if n.begun() {
				command = []string{"resume"}
			}
			e := n.run(kill{after: 20*time.Millisecond + time.Duration(random.Int64N(int64(350*time.Millisecond)))}, command...)
			if e.code == 0 {
				break
			}
			if !e.killed {
				n.decide()
			}
		}
		n.finish("run", "night.hcl")
		n.check(what)
		kills += n.kills
	}
	t.Logf("%d kills at random instants", kills)
	if kills < nights {
		t.Errorf("only %d kills in %d nights: the test does not test", kills, nights)
	}
}

func TestMain(m *testing.M) {
	// Started by nohup, this process would hand the ignored SIGHUP down to
	// every evac that it starts; a signal that is caught is not handed down.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	flag.Parse()
	dir, err := os.MkdirTemp("", "evac-torture-")
	if err != nil {
		panic(err)
	}
	builtIn = dir
	code := testenv.Stopping(m).Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	os.Exit(code)
}
