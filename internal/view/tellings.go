package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/text"
)

// The tellings that take more than one sentence; tells says which event each
// is for.

func tellCreated(t *telling, b journal.RunBody) {
	t.say(MarkGo, "%s, by %s (evac %s)", ModeWords(b), b.Runner, b.Version)
}

// ModeWords says what kind of run it is: `live run of "tokyo-to-seoul"`.
func ModeWords(b journal.RunBody) string {
	switch b.Mode {
	case journal.Drill:
		return fmt.Sprintf("drill %q of %q", b.Drill, b.Runbook)
	case journal.Alone:
		return fmt.Sprintf("%s alone", b.Runbook)
	}
	return fmt.Sprintf("live run of %q", b.Runbook)
}

func tellEnd(t *telling, b journal.EndBody) {
	mark := map[string]Mark{"done": MarkGood, "undone": MarkUndo}[b.Result]
	if mark == "" {
		mark = MarkBad
	}
	took := t.e.At.Sub(t.s.Created)
	t.say(mark, "%s after %s%s", b.Result, text.Duration(took), because(b.Reason))
}

func tellNote(t *telling, b journal.NoteBody) {
	t.say(MarkInfo, "note by %s: %s", t.who(b.Demo, b.Claimed), b.Text)
}

func tellStageDone(t *telling) {
	took := ""
	if st := t.s.Stage(t.e.Step); st != nil && !st.Started.IsZero() {
		took = " after " + text.Duration(t.e.At.Sub(st.Started))
	}
	t.say(MarkGood, "stage ends%s", took)
}

func tellIntent(t *telling) {
	what := "starts"
	if t.e.Attempt > 1 {
		what = fmt.Sprintf("starts again (attempt %d)", t.e.Attempt)
	}
	if n := t.s.Node(t.e.Step); n != nil && n.Plan != nil {
		what += because(n.Plan.Summary)
	}
	t.say(MarkGo, "%s", what)
}

func tellVerified(t *telling, b journal.TimeBody) {
	n := t.s.Node(t.e.Step)
	if n == nil {
		t.say(MarkGood, "verified in %s", text.Millis(b.ElapsedMS))
		return
	}
	t.say(MarkGood, "done in %s%s, verified in %s",
		text.Millis(n.RunMS), workWords(n.Work, n.RunMS), text.Millis(b.ElapsedMS))
}

// workWords is ": 1.2 GB, 12 MB/s" or nothing.
func workWords(w step.Work, ms int64) string {
	amount, rate := text.Work(w), text.WorkRate(w, ms)
	if rate != "" {
		rate = ", " + rate
	}
	if amount == "" || w.Unit == "seconds" {
		return ""
	}
	return ": " + amount + rate
}

func tellFailed(t *telling, b journal.FailBody) {
	again := ""
	if b.RetryInMS > 0 {
		again = ", tries again in " + text.Millis(b.RetryInMS)
	}
	phase := "in " + b.Phase
	if b.Phase == "lost" {
		phase = "unseen (its conductor was gone)"
	}
	t.say(MarkBad, "failed %s%s: %s", phase, again, b.Error)
}

func undoExtent(b journal.UndoBody) string {
	if b.To == "" {
		return "to the beginning"
	}
	return fmt.Sprintf("to before stage %q", b.To)
}

func tellGateWaits(t *telling, b journal.GateBody) {
	n := t.s.Node(t.e.Step)
	if n == nil || n.Gate == nil {
		t.say(MarkAsk, "waits")
		return
	}
	t.say(MarkAsk, "waits%s", because(strings.Join(gateNeeds(n.Gate, b.Until, t.clock), ", ")))
	if n.Gate.Ask != "" {
		t.What += fmt.Sprintf(" %q", n.Gate.Ask)
	}
}

// gateNeeds says what a gate waits for.
func gateNeeds(g *journal.GateRule, until time.Time, clock func(time.Time) string) []string {
	var needs []string
	if g.Approvals > 0 {
		needs = append(needs, text.Plural(g.Approvals, "approval"))
	}
	if at, err := time.Parse(time.RFC3339, g.At); err == nil {
		needs = append(needs, "not before "+clock(at))
	}
	if !until.IsZero() {
		needs = append(needs, "until "+clock(until))
	}
	return needs
}

func tellGatePassed(t *telling, b journal.GatePassBody) {
	switch b.How {
	case "approved":
		t.say(MarkGood, "open, approved by %s", strings.Join(b.By, ", "))
	case "time":
		t.say(MarkGood, "open, its time has come")
	default:
		t.say(MarkWatch, "open by %s", b.How)
	}
}

func tellListWaits(t *telling) {
	t.say(MarkAsk, "waits")
	if n := t.s.Node(t.e.Step); n != nil {
		t.say(MarkAsk, "waits for %s", text.Plural(len(n.Ticks), "item"))
	}
}

func tellTick(t *telling, b journal.TickBody) {
	mark := MarkGood
	if b.Result == journal.ItemFailed {
		mark = MarkBad
	}
	t.say(mark, "%s: %s, by %s%s", b.Item, b.Result, t.who(b.Demo, b.Claimed), because(b.Evidence))
}

func tellAnswered(t *telling, b journal.AnswerBody) {
	what := fmt.Sprintf("request %d", b.Seq)
	for _, ask := range t.s.Asks {
		if ask.Seq == b.Seq {
			what = fmt.Sprintf("%s of %s", strings.TrimPrefix(string(ask.Type), "ask."), ask.Actor)
		}
	}
	if b.Done {
		t.detail(MarkInfo, "%s: done%s", what, because(b.Reason))
		return
	}
	t.say(MarkBad, "%s refused%s", what, because(b.Reason))
}

// settingWords says a changed setting by its ID.
func settingWords(s *journal.State, node, id string) string {
	if n := s.Node(node); n != nil {
		for _, c := range n.Changed {
			if c.ID == id {
				return c.What
			}
		}
	}
	return id
}
