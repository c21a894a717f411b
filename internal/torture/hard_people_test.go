package torture

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowNight waits in its second step until somebody makes the file "go".
const slowNight = `
runbook "slow" {
  title = "A night that takes its time"
}

variable "token" {
  secret = true
}

people {
  kim  = "lead"
  park = "database"
  lee  = "gateway"
}

stage "work" {
  step "shell" "first" {
    run  = "echo x >> first"
    undo = "rm -f first"
  }
  step "shell" "slow" {
    run   = "echo x >> begun; while ! test -e go; do sleep 0.02; done; echo x >> ended"
    undo  = "rm -f begun ended"
    env   = { TOKEN = var.token }
    after = [step.shell.first]
  }
  step "shell" "bad" {
    run   = "test -e good"
    undo  = "true"
    after = [step.shell.slow]
  }
}

stage "open" {
  checklist "seen" {
    item "login" { owner = "kim" }
    item "pay" { owner = "lee" }
  }
  gate "go" {
    ask       = "open?"
    approvals = 2
    people    = ["kim", "park"]
    after     = [checklist.seen]
  }
}
`

// TestHardSecondConductor: a second terminal is told who conducts, and its
// orders reach the living conductor, without the secrets that only that has.
func TestHardSecondConductor(t *testing.T) {
	n := nightOf(t, parallel(t), slowNight)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	p := n.begin("run", "night.hcl", "--wait", "--as", "noh")
	n.untilFile("begun")

	who := fmt.Sprintf("is conducted by \"noh\" (process %d on %s) since %s", p.Process.Pid, host, time.Now().Format("2006-01-02"))
	for _, command := range []string{"run night.hcl", "resume"} {
		n.refused(n.run(live, strings.Fields(command)...), 11, who, "evac status", "--watch")
	}
	if s := n.run(live, "status").stdout; !strings.Contains(s, "noh") {
		t.Errorf("status does not name who conducts:\n%s", s)
	}

	n.done(n.order("hold", "--reason", "wait for park"))
	n.write("go", "")
	n.until("the hold", func() bool {
		return strings.Contains(n.run(live, "status").stdout, "wait for park") && n.count("ended") == 1
	})
	n.done(n.order("release"))
	n.until("the failure", func() bool { return len(n.status().Failed) == 1 })
	n.refused(n.order("release"), 10, `refuses: "shell.bad" has failed: retry or skip it`)
	n.refused(n.order("retry", "shell.none"), 10, `no step "shell.none" in`)
	n.refused(n.order("skip", "shell.first", "--reason", "x"), 10, "shell.first")
	n.write("good", "")
	n.done(n.order("retry", "shell.bad"))
	n.done(n.order("undo"))
	n.done(p.ends())
	n.is("first", 0)
	n.is("ended", 0)
	n.chain("end")
}

// order is a command from a terminal that has no secrets.
func (n *night) order(args ...string) ended {
	n.t.Helper()
	cmd := n.command(n.t.Context(), args...)
	for i, v := range cmd.Env {
		if strings.HasPrefix(v, "EVAC_VAR_") {
			cmd.Env[i] = "NOTHING="
		}
	}
	return n.beginCommand(cmd).ends()
}

// TestHardOrderNotCarriedOut: an order that finds neither a conductor nor the
// secrets to become one leaves nothing behind that a later conductor would
// obey.
func TestHardOrderNotCarriedOut(t *testing.T) {
	n := nightOf(t, parallel(t), slowNight)
	n.write("go", "")
	if e := n.run(live, "run", "night.hcl"); e.code != 20 {
		t.Fatalf("exit %d\n%s", e.code, e.stderr)
	}
	n.refused(n.order("skip", "shell.bad", "--reason", "not needed"), 10, `"token"`, "EVAC_VAR_token")
	if e := n.run(live, "resume"); e.code != 20 || len(n.status().Failed) != 1 {
		t.Errorf("the order was obeyed: exit %d\n%s", e.code, e.stderr)
	}
}

// TestHardTwoApproveAtOnce: two people and many others speak in the same
// moment; the gate passes once and every word is kept.
func TestHardTwoApproveAtOnce(t *testing.T) {
	n := nightOf(t, parallel(t), slowNight)
	n.write("go", "")
	n.write("good", "")
	p := n.begin("run", "night.hcl", "--wait", "--as", "noh")
	n.until("the checklist", func() bool { return len(n.status().Checklists) == 1 })

	words := [][]string{
		{"tick", "seen.login", "--as", "kim"}, {"tick", "seen.pay", "--as", "lee"},
		{"approve", "go", "--as", "kim"}, {"approve", "go", "--as", "park"},
	}
	for i := range 16 {
		words = append(words, []string{"note", fmt.Sprintf("word %d", i), "--as", [...]string{"kim", "park", "lee"}[i%3]})
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, word := range words {
		all.Go(func() {
			e := n.order(word...)
			mu.Lock()
			defer mu.Unlock()
			// Whoever comes after the end is told so.
			if e.code != 0 && !strings.Contains(e.stderr, "has ended: done") && !strings.Contains(e.stderr, "no unfinished run") {
				t.Errorf("evac %s: exit %d\n%s", strings.Join(word, " "), e.code, e.stderr)
			}
		})
	}
	all.Wait()
	n.done(p.ends())
	n.chain("end")
	counts := n.events()
	for kind, want := range map[string]int{"ask.tick": 2, "ask.approve": 2, "gate.passed": 1, "checklist.passed": 1, "run.done": 1} {
		if counts[kind] != want {
			t.Errorf("%d events %s, want %d", counts[kind], kind, want)
		}
	}
}

// TestHardTwentyAtOnce: twenty processes speak to a run whose conductor is at
// work; every word is kept once, in one chain.
func TestHardTwentyAtOnce(t *testing.T) {
	n := nightOf(t, parallel(t), slowNight)
	p := n.begin("run", "night.hcl", "--wait", "--as", "noh")
	n.untilFile("begun")
	var all sync.WaitGroup
	for i := range 20 {
		word := []string{"note", fmt.Sprintf("word %d", i)}
		switch i % 4 {
		case 1:
			word = []string{"tick", "seen.login", "--result", "failed", "--as", "kim"}
		case 2:
			word = []string{"approve", "go", "--as", "park"}
		case 3:
			word = []string{"add-item", fmt.Sprintf("seen.extra%d", i), "--as", "lee"}
		}
		all.Go(func() {
			if e := n.order(word...); e.code != 0 {
				t.Errorf("evac %s: exit %d\n%s", strings.Join(word, " "), e.code, e.stderr)
			}
		})
	}
	all.Wait()
	counts := n.events()
	for kind, want := range map[string]int{"ask.note": 5, "ask.tick": 5, "ask.approve": 5, "ask.item": 5} {
		if counts[kind] != want {
			t.Errorf("%d events %s, want %d", counts[kind], kind, want)
		}
	}
	n.done(n.order("undo"))
	n.write("go", "")
	n.done(p.ends())
	n.chain("end")
}

// events counts the newest run's events by type.
func (n *night) events() map[string]int {
	n.t.Helper()
	counts := map[string]int{}
	for line := range strings.Lines(n.done(n.run(live, "journal", "export")).stdout) {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			n.t.Fatalf("%v: %s", err, line)
		}
		counts[e.Type]++
	}
	return counts
}
