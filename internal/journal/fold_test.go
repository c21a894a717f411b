package journal

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/step"
)

const (
	stepA = "shell.a"
	gateG = "gate.g"
	listL = "checklist.l"
)

func noon(minutes int) time.Time { return time.Date(2026, 1, 2, 12, minutes, 0, 0, time.UTC) }

func foldBody() RunBody {
	return RunBody{
		Runbook: "move", Mode: Live, Stages: []string{"one", "two"},
		Nodes: []NodeBody{
			{ID: stepA, Class: ClassStep, Stage: "one"},
			{ID: gateG, Class: ClassGate, Stage: "two"},
			{ID: listL, Class: ClassChecklist, Stage: "two", Items: []ItemBody{{Name: "login", Owner: "kim"}}},
		},
	}
}

// on is an event of a run; line numbers seq and minute.
func on(t Type, actor, step string, body any) Event { return NewEvent(t, actor, step, 1, body) }

// replay folds run.created and the events, one a minute.
func replay(events ...Event) (*State, error) {
	events = append([]Event{on(RunCreated, "kim", "", foldBody())}, events...)
	for i := range events {
		events[i].Run, events[i].Seq, events[i].At = "r", int64(i+1), noon(i)
	}
	return Fold(events)
}

type of = func(*State) any

func ofA(f func(*NodeState) any) of { return func(s *State) any { return f(s.Node(stepA)) } }
func ofG(f func(*NodeState) any) of { return func(s *State) any { return f(s.Node(gateG)) } }
func ofL(f func(*NodeState) any) of { return func(s *State) any { return f(s.Node(listL)) } }

func phase(n *NodeState) any   { return n.Phase }
func changed(n *NodeState) any { return n.Changed }
func asks(s *State) any        { return len(s.Asks) }

func settled(results ...string) []Event {
	var events []Event
	for _, r := range results {
		events = append(events, on(AskTick, "kim", listL, TickBody{Item: "login", Result: r, Evidence: "seen"}))
	}
	return events
}

// The bodies are values that no test changes.
var (
	held    = HeldBody{Reason: "step failed", CauseExit: 1}
	note    = NoteBody{Text: "because"}
	setting = step.Setting{ID: "ro", What: "w", Old: "off", New: "on"}
	fail    = FailBody{Phase: "run", Error: "boom", Exit: 1}
	ran     = RanBody{Output: json.RawMessage(`{"rows":3}`), Work: step.Work{Unit: "rows", Total: 3}, ElapsedMS: 40}
)

