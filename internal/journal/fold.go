package journal

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/step"
)

// folds says what each event does to the state. Events without an entry (of a
// newer version) change nothing.
var folds = map[Type]func(*State, Event) error{
	RunCreated: foldCreated,
	RunChanged: foldChanged,
	RunTaken:   with(foldTaken),
	RunHeld:    with(func(s *State, _ Event, b HeldBody) error { s.Held = &b; return nil }),
	RunGoesOn:  func(s *State, _ Event) error { s.Held = nil; return nil },
	RunStopped: with(func(s *State, _ Event, b HeldBody) error { s.Stopped = &b; return nil }),
	RunDone:    with(foldEnd),
	RunAborted: with(foldEnd),
	RunNote:    with(foldNote),

	StageStarted: foldStageStarted,
	StageDone:    foldStageDone,

	StepPlanned:  node(func(n *NodeState, _ Event, b PlanBody) { n.Plan = &b.Plan }),
	StepIntent:   nodeOrder(func(n *NodeState, e Event, _ IntentBody) { n.begin(Running, e) }),
	StepSaved:    bare(func(n *NodeState, e Event) { n.Saved = e.Body }),
	StepChanged:  node(foldSetting),
	StepRestored: node(foldRestored),
	StepRan:      nodeOrder(foldRan),
	StepVerified: nodeOrder(func(n *NodeState, e Event, b TimeBody) { n.end(Done, e); n.VerifyMS, n.Fail = b.ElapsedMS, nil }),
	StepFailed:   node(foldFailed),
	StepSkipped:  node(func(n *NodeState, e Event, b NoteBody) { n.end(Skipped, e); n.Reason = b.Text }),
	StepRearmed:  node(func(n *NodeState, _ Event, _ NoteBody) { n.rearm() }),

	UndoStarted: with(foldUndoStarted),
	UndoIntent:  bare(func(n *NodeState, _ Event) { n.Phase = Undoing }),
	StepUndone:  node(func(n *NodeState, e Event, _ TimeBody) { n.end(Undone, e); n.forget() }),
	UndoFailed:  node(func(n *NodeState, e Event, b FailBody) { n.end(Failed, e); n.Fail = &b }),
	UndoPassed:  foldPassed,
	UndoDone:    func(s *State, _ Event) error { s.Undo = nil; return nil },

	GateWaits:   nodeOrder(foldGateWaits),
	GatePassed:  nodeOrder(func(n *NodeState, e Event, b GatePassBody) { n.end(Done, e); n.Passed = &b }),
	GateRefused: node(func(n *NodeState, e Event, b NoteBody) { n.end(Refused, e); n.Reason = b.Text }),
	ListWaits:   bareOrder(func(n *NodeState, e Event) { n.begin(Waiting, e) }),
	ListPassed:  bareOrder(func(n *NodeState, e Event) { n.end(Done, e) }),

	AskApprove: node(foldApprove),
	AskReject: asked(node(func(n *NodeState, e Event, b NoteBody) {
		n.vote(e, false, ApproveBody{Note: b.Text, Demo: b.Demo, Claimed: b.Claimed})
	})),
	AskTick:     node(foldTick),
	AskItem:     node(func(n *NodeState, _ Event, b ItemBody) { n.addItem(b) }),
	AskConfirm:  asked(node(func(n *NodeState, e Event, _ NoteBody) { n.Confirm = e.Actor })),
	AskNote:     with(foldNote),
	AskHold:     asked(nil),
	AskRelease:  asked(nil),
	AskRetry:    asked(nil),
	AskSkip:     asked(nil),
	AskUndo:     asked(nil),
	AskAbort:    asked(nil),
	AskStop:     asked(nil),
	AskAnswered: with(foldAnswered),
}

// with reads the body and applies f to the run.
func with[B any](f func(*State, Event, B) error) func(*State, Event) error {
	return func(s *State, e Event) error {
		var body B
		if err := readBody(e, &body); err != nil {
			return err
		}
		return f(s, e, body)
	}
}

// node reads the body and applies f to the node that the event names.
func node[B any](f func(*NodeState, Event, B)) func(*State, Event) error {
	return func(s *State, e Event) error {
		n, err := s.touch(e)
		if n == nil || err != nil {
			return err
		}
		var body B
		if err := readBody(e, &body); err != nil {
			return err
		}
		f(n, e, body)
		return nil
	}
}

// touch finds the node that an event names. A request that names none (any
// process may write it, and the runbook may have changed meanwhile) must not
// make the run unreadable: it changes nothing.
func (s *State) touch(e Event) (*NodeState, error) {
	n := s.byID[e.Step]
	switch {
	case n == nil && e.Type.IsRequest():
		return nil, nil
	case n == nil:
		return nil, fmt.Errorf("names %q, which is not in the runbook", e.Step)
	}
	n.Attempt = max(n.Attempt, e.Attempt)
	return n, nil
}

