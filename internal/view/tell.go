package view

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/text"
)

// Line is one event in words.
type Line struct {
	At    time.Time
	Where string // node, stage or "run"
	What  string // one line, without a full stop
	Mark  Mark
	// Detail tells that the line belongs into a report only: nobody waits
	// for it.
	Detail bool
}

// Mark says at a glance what kind of news a line is; it is drawn as a symbol,
// and coloured where there are colours.
type Mark string

// The marks. Their symbols take one column in every terminal.
const (
	MarkInfo  Mark = "-"
	MarkGo    Mark = "▸"
	MarkGood  Mark = "✓"
	MarkBad   Mark = "✗"
	MarkAsk   Mark = "?"
	MarkSkip  Mark = "»"
	MarkUndo  Mark = "↶"
	MarkWatch Mark = "!"
)

// Tell says an event in words. The state is that before the event: it knows
// what the event refers to. Times are told in zone.
func Tell(e journal.Event, before *journal.State, zone *time.Location) Line {
	line := Line{At: e.At, Where: e.Step, Mark: MarkInfo}
	if line.Where == "" {
		line.Where = "run"
	}
	say, known := tells[e.Type]
	if !known {
		line.What, line.Detail = string(e.Type), true
		return line
	}
	say(&telling{Line: &line, e: e, s: before, zone: zone})
	line.What = text.Clean(line.What)
	return line
}

// telling is a line while it is made.
type telling struct {
	*Line
	e    journal.Event
	s    *journal.State
	zone *time.Location
}

func (t *telling) say(mark Mark, format string, args ...any) {
	t.Mark, t.What = mark, fmt.Sprintf(format, args...)
}

// detail marks the line as one for the report only.
func (t *telling) detail(mark Mark, format string, args ...any) {
	t.say(mark, format, args...)
	t.Detail = true
}

func (t *telling) who(demo, claimed bool) string { return Who(t.e.Actor, demo, claimed) }

func (t *telling) clock(at time.Time) string { return Clock(at, t.e.At, t.zone) }

// Who is a person's name, marked if the demo spoke for them or if nobody
// proved that it was they.
func Who(name string, demo, claimed bool) string {
	switch {
	case demo:
		return name + " (demo)"
	case claimed:
		return name + " (claimed)"
	}
	return name
}

// Clock is a time of day; with its date if that is not today's.
func Clock(at, now time.Time, zone *time.Location) string {
	at, now = at.In(zone), now.In(zone)
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format("2006-01-02 15:04")
}

// because puts a reason behind a sentence, if there is one.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// body reads the event's body and tells it. A body that cannot be read is told
// as the bare type: the journal's verification is where that is an error.
func body[B any](tell func(t *telling, b B)) func(*telling) {
	return func(t *telling) {
		var b B
		if len(t.e.Body) > 0 {
			if err := json.Unmarshal(t.e.Body, &b); err != nil {
				t.detail(MarkWatch, "%s with an unreadable body: %v", t.e.Type, err)
				return
			}
		}
		tell(t, b)
	}
}

// asked tells a request of a person.
func asked(mark Mark, what string) func(*telling) {
	return body(func(t *telling, b journal.NoteBody) {
		t.say(mark, "%s asked by %s%s", what, t.who(b.Demo, b.Claimed), because(b.Text))
	})
}

