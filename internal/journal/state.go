package journal

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/step"
)

// Phase is where a node stands.
type Phase string

// The phases. A step is Done when its verify held; Cut is computed on resume:
// a step whose conductor died between intent and proof.
const (
	Pending  Phase = "pending"
	Running  Phase = "running"
	Ran      Phase = "ran" // ran, not yet verified
	Done     Phase = "done"
	Failed   Phase = "failed"
	Waiting  Phase = "waiting" // a gate or checklist that was reached; a step between two tries
	Skipped  Phase = "skipped"
	Refused  Phase = "refused" // a gate
	Undoing  Phase = "undoing"
	Undone   Phase = "undone"
	PassedBy Phase = "passed" // undo passed it: cannot be undone
)

// State is a run as its events tell it. It is made by Fold alone and changed
// by Apply alone; treat it as read-only.
type State struct {
	Run     string
	Body    RunBody
	Created time.Time
	Ended   time.Time
	Head    string // hash of the newest event
	Seq     int64
	Last    time.Time // time of the newest event

	Epoch  int64
	Runner string // who conducts or conducted last
	// Runners are all who ever conducted it.
	Runners []string
	Host    string
	PID     int

	// Held is why the run waits for a person, nil if it does not.
	Held *HeldBody
	// Stopped is why the last conductor let go, nil while one works.
	Stopped *HeldBody
	// Undo is how far the run goes back, nil if it goes forward.
	Undo   *UndoBody
	Result string // "" while unfinished; done|undone|aborted

	Stages []*StageState
	Nodes  []*NodeState
	// Gone are steps that left a trace and that a changed runbook no longer
	// has: nothing waits for them, but undo comes to them too.
	Gone []*NodeState
	byID map[string]*NodeState
	// Asks are requests that no conductor has answered, in order.
	Asks  []Event
	Notes []Note
	// NotUndone are nodes that an undo passed by, with the reason, in order;
	// they stay known when the run goes forward again.
	NotUndone []Unundone
	// order counts completions, for undo in reverse.
	order int64
}

// StageState is a stage's times; zero while it has not come to that.
type StageState struct {
	Name    string
	Started time.Time
	Ended   time.Time
}

// NodeState is a step, gate or checklist.
type NodeState struct {
	NodeBody
	// Former is the runbook by which the step did what stands, if it was
	// changed since: what stands is undone by it. nil: the present one.
	Former   *RunBody
	Phase    Phase
	Attempt  int
	Started  time.Time // first intent, or when it began to wait
	Ended    time.Time
	Order    int64 // of the newest intent or proof; 0 = never started
	Output   json.RawMessage
	Work     step.Work
	RunMS    int64
	VerifyMS int64
	Saved    json.RawMessage // newest checkpoint
	Changed  []step.Setting  // not yet restored
	Fail     *FailBody       // newest failure
	Reason   string          // of a skip, a refusal, a passing-by
	Passed   *GatePassBody
	Wait     *GateBody
	Until    time.Time
	Votes    []Vote
	Ticks    []*ItemState
	Confirm  string // who confirmed a lasting step
}

// Vote is a person's approval or rejection of a gate.
type Vote struct {
	By   string
	At   time.Time
	Yes  bool
	Body ApproveBody
	Seq  int64
}

// ItemState is a checklist item with its history, newest last.
type ItemState struct {
	ItemBody
	Result string // newest; "" = not yet
	Log    []Tick
}

// Tick is one word of one person on an item.
type Tick struct {
	By string
	At time.Time
	TickBody
}

// Note is a remark in the run's timeline.
type Note struct {
	By   string
	At   time.Time
	Text string
	Demo bool
	// Claimed is as in NoteBody.
	Claimed bool
}

// Unundone is a step that was done and cannot be taken back.
type Unundone struct {
	Step   string
	Reason string
	At     time.Time
}

// Settled tells whether an item no longer stops its checklist.
func (i *ItemState) Settled() bool { return i.Result == ItemOK || i.Result == ItemRetested }

// Node finds a node by ID, also one that is gone; nil if there is none.
func (s *State) Node(id string) *NodeState { return s.byID[id] }

// Stage finds a stage by name, nil if there is none.
func (s *State) Stage(name string) *StageState {
	for _, st := range s.Stages {
		if st.Name == name {
			return st
		}
	}
	return nil
}

// Finished tells whether the run has ended for good.
func (s *State) Finished() bool { return s.Result != "" }

// Settled tells whether a node no longer keeps others from starting.
func (n *NodeState) Settled() bool { return n.Phase == Done || n.Phase == Skipped }

// Fold makes the state from a run's events, in order.
func Fold(events []Event) (*State, error) {
	s := &State{byID: map[string]*NodeState{}}
	for _, e := range events {
		if err := s.Apply(e); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Apply takes the next event in. An event that this version cannot read is an
// error; one of an unknown type changes only the head.
func (s *State) Apply(e Event) error {
	if s.byID == nil {
		s.byID = map[string]*NodeState{}
	}
	s.Run, s.Head, s.Seq, s.Last = e.Run, e.Hash, e.Seq, e.At
	if e.Epoch > s.Epoch {
		s.Epoch = e.Epoch
	}
	apply, known := folds[e.Type]
	if !known {
		return nil
	}
	if err := apply(s, e); err != nil {
		return fmt.Errorf("journal of run %q: event %d (%s): %w", e.Run, e.Seq, e.Type, err)
	}
	return nil
}