// nodeOrder is node for events that count in the order of completion.
func nodeOrder[B any](f func(*NodeState, Event, B)) func(*State, Event) error {
	return ordered(node(f))
}

// bare is node for events whose body is not looked at.
func bare(f func(*NodeState, Event)) func(*State, Event) error {
	return func(s *State, e Event) error {
		n, err := s.touch(e)
		if n != nil {
			f(n, e)
		}
		return err
	}
}

func bareOrder(f func(*NodeState, Event)) func(*State, Event) error { return ordered(bare(f)) }

func ordered(apply func(*State, Event) error) func(*State, Event) error {
	return func(s *State, e Event) error {
		if err := apply(s, e); err != nil {
			return err
		}
		s.order++
		s.byID[e.Step].Order = s.order
		return nil
	}
}

// asked keeps the request until a conductor answers it.
func asked(then func(*State, Event) error) func(*State, Event) error {
	return func(s *State, e Event) error {
		s.Asks = append(s.Asks, e)
		if then == nil {
			return nil
		}
		return then(s, e)
	}
}

func readBody(e Event, into any) error {
	if len(e.Body) == 0 {
		return nil
	}
	return json.Unmarshal(e.Body, into)
}

func foldCreated(s *State, e Event) error {
	s.Created = e.At
	return foldChanged(s, e)
}

// foldChanged takes a runbook in. Nodes that keep their ID keep their state.
// Items that the old runbook had and the new one has not are gone; those that
// were added while it ran stay.
func foldChanged(s *State, e Event) error {
	var body RunBody
	if err := readBody(e, &body); err != nil {
		return err
	}
	was, old, oldStages := s.Body, s.byID, s.Stages
	known := append(s.Gone, s.Nodes...)
	s.Body, s.byID, s.Nodes, s.Stages, s.Gone = body, map[string]*NodeState{}, nil, nil, nil
	for _, name := range body.Stages {
		st := &StageState{Name: name}
		for _, o := range oldStages {
			if o.Name == name {
				st = o
			}
		}
		s.Stages = append(s.Stages, st)
	}
	for _, nb := range body.Nodes {
		n := old[nb.ID]
		if n == nil {
			n = &NodeState{Phase: Pending}
		}
		n.Ticks = slices.DeleteFunc(n.Ticks, func(i *ItemState) bool {
			return slices.ContainsFunc(n.Items, i.named) && !slices.ContainsFunc(nb.Items, i.named)
		})
		n.replace(nb, &was)
		for _, item := range nb.Items {
			n.addItem(item)
		}
		s.byID[nb.ID] = n
		s.Nodes = append(s.Nodes, n)
	}
	for _, n := range known {
		if s.byID[n.ID] == nil && n.Class == ClassStep && n.Order > 0 {
			n.outlive(&was)
			s.Gone, s.byID[n.ID] = append(s.Gone, n), n
		}
	}
	return nil
}

// outlive remembers the runbook that the node stands by.
func (n *NodeState) outlive(was *RunBody) {
	if n.Former == nil {
		n.Former = was
	}
}

// replace takes the node's new text in. What stands by the old text and plan
// must be undone by them; what began and has no new plan goes on by the old.
// What failed goes on by the new text, which was perhaps written to mend it.
func (n *NodeState) replace(nb NodeBody, was *RunBody) {
	old := n.Plan
	n.NodeBody = nb
	stands := n.Phase == Done || n.Phase == Ran
	if stands {
		n.outlive(was)
	} else {
		n.Former = nil
	}
	if old != nil && (stands || nb.Plan == nil && n.Order > 0) {
		n.Plan = old
	}
}

func (i *ItemState) named(b ItemBody) bool { return i.Name == b.Name }

func foldTaken(s *State, _ Event, b TakenBody) error {
	s.Runner, s.Host, s.PID, s.Stopped = b.Runner, b.Host, b.PID, nil
	if !slices.Contains(s.Runners, b.Runner) {
		s.Runners = append(s.Runners, b.Runner)
	}
	return nil
}

func foldEnd(s *State, e Event, b EndBody) error {
	s.Result, s.Ended, s.Held, s.Stopped = b.Result, e.At, nil, nil
	return nil
}

func foldNote(s *State, e Event, b NoteBody) error {
	s.Notes = append(s.Notes, Note{By: e.Actor, At: e.At, Text: b.Text, Demo: b.Demo, Claimed: b.Claimed})
	return nil
}