func TestFold(t *testing.T) {
	intent := on(StepIntent, "evac", stepA, IntentBody{PlanHash: "p"})
	proof := on(StepRan, "evac", stepA, ran)
	verified := on(StepVerified, "evac", stepA, TimeBody{ElapsedMS: 5})
	saved := on(StepSaved, "evac", stepA, map[string]int{"at": 7})
	change := on(StepChanged, "evac", stepA, setting)
	waits := on(GateWaits, "evac", gateG, GateBody{Plan: "p", Until: noon(59)})
	approve := on(AskApprove, "lee", gateG, ApproveBody{Plan: "p", Note: "go"})
	plan := step.Plan{Summary: "does it"}

	untested := map[Type]bool{}
	for typ := range folds {
		untested[typ] = true
	}
	for _, c := range []struct {
		name   string
		events []Event
		get    of
		want   any
	}{
		{"created", nil, func(s *State) any { return s.Created }, noon(0)},
		{"taken", []Event{on(RunStopped, "evac", "", held), on(RunTaken, "kim", "", TakenBody{Runner: "kim", Host: "h", PID: 7})},
			func(s *State) any { return []any{s.Runner, s.Host, s.PID, s.Stopped == nil} }, []any{"kim", "h", 7, true}},
		{"held", []Event{on(RunHeld, "evac", "", held)}, func(s *State) any { return *s.Held }, held},
		{"goes on", []Event{on(RunHeld, "evac", "", held), on(RunGoesOn, "evac", "", note)}, func(s *State) any { return s.Held == nil }, true},
		{"stopped", []Event{on(RunStopped, "evac", "", held)}, func(s *State) any { return *s.Stopped }, held},
		{"done", []Event{on(RunHeld, "evac", "", held), on(RunDone, "evac", "", EndBody{Result: ResultDone})},
			func(s *State) any { return []any{s.Finished(), s.Result, s.Ended, s.Held == nil} }, []any{true, ResultDone, noon(2), true}},
		{"aborted", []Event{on(RunAborted, "evac", "", EndBody{Result: ResultAborted})}, func(s *State) any { return s.Result }, ResultAborted},
		{"note of evac", []Event{on(RunNote, "evac", "", note)}, func(s *State) any { return s.Notes }, []Note{{By: "evac", At: noon(1), Text: "because"}}},
		{"stage started", []Event{on(StageStarted, "evac", "one", nil)}, func(s *State) any { return *s.Stage("one") }, StageState{Name: "one", Started: noon(1)}},
		{"stage done", []Event{on(StageStarted, "evac", "one", nil), on(StageDone, "evac", "one", nil)},
			func(s *State) any { return *s.Stage("one") }, StageState{Name: "one", Started: noon(1), Ended: noon(2)}},
		{"stage again", []Event{on(StageStarted, "evac", "one", nil), on(StageDone, "evac", "one", nil), on(StageStarted, "evac", "one", nil)},
			func(s *State) any { return *s.Stage("one") }, StageState{Name: "one", Started: noon(1)}},

		{"planned", []Event{on(StepPlanned, "evac", stepA, PlanBody{Plan: plan})}, ofA(func(n *NodeState) any { return *n.Plan }), plan},
		{"intent", []Event{intent}, ofA(func(n *NodeState) any { return []any{n.Phase, n.Started, n.Order, n.Attempt} }), []any{Running, noon(1), int64(1), 1}},
		{"saved", []Event{intent, saved}, ofA(func(n *NodeState) any { return string(n.Saved) }), `{"at":7}`},
		{"changed", []Event{change}, ofA(changed), []step.Setting{setting}},
		{"changed twice", []Event{change, on(StepChanged, "evac", stepA, step.Setting{ID: "ro", Old: "on", New: "full"})},
			ofA(changed), []step.Setting{{ID: "ro", What: "w", Old: "off", New: "full"}}},
		{"restored", []Event{change, on(StepRestored, "evac", stepA, SettingBody{ID: "ro"})}, ofA(changed), []step.Setting{}},
		{"ran", []Event{intent, proof}, ofA(func(n *NodeState) any { return []any{n.Phase, string(n.Output), n.Work, n.RunMS, n.Order} }),
			[]any{Ran, `{"rows":3}`, ran.Work, int64(40), int64(2)}},
		{"verified", []Event{intent, on(StepFailed, "evac", stepA, fail), intent, proof, verified},
			ofA(func(n *NodeState) any {
				return []any{n.Phase, n.VerifyMS, n.Fail == nil, n.Started, n.Ended, n.Settled()}
			}),
			[]any{Done, int64(5), true, noon(1), noon(5), true}},
		{"failed", []Event{intent, on(StepFailed, "evac", stepA, fail)}, ofA(func(n *NodeState) any { return []any{n.Phase, *n.Fail} }), []any{Failed, fail}},
		{"tried again soon", []Event{intent, on(StepFailed, "evac", stepA, FailBody{RetryInMS: 10})}, ofA(phase), Waiting},
		{"skipped", []Event{on(StepSkipped, "evac", stepA, note)}, ofA(func(n *NodeState) any { return []any{n.Phase, n.Reason, n.Settled()} }), []any{Skipped, "because", true}},
		{"rearmed keeps what it saved", []Event{intent, saved, change, on(StepFailed, "evac", stepA, fail), on(StepRearmed, "evac", stepA, note)},
			ofA(func(n *NodeState) any {
				return []any{n.Phase, n.Started.IsZero(), n.Fail == nil, string(n.Saved), len(n.Changed)}
			}),
			[]any{Pending, true, true, `{"at":7}`, 1}},

		{"undo started reopens", []Event{on(RunDone, "evac", "", EndBody{Result: ResultDone}), on(UndoStarted, "evac", "", UndoBody{To: "two"})},
			func(s *State) any { return []any{s.Undo.To, s.Finished(), s.Ended.IsZero()} }, []any{"two", false, true}},
		{"undo intent", []Event{intent, proof, on(UndoIntent, "evac", stepA, nil)}, ofA(phase), Undoing},
		{"undone forgets", []Event{intent, saved, proof, verified, on(StepUndone, "evac", stepA, TimeBody{})},
			ofA(func(n *NodeState) any { return []any{n.Phase, n.Saved == nil, n.Output == nil, n.Order} }), []any{Undone, true, true, int64(0)}},
		{"undone and still changed", []Event{change, on(StepUndone, "evac", stepA, TimeBody{})}, ofA(changed), []step.Setting{setting}},
		{"undo failed", []Event{on(UndoFailed, "evac", stepA, fail)}, ofA(func(n *NodeState) any { return []any{n.Phase, *n.Fail} }), []any{Failed, fail}},
		{"undo passed", []Event{on(UndoPassed, "evac", stepA, note)},
			func(s *State) any { return []any{s.Node(stepA).Phase, s.NotUndone} }, []any{PassedBy, []Unundone{{Step: stepA, Reason: "because", At: noon(1)}}}},
		{"undo done", []Event{on(UndoStarted, "evac", "", UndoBody{}), on(UndoDone, "evac", "", UndoBody{})}, func(s *State) any { return s.Undo == nil }, true},

		{"gate waits", []Event{waits}, ofG(func(n *NodeState) any { return []any{n.Phase, n.Wait.Plan, n.Until} }), []any{Waiting, "p", noon(59)}},
		{"approved before and after", []Event{approve, waits, approve}, ofG(func(n *NodeState) any { return n.Votes }), []Vote{
			{By: "lee", At: noon(1), Yes: true, Body: ApproveBody{Plan: "p", Note: "go"}, Seq: 2},
			{By: "lee", At: noon(3), Yes: true, Body: ApproveBody{Plan: "p", Note: "go"}, Seq: 4}}},
		{"gate passed", []Event{waits, approve, on(GatePassed, "evac", gateG, GatePassBody{How: "approved", By: []string{"lee"}})},
			ofG(func(n *NodeState) any { return []any{n.Phase, n.Passed.By, n.Order} }), []any{Done, []string{"lee"}, int64(2)}},
		{"gate refused", []Event{waits, on(GateRefused, "evac", gateG, note)}, ofG(func(n *NodeState) any { return []any{n.Phase, n.Reason} }), []any{Refused, "because"}},
		{"votes lapse", []Event{waits, approve, on(StepRearmed, "evac", gateG, note)}, ofG(func(n *NodeState) any { return []any{n.Phase, len(n.Votes), n.Wait == nil} }), []any{Pending, 0, true}},
		{"rejected", []Event{waits, on(AskReject, "lee", gateG, note)},
			func(s *State) any {
				return []any{len(s.Asks), s.Node(gateG).Votes[0].Yes, s.Node(gateG).Votes[0].Body.Note}
			}, []any{1, false, "because"}},

		{"list waits", []Event{on(ListWaits, "evac", listL, ListBody{})}, ofL(phase), Waiting},
		{"list passed", []Event{on(ListWaits, "evac", listL, ListBody{}), on(ListPassed, "evac", listL, nil)}, ofL(phase), Done},
		{"ticked", settled(ItemOK), ofL(func(n *NodeState) any { return []any{n.Ticks[0].Settled(), n.Ticks[0].Log} }),
			[]any{true, []Tick{{By: "kim", At: noon(1), TickBody: TickBody{Item: "login", Result: ItemOK, Evidence: "seen"}}}}},
		{"failed, fixed, retested", settled(ItemFailed, ItemFixed, ItemRetested), ofL(func(n *NodeState) any { return []any{n.Ticks[0].Settled(), len(n.Ticks[0].Log)} }), []any{true, 3}},
		{"a failed item is not just ok", settled(ItemFailed, ItemOK), ofL(func(n *NodeState) any { return n.Ticks[0].Result }), ItemFailed},
		{"item added", []Event{on(AskItem, "kim", listL, ItemBody{Name: "payout", Owner: "lee"})}, ofL(func(n *NodeState) any { return n.Ticks[1].Owner }), "lee"},
		{"confirmed", []Event{on(AskConfirm, "kim", stepA, note)}, ofA(func(n *NodeState) any { return n.Confirm }), "kim"},
		{"note of a person", []Event{on(AskNote, "kim", "", note)}, func(s *State) any { return s.Notes[0].By }, "kim"},

		{"hold asked", []Event{on(AskHold, "kim", "", note)}, asks, 1},
		{"release asked", []Event{on(AskRelease, "kim", "", note)}, asks, 1},
		{"retry asked", []Event{on(AskRetry, "kim", stepA, note)}, asks, 1},
		{"skip asked", []Event{on(AskSkip, "kim", stepA, note)}, asks, 1},
		{"undo asked", []Event{on(AskUndo, "kim", "", UndoBody{})}, asks, 1},
		{"abort asked", []Event{on(AskAbort, "kim", "", note)}, asks, 1},
		{"stop asked", []Event{on(AskStop, "kim", "", note)}, asks, 1},
		{"answered", []Event{on(AskHold, "kim", "", note), on(AskStop, "kim", "", note), on(AskAnswered, "evac", "", AnswerBody{Seq: 2, Done: true})},
			func(s *State) any { return []any{len(s.Asks), s.Asks[0].Type} }, []any{1, AskStop}},

		{"requests for nothing", []Event{on(AskTick, "kim", "checklist.none", TickBody{Item: "x"}), on(AskApprove, "kim", "gate.none", ApproveBody{}), on(AskRetry, "kim", "shell.none", note)}, asks, 1},
		{"unknown type", []Event{on("room.opened", "kim", "attic", map[string]string{"a": "b"})}, func(s *State) any { return s.Seq }, int64(2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := replay(c.events...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.get(s)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			if s.Run != "r" || s.Seq != int64(len(c.events)+1) || !s.Last.Equal(noon(len(c.events))) {
				t.Errorf("head is run %q, event %d at %s", s.Run, s.Seq, s.Last)
			}
			for _, e := range c.events {
				delete(untested, e.Type)
			}
		})
	}
	delete(untested, RunCreated)
	delete(untested, RunChanged) // TestRunChanged
	for typ := range untested {
		t.Errorf("no test folds %s", typ)
	}
}

// TestRunChanged replaces a runbook in the middle of a run.
func TestRunChanged(t *testing.T) {
	oldPlan, newPlan := &step.Plan{Summary: "old"}, &step.Plan{Summary: "new"}
	b := foldBody()
	b.Nodes = []NodeBody{
		{ID: stepA, Class: ClassStep, Stage: "one", Plan: newPlan},
		{ID: "shell.b", Class: ClassStep, Stage: "three", Plan: newPlan},
		{ID: listL, Class: ClassChecklist, Stage: "one", Items: []ItemBody{{Name: "mail", Owner: "lee"}}},
	}
	b.Stages = []string{"one", "three"}
	s, err := replay(
		on(StageStarted, "evac", "one", nil),
		on(StepPlanned, "evac", stepA, PlanBody{Plan: *oldPlan}),
		on(StepIntent, "evac", stepA, IntentBody{}),
		on(StepRan, "evac", stepA, ran),
		on(StepVerified, "evac", stepA, TimeBody{}),
		on(AskItem, "kim", listL, ItemBody{Name: "added", Owner: "kim"}),
		on(RunChanged, "kim", "", b),
	)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Node(stepA)
	if a.Phase != Done || string(a.Output) != `{"rows":3}` || a.Plan.Summary != "old" {
		t.Errorf("the done step is %s with output %s and plan %q, want done by the old plan", a.Phase, a.Output, a.Plan.Summary)
	}
	if n := s.Node("shell.b"); n.Phase != Pending || n.Plan.Summary != "new" {
		t.Errorf("the new step is %s", n.Phase)
	}
	if s.Node(gateG) != nil || s.Stage("two") != nil || s.Stage("one").Started.IsZero() || len(s.Nodes) != 3 {
		t.Errorf("nodes or stages are not those of the new runbook: %d nodes", len(s.Nodes))
	}
	var items []string
	for _, i := range s.Node(listL).Ticks {
		items = append(items, i.Name)
	}
	if diff := cmp.Diff([]string{"added", "mail"}, items); diff != "" {
		t.Errorf("items: want -, got +:\n%s", diff)
	}
}

// TestFoldErrors has what a conductor must never write.
func TestFoldErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		event Event
		want  string
	}{
		{"unknown step", on(StepIntent, "evac", "shell.none", IntentBody{}), `journal of run "r": event 2 (step.intent): names "shell.none"`},
		{"unknown step without body", on(UndoIntent, "evac", "shell.none", nil), `names "shell.none"`},
		{"unknown list", on(ListPassed, "evac", "checklist.none", nil), `names "checklist.none"`},
		{"unknown stage", on(StageStarted, "evac", "none", nil), `names stage "none"`},
		{"unknown stage done", on(StageDone, "evac", "none", nil), `names stage "none"`},
		{"wrong body", on(StepRan, "evac", stepA, []int{1}), "cannot unmarshal array"},
		{"wrong body of the run", on(RunHeld, "evac", "", "text"), "cannot unmarshal string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := replay(c.event)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestApplyIsFold: a state that grows event by event is the state of all.
func TestApplyIsFold(t *testing.T) {
	events := []Event{on(RunCreated, "kim", "", foldBody()), on(StepIntent, "evac", stepA, IntentBody{}), on(StepRan, "evac", stepA, ran), on(AskHold, "kim", "", note)}
	whole, err := Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	var grown State
	for _, e := range events {
		if err := grown.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(whole, &grown, cmp.AllowUnexported(State{})); diff != "" {
		t.Errorf("fold -, apply +:\n%s", diff)
	}
}