// tells says what each event is in words.
var tells = map[journal.Type]func(*telling){
	journal.RunCreated: body(tellCreated),
	journal.RunChanged: body(func(t *telling, b journal.RunBody) {
		t.say(MarkWatch, "goes on with a changed runbook (%s), accepted by %s", text.Hash(b.Hash), t.e.Actor)
	}),
	journal.RunTaken: body(func(t *telling, b journal.TakenBody) {
		verb := "conducted"
		if b.Resume {
			verb = "taken over"
		}
		t.say(MarkGo, "%s by %s on %s (process %d)", verb, b.Runner, b.Host, b.PID)
		t.Detail = !b.Resume
	}),
	journal.RunHeld:    body(func(t *telling, b journal.HeldBody) { t.say(MarkAsk, "held%s", because(b.Reason)) }),
	journal.RunGoesOn:  body(func(t *telling, b journal.NoteBody) { t.say(MarkGo, "goes on%s", because(b.Text)) }),
	journal.RunStopped: body(func(t *telling, b journal.HeldBody) { t.say(MarkWatch, "conductor let go%s", because(b.Reason)) }),
	journal.RunDone:    body(tellEnd),
	journal.RunAborted: body(tellEnd),
	journal.RunNote:    body(tellNote),

	journal.StageStarted: func(t *telling) { t.say(MarkGo, "stage begins") },
	journal.StageDone:    tellStageDone,

	journal.StepPlanned: body(func(t *telling, b journal.PlanBody) { t.detail(MarkInfo, "planned: %s", b.Plan.Summary) }),
	journal.StepIntent:  tellIntent,
	journal.StepSaved:   func(t *telling) { t.detail(MarkInfo, "checkpoint saved") },
	journal.StepChanged: body(func(t *telling, b step.Setting) { t.detail(MarkWatch, "changes: %s", b.What) }),
	journal.StepRestored: body(func(t *telling, b journal.SettingBody) {
		t.detail(MarkGood, "no longer changed: %s", settingWords(t.s, t.e.Step, b.ID))
	}),
	journal.StepRan: body(func(t *telling, b journal.RanBody) {
		t.detail(MarkInfo, "ran in %s%s", text.Millis(b.ElapsedMS), workWords(b.Work, b.ElapsedMS))
	}),
	journal.StepVerified: body(tellVerified),
	journal.StepFailed:   body(tellFailed),
	journal.StepSkipped: body(func(t *telling, b journal.NoteBody) {
		t.say(MarkSkip, "skipped by %s%s", t.who(b.Demo, b.Claimed), because(b.Text))
	}),
	journal.StepRearmed: body(func(t *telling, b journal.NoteBody) { t.detail(MarkInfo, "pending again%s", because(b.Text)) }),

	journal.UndoStarted: body(func(t *telling, b journal.UndoBody) { t.say(MarkUndo, "goes back %s", undoExtent(b)) }),
	journal.UndoIntent:  func(t *telling) { t.say(MarkUndo, "undo starts") },
	journal.StepUndone:  body(func(t *telling, b journal.TimeBody) { t.say(MarkUndo, "undone in %s", text.Millis(b.ElapsedMS)) }),
	journal.UndoFailed:  body(func(t *telling, b journal.FailBody) { t.say(MarkBad, "undo failed: %s", b.Error) }),
	journal.UndoPassed:  body(func(t *telling, b journal.NoteBody) { t.say(MarkWatch, "cannot be undone%s", because(b.Text)) }),
	journal.UndoDone:    body(func(t *telling, b journal.UndoBody) { t.say(MarkUndo, "went back %s", undoExtent(b)) }),

	journal.GateWaits:   body(tellGateWaits),
	journal.GatePassed:  body(tellGatePassed),
	journal.GateRefused: body(func(t *telling, b journal.NoteBody) { t.say(MarkBad, "refused%s", because(b.Text)) }),
	journal.ListWaits:   tellListWaits,
	journal.ListPassed:  func(t *telling) { t.say(MarkGood, "all items ticked") },

	journal.AskApprove: body(func(t *telling, b journal.ApproveBody) {
		t.say(MarkGood, "approved by %s%s", t.who(b.Demo, b.Claimed), because(b.Note))
	}),
	journal.AskReject: body(func(t *telling, b journal.NoteBody) {
		t.say(MarkBad, "rejected by %s%s", t.who(b.Demo, b.Claimed), because(b.Text))
	}),
	journal.AskTick: body(tellTick),
	journal.AskItem: body(func(t *telling, b journal.ItemBody) {
		t.say(MarkInfo, "item %q added by %s for %s%s", b.Name, t.e.Actor, b.Owner, because(b.Text))
	}),
	journal.AskHold:    asked(MarkAsk, "hold"),
	journal.AskRelease: asked(MarkGo, "release"),
	journal.AskRetry:   asked(MarkGo, "retry"),
	journal.AskSkip:    asked(MarkSkip, "skip"),
	journal.AskAbort:   asked(MarkBad, "abort"),
	journal.AskStop:    asked(MarkWatch, "stop"),
	journal.AskUndo:    body(func(t *telling, b journal.UndoBody) { t.say(MarkUndo, "undo %s asked by %s", undoExtent(b), t.e.Actor) }),
	journal.AskConfirm: body(func(t *telling, b journal.NoteBody) {
		t.say(MarkGood, "confirmed by %s%s", t.who(b.Demo, b.Claimed), because(b.Text))
	}),
	journal.AskNote:     body(tellNote),
	journal.AskAnswered: body(tellAnswered),
}
