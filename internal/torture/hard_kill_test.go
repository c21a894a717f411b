package torture

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// drillNight can be rehearsed.
const drillNight = `
runbook "rehearsed" {
  title = "A night with a drill"
}

variable "place" {
  default = "live"
}

people {
  kim = "lead"
}

stage "work" {
  step "shell" "one" {
    run   = "echo x >> one.${var.place}"
    undo  = "rm one.${var.place}"
    drill = "echo x >> one.${var.place}"
  }
  step "shell" "two" {
    run   = "echo x >> two.${var.place}"
    undo  = "rm two.${var.place}"
    drill = "echo x >> two.${var.place}"
    after = [step.shell.one]
  }
  step "page_publish" "down" {
    to = var.place
  }
  gate "go" {
    ask       = "open?"
    approvals = 1
  }
}

drill "standin" {
  variables = { place = "standin" }
}
`

// signalNight has a step that lasts until the file "go" is there and one after it.
const signalNight = `
runbook "signals" {
  title = "Somebody presses Ctrl-C"
}

stage "work" {
  step "shell" "slow" {
    run  = "echo x >> begun; while ! test -e go; do sleep 0.02; done; echo x >> ended"
    undo = "rm -f begun ended"
  }
  step "shell" "next" {
    run   = "echo x >> next"
    undo  = "rm -f next"
    after = [step.shell.slow]
  }
}
`

// finished tells that the run came to its end, each effect once (slow steps
// as often as said).
func (n *night) finished(begun int) {
	n.t.Helper()
	n.is("begun", begun)
	n.is("ended", 1)
	n.is("next", 1)
	if result := n.status().Result; result != "done" {
		n.t.Errorf("result %q", result)
	}
	n.chain("end")
}

// everyKill calls try with a kill at ever later commits, until one comes after
// the end.
func everyKill(t *testing.T, step int, try func(t *testing.T, k kill, what string) (killed bool)) {
	t.Helper()
	if *full {
		step = 1
	}
	kills := 0
	for _, moment := range []string{"before", "after"} {
		for commit := 1; ; commit += step {
			if !try(t, at(commit, moment), fmt.Sprintf("killed %s commit %d", moment, commit)) {
				break
			}
			kills++
		}
	}
	t.Logf("%d kills", kills)
	if kills < 4 {
		t.Errorf("only %d kills: the test does not test", kills)
	}
}

// TestTortureDrill kills a rehearsal; it goes on and never touches the live
// place.
func TestTortureDrill(t *testing.T) {
	evac := parallel(t)
	everyKill(t, 5, func(t *testing.T, k kill, what string) bool {
		n := nightOf(t, evac, drillNight)
		drill := []string{"drill", "night.hcl", "--pass-gates"}
		if e := n.run(k, drill...); !e.killed {
			n.done(e)
			return false
		}
		if n.begun() {
			drill = []string{"resume", "--pass-gates"}
		}
		if e := n.run(live, drill...); e.code != 0 && n.status().Result != "done" {
			t.Errorf("%s: exit %d\n%s", what, e.code, e.stderr)
		}
		n.is("one.standin", 1)
		n.is("two.standin", 1)
		if live, err := filepath.Glob(filepath.Join(n.dir, "*live*")); err != nil || len(live) > 0 {
			t.Errorf("%s: the drill touched %v (%v)", what, live, err)
		}
		n.chain(what)
		return true
	})
}

// TestTortureAlone kills a kind's own command, and its undo: the same command
// again goes on.
func TestTortureAlone(t *testing.T) {
	evac := parallel(t)
	command := []string{"step", "shell", "--run", "echo x >> one; test -e good", "--verify-command", "test -e one", "--undo-command", "rm -f one; echo x >> back"}
	undo := append(command[:len(command):len(command)], "--undo")
	everyKill(t, 3, func(t *testing.T, k kill, what string) bool {
		n := nightOf(t, evac, drillNight)
		n.write("good", "")
		if e := n.run(k, command...); !e.killed {
			n.done(e)
			return false
		}
		if e := n.run(live, command...); e.code != 0 {
			t.Errorf("%s: exit %d\n%s", what, e.code, e.stderr)
		}
		n.is("one", 1)
		n.chain(what)
		return true
	})
	everyKill(t, 3, func(t *testing.T, k kill, what string) bool {
		n := nightOf(t, evac, drillNight)
		n.write("good", "")
		n.done(n.run(live, command...))
		if e := n.run(k, undo...); !e.killed {
			n.done(e)
			return false
		}
		if e := n.run(live, undo...); e.code != 0 && n.count("one") > 0 {
			t.Errorf("undo %s: exit %d\n%s", what, e.code, e.stderr)
		}
		n.is("one", 0)
		n.is("back", 1)
		n.chain(what)
		return true
	})
}

// TestTortureHeld kills a conductor that stays while the run is held, when it
// obeys an order: whoever gave the order carries it out.
func TestTortureHeld(t *testing.T) {
	evac := parallel(t)
	held := commitsUntilHeld(t, evac)
	everyKill(t, 2, func(t *testing.T, k kill, what string) bool {
		n := nightOf(t, evac, signalNight)
		n.write("go", "")
		cmd := n.command(context.Background(), "run", "night.hcl", "--wait", "--fail", "shell.next")
		commit, moment, _ := strings.Cut(k.commit, ",")
		later, err := strconv.Atoi(commit)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(cmd.Env, fmt.Sprintf("EVAC_TORTURE_COMMIT=%d,%s", held+later, moment))
		p := n.beginCommand(cmd)
		n.until("the failure", func() bool { return n.begun() && len(n.status().Failed) == 1 })
		e := n.run(live, "retry", "shell.next")
		killed := p.ends().killed
		if killed || e.code != 0 {
			n.finish("run", "night.hcl")
		}
		n.finished(1)
		n.chain(what)
		return killed
	})
}

// commitsUntilHeld counts the commits of a run that waits because its last
// step has failed.
func commitsUntilHeld(t *testing.T, evac string) int {
	t.Helper()
	for commit := 1; ; commit++ {
		n := nightOf(t, evac, signalNight)
		n.write("go", "")
		if e := n.run(at(commit, "before"), "run", "night.hcl", "--fail", "shell.next"); !e.killed {
			return commit - 1
		}
	}
}