// foldStageStarted begins a stage, or begins it again after an undo: the first
// start stays, the end falls away.
func foldStageStarted(s *State, e Event) error {
	st := s.Stage(e.Step)
	if st == nil {
		return fmt.Errorf("names stage %q, which is not in the runbook", e.Step)
	}
	if st.Started.IsZero() {
		st.Started = e.At
	}
	st.Ended = time.Time{}
	return nil
}

func foldStageDone(s *State, e Event) error {
	st := s.Stage(e.Step)
	if st == nil {
		return fmt.Errorf("names stage %q, which is not in the runbook", e.Step)
	}
	st.Ended = e.At
	return nil
}

// foldSetting remembers the value from before the first change: a second
// change of the same setting must not make its new value the old one.
func foldSetting(n *NodeState, _ Event, b step.Setting) {
	if i := slices.IndexFunc(n.Changed, settingID(b.ID)); i >= 0 {
		n.Changed[i].New = b.New
		return
	}
	n.Changed = append(n.Changed, b)
}

func settingID(id string) func(step.Setting) bool {
	return func(s step.Setting) bool { return s.ID == id }
}

func foldRestored(n *NodeState, _ Event, b SettingBody) {
	n.Changed = slices.DeleteFunc(n.Changed, settingID(b.ID))
}

func foldRan(n *NodeState, e Event, b RanBody) {
	n.end(Ran, e)
	n.Output, n.Work, n.RunMS = b.Output, b.Work, b.ElapsedMS
}

func foldFailed(n *NodeState, e Event, b FailBody) {
	n.end(Failed, e)
	n.Fail = &b
	if b.RetryInMS > 0 {
		n.Phase = Waiting
	}
}

func foldGateWaits(n *NodeState, e Event, b GateBody) {
	n.begin(Waiting, e)
	n.Wait, n.Until = &b, b.Until
}

func foldApprove(n *NodeState, e Event, b ApproveBody) { n.vote(e, true, b) }

func foldTick(n *NodeState, e Event, b TickBody) {
	for _, item := range n.Ticks {
		if item.Name == b.Item {
			if b.Allowed(item.Result) {
				item.Result = b.Result
			}
			item.Log = append(item.Log, Tick{By: e.Actor, At: e.At, TickBody: b})
		}
	}
}

// foldUndoStarted turns the run round; a run that was done is open again.
func foldUndoStarted(s *State, _ Event, b UndoBody) error {
	s.Undo, s.Result, s.Ended, s.Held = &b, "", time.Time{}, nil
	return nil
}

func foldPassed(s *State, e Event) error {
	return node(func(n *NodeState, e Event, b NoteBody) {
		n.end(PassedBy, e)
		n.forget()
		n.Reason = b.Text
		s.NotUndone = append(s.NotUndone, Unundone{Step: n.ID, Reason: b.Text, At: e.At})
	})(s, e)
}

func foldAnswered(s *State, _ Event, b AnswerBody) error {
	s.Asks = slices.DeleteFunc(s.Asks, func(e Event) bool { return e.Seq == b.Seq })
	return nil
}

func (n *NodeState) begin(p Phase, e Event) {
	n.Phase, n.Ended = p, time.Time{}
	if n.Started.IsZero() {
		n.Started = e.At
	}
}

func (n *NodeState) end(p Phase, e Event) { n.Phase, n.Ended = p, e.At }

// rearm makes a node pending again. What it has saved and changed stays known:
// the next Run goes on from there. Votes and ticks lapse.
func (n *NodeState) rearm() {
	n.Phase, n.Started, n.Ended = Pending, time.Time{}, time.Time{}
	n.Fail, n.Passed, n.Wait, n.Votes, n.Reason = nil, nil, nil, nil, ""
	for _, item := range n.Ticks {
		item.Result = ""
	}
	if n.Class != ClassStep {
		n.Order = 0
	}
}

// forget drops what a step left behind, once that is undone or passed by:
// undo does not come to it again, and a new run of it starts afresh.
func (n *NodeState) forget() {
	n.Order, n.Output, n.Saved, n.Fail, n.Confirm, n.Former = 0, nil, nil, nil, "", nil
}

func (n *NodeState) vote(e Event, yes bool, b ApproveBody) {
	n.Votes = append(n.Votes, Vote{By: e.Actor, At: e.At, Yes: yes, Body: b, Seq: e.Seq})
}

func (n *NodeState) addItem(b ItemBody) {
	for _, item := range n.Ticks {
		if item.Name == b.Name {
			item.ItemBody = b
			return
		}
	}
	n.Ticks = append(n.Ticks, &ItemState{ItemBody: b})
}
