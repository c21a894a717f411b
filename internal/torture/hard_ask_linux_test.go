package torture

import (
	"strings"
	"testing"
)

// askNight fails in two steps until their files are there.
const askNight = `
runbook "asks" {
  title = "Somebody sits at the terminal"
}

stage "work" {
  step "shell" "one" {
    run = "echo x >> tries; test -e good"
  }
  step "shell" "two" {
    run   = "echo x >> more; test -e better"
    after = [step.shell.one]
  }
}
`

// TestHardAsked: the person at the terminal is asked what to do, again after a
// wrong answer or a refused one, and no more when somebody else has answered.
func TestHardAsked(t *testing.T) {
	n := nightOf(t, parallel(t), askNight)
	p := n.beginOnTerminal("run", "night.hcl")
	const ask = "[retry] shell.one, skip REASON, undo [STAGE], stop, abort: "
	asked := func(times int) {
		t.Helper()
		n.until("the question", func() bool { return strings.Count(p.screen.String(), ask) == times })
	}
	asked(1)
	p.press("what?\n")
	asked(2)
	p.press("skip\n") // without a reason
	asked(3)
	p.press("undo nowhere\n")
	p.shows(`no stage "nowhere" in this run`)
	asked(4)
	p.press("\n")
	n.until("another try", func() bool { return n.count("tries") == 2 })
	asked(5)

	n.write("good", "") // somebody else answers, while the question stands
	n.done(n.run(live, "retry", "shell.one"))
	p.shows("[retry] shell.two, skip REASON")
	n.write("better", "")
	p.press("retry\n")
	n.done(ended{code: p.ends().code})
	p.shows("done: 2 steps")
	n.is("tries", 3)
	n.is("more", 2)
	n.chain("end")
}
