package torture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scriptNight runs a script of its author in its last step but one.
const scriptNight = `
runbook "script" {
  title = "A script beside the runbook"
}

stage "first" {
  step "shell" "early" {
    run  = "echo x >> early"
    undo = "rm early"
  }
}

stage "second" {
  step "shell" "script" {
    run  = "sh ./move.sh"
    undo = "sh ./back.sh"
  }
  step "shell" "late" {
    run   = "echo x >> late"
    undo  = "rm late"
    after = [step.shell.script]
  }
}
`

func newScriptNight(t *testing.T, evac string) *night {
	t.Helper()
	n := nightOf(t, evac, scriptNight)
	n.write("move.sh", "echo old >> moved\n")
	n.write("back.sh", "rm moved\n")
	return n
}

// holdBefore runs the night until it holds with a step failed.
func (n *night) holdBefore(step string) {
	n.t.Helper()
	if e := n.run(live, "run", "night.hcl", "--fail", step); e.code != 20 {
		n.t.Fatalf("exit %d, want 20\n%s", e.code, e.stderr)
	}
}

// TestHardFileChanged: a script that the runbook names is edited while the run
// is held.
func TestHardFileChanged(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.script")
	n.write("move.sh", "echo new >> moved\n")

	move := filepath.Join(n.dir, "move.sh")
	e := n.run(live, "resume")
	n.refused(e, 20, "file \""+move+"\" is not the one that was checked", "its content is different")
	if s := n.run(live, "status").stdout; !strings.Contains(unwrapped(s), "--accept-change") {
		t.Errorf("status does not say how to go on:\n%s", s)
	}
	n.is("moved", 0)

	e = n.run(live, "resume", "--accept-change")
	n.done(e)
	if !strings.Contains(e.stderr, move) {
		t.Errorf("what was accepted is not named:\n%s", e.stderr)
	}
	n.contains("moved", "new\n")

	n.write("back.sh", "rm moved; echo x > back\n")
	n.refused(n.run(live, "undo"), 20, filepath.Join(n.dir, "back.sh"), "its content is different")
	n.is("moved", 1)
	n.is("early", 1)
	n.done(n.run(live, "undo", "--accept-change"))
	n.is("moved", 0)
	n.is("back", 1)
	n.is("early", 0)
	n.chain("end")
}

// unwrapped is a text whose lines were broken to fit a terminal.
func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }

func (n *night) contains(file, want string) {
	n.t.Helper()
	got, err := os.ReadFile(filepath.Join(n.dir, file))
	if err != nil || string(got) != want {
		n.t.Errorf("%s: %q, %v, want %q", file, got, err, want)
	}
}

// edit replaces a part of the runbook.
func (n *night) edit(old, now string) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "night.hcl"))
	if err != nil {
		n.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		n.t.Fatalf("the runbook has no %q", old)
	}
	n.write("night.hcl", strings.Replace(string(text), old, now, 1))
}

const (
	earlyStep = `  step "shell" "early" {
    run  = "echo x >> early"
    undo = "rm early"
  }
`
	otherStep = `  step "shell" "other" {
    run  = "echo x >> other"
    undo = "rm other"
  }
`
)

// TestHardRunbookChanged: steps are renamed, changed and added while the run
// is held; all that was ever done is undone.
func TestHardRunbookChanged(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.script")
	n.edit(earlyStep, otherStep)
	n.edit(`run   = "echo x >> late"`, `run   = "echo y >> late"`)

	n.refused(n.run(live, "resume"), 10, `runbook "night.hcl" was changed since the run began`,
		"- shell.early is gone", "+ shell.other is new", "~ shell.late is different", "evac: hint: evac resume --accept-change --run")
	n.refused(n.run(live, "retry", "shell.script"), 10, "was changed since the run began", "--accept-change")
	n.is("moved", 0)

	n.done(n.run(live, "resume", "--accept-change"))
	n.is("early", 1)
	n.is("other", 1)
	n.contains("late", "y\n")

	n.done(n.run(live, "undo"))
	for _, file := range []string{"early", "other", "moved", "late"} {
		n.is(file, 0)
	}
	n.chain("end")
}

// TestHardUndoByOldText: undo takes the text that a step ran with, whatever
// the runbook says by now; a failed undo can be mended.
func TestHardUndoByOldText(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.edit("rm early", "false")
	n.done(n.run(live, "run", "night.hcl"))
	n.edit("rm late", "touch wrong")
	e := n.run(live, "undo")
	n.refused(e, 20, "shell.early", "exit status 1", "undone by the text that it was done by")
	n.is("late", 0)
	if _, err := os.Stat(filepath.Join(n.dir, "wrong")); err == nil {
		t.Error("the new text was used for what the old one did")
	}
	n.edit(`undo = "false"`, `undo = "rm early"`)
	n.refused(n.run(live, "resume"), 10, "shell.early is different", "--accept-change")
	n.done(n.run(live, "resume", "--accept-change"))
	n.is("early", 0)
	n.chain("end")
}

// TestHardStageRemoved: the undo finds steps whose whole stage is gone.
func TestHardStageRemoved(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.edit("stage \"first\"", "stage \"zero\" {\n"+otherStep+"}\n\nstage \"first\"")
	n.holdBefore("shell.script")
	n.edit("stage \"first\" {\n"+earlyStep+"}\n", "")
	n.done(n.run(live, "resume", "--accept-change"))
	n.refused(n.run(live, "undo", "--to", "second"), 20, "the run stands before stage \"second\"")
	n.is("early", 1)
	n.is("other", 1)
	n.is("late", 0)
	n.done(n.run(live, "undo"))
	n.is("early", 0)
	n.is("other", 0)
	n.chain("end")
}

// TestHardCutOffStepRemoved: what a killed conductor was in the middle of must
// not be edited away.
func TestHardCutOffStepRemoved(t *testing.T) {
	n := nightOf(t, parallel(t), strings.ReplaceAll(scriptNight, `"sh ./move.sh"`, `"echo x >> begun; while ! test -e go; do sleep 0.02; done; echo x >> moved"`))
	p := n.begin("run", "night.hcl")
	n.untilFile("begun")
	p.Process.Kill()
	p.ends()
	n.edit(`step "shell" "script"`, `step "shell" "scripted"`)
	n.edit("step.shell.script", "step.shell.scripted")
	n.refused(n.run(live, "resume", "--accept-change"), 10, `step "shell.script" was cut off in the middle`, "evac: hint: put it back")
	n.edit(`step "shell" "scripted"`, `step "shell" "script"`)
	n.edit("step.shell.scripted", "step.shell.script")
	n.write("go", "")
	n.done(n.run(live, "resume"))
	n.is("begun", 1)
	n.is("moved", 1)
}

// TestHardRunbookUnreadable: a runbook that is half edited, or gone, does not
// keep anybody from going back.
func TestHardRunbookUnreadable(t *testing.T) {
	n := newScriptNight(t, parallel(t))
	n.holdBefore("shell.late")
	n.edit(`stage "second" {`, `stage "second" `)
	n.refused(n.run(live, "resume"), 10, "night.hcl:")
	n.refused(n.run(live, "undo", "--to", "second"), 20, "the runbook was changed since the run began")
	n.is("moved", 0)
	n.remove("night.hcl")
	n.done(n.run(live, "resume"))
	n.is("moved", 1)
	n.is("late", 1)
	n.done(n.run(live, "undo"))
	n.is("early", 0)
}
