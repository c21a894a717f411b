package journal

import (
	"encoding/json"
	"time"

	"github.com/evac-io/evac/internal/step"
)

// Event is one line of the journal. Body is the JSON of the type's body
// struct below; a type that this version does not know is kept as it is.
type Event struct {
	Run     string          `json:"run"`
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Epoch   int64           `json:"epoch"` // 0 for requests
	Actor   string          `json:"actor"`
	Type    Type            `json:"type"`
	Step    string          `json:"step,omitempty"` // node: step, gate, checklist or stage
	Attempt int             `json:"attempt,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
	Prev    string          `json:"prev"`
	Hash    string          `json:"hash"`
}

// Type says what happened. Types before the blank line in each block are the
// conductor's; those that begin with "ask." are requests, which any process
// may append.
type Type string

// The event types and the body that each carries (nil: none). An intent is
// written before its effect, a proof after it.
const (
	RunCreated   Type = "run.created"      // RunBody
	RunTaken     Type = "run.taken"        // TakenBody: a conductor took the lease
	RunHeld      Type = "run.held"         // HeldBody
	RunGoesOn    Type = "run.goes_on"      // NoteBody: a hold ended
	RunStopped   Type = "run.stopped"      // HeldBody: the conductor ended before the run did
	RunDone      Type = "run.done"         // EndBody
	RunAborted   Type = "run.aborted"      // EndBody: will never go on
	RunChanged   Type = "run.changed"      // RunBody: the runbook was replaced with consent
	RunNote      Type = "run.note"         // NoteBody
	StageStarted Type = "stage.started"    // nil; Step is the stage's name
	StageDone    Type = "stage.done"       // nil
	StepPlanned  Type = "step.planned"     // PlanBody
	StepIntent   Type = "step.intent"      // IntentBody: Run is called next
	StepSaved    Type = "step.saved"       // any JSON: a checkpoint
	StepChanged  Type = "step.changed"     // step.Setting: intent to change a setting
	StepRestored Type = "step.restored"    // SettingBody: the old value stands again
	StepRan      Type = "step.ran"         // RanBody: proof that Run ended
	StepVerified Type = "step.verified"    // TimeBody: proof that Verify held; the step is done
	StepFailed   Type = "step.failed"      // FailBody
	StepSkipped  Type = "step.skipped"     // NoteBody
	StepRearmed  Type = "step.rearmed"     // NoteBody: back to pending, for a retry or after an undo
	UndoStarted  Type = "undo.started"     // UndoBody: the run goes backwards from here
	UndoIntent   Type = "undo.intent"      // nil: Undo is called next
	StepUndone   Type = "step.undone"      // TimeBody
	UndoFailed   Type = "undo.failed"      // FailBody
	UndoPassed   Type = "undo.passed"      // NoteBody: cannot be undone, named
	UndoDone     Type = "undo.done"        // UndoBody
	GateWaits    Type = "gate.waits"       // GateBody
	GatePassed   Type = "gate.passed"      // GatePassBody
	GateRefused  Type = "gate.refused"     // NoteBody: rejected by a person or timed out
	ListWaits    Type = "checklist.waits"  // ListBody
	ListPassed   Type = "checklist.passed" // nil
	AskAnswered  Type = "ask.answered"     // AnswerBody: what became of a request

	AskApprove Type = "ask.approve" // ApproveBody; Step is the gate
	AskReject  Type = "ask.reject"  // NoteBody; Step is the gate
	AskTick    Type = "ask.tick"    // TickBody; Step is the checklist
	AskItem    Type = "ask.item"    // ItemBody; Step is the checklist
	AskHold    Type = "ask.hold"    // NoteBody
	AskRelease Type = "ask.release" // NoteBody
	AskRetry   Type = "ask.retry"   // NoteBody; Step is the step
	AskSkip    Type = "ask.skip"    // NoteBody; Step is the step
	AskUndo    Type = "ask.undo"    // UndoBody
	AskAbort   Type = "ask.abort"   // NoteBody
	AskStop    Type = "ask.stop"    // NoteBody: finish running steps, then let go
	AskNote    Type = "ask.note"    // NoteBody
	AskConfirm Type = "ask.confirm" // NoteBody; Step is a lasting step
)

// Mode is live or drill.
type Mode string

// The modes of a run. Alone is a run of one step by its own command.
const (
	Live  Mode = "live"
	Drill Mode = "drill"
	Alone Mode = "alone"
)

// RunBody is everything a run starts from. Secret variables stand by name
// only. Nodes are in stage order, text order within.
type RunBody struct {
	Runbook   string            `json:"runbook"` // its name
	Title     string            `json:"title,omitempty"`
	File      string            `json:"file"`             // absolute path
	Text      string            `json:"text"`             // whole, as it was read
	Hash      string            `json:"hash"`             // SHA-256 of Text
	Frozen    map[string]string `json:"frozen,omitempty"` // file named by a shell step → SHA-256
	Mode      Mode              `json:"mode"`
	Drill     string            `json:"drill,omitempty"` // the drill block's name
	Runner    string            `json:"runner"`
	Version   string            `json:"version"` // evac's
	Variables map[string]any    `json:"variables,omitempty"`
	Given     map[string]any    `json:"given,omitempty"` // of a drill: Variables before its stand-ins
	Secrets   []string          `json:"secrets,omitempty"`
	People    map[string]string `json:"people,omitempty"` // name → role
	Window    *WindowBody       `json:"window,omitempty"`
	Stages    []string          `json:"stages"`
	Nodes     []NodeBody        `json:"nodes"`
	Parallel  int               `json:"parallel"`
	Only      []string          `json:"only,omitempty"`
	From      string            `json:"from,omitempty"`
	Faults    map[string]string `json:"faults,omitempty"`    // step → start|middle|verify
	Confirmed []string          `json:"confirmed,omitempty"` // lasting steps confirmed ahead
}

// WindowBody is the announced maintenance time.
type WindowBody struct {
	LengthMS int64  `json:"length_ms"`
	Opens    string `json:"opens"`  // stage
	Closes   string `json:"closes"` // stage
}

// Node classes.
const (
	ClassStep      = "step"
	ClassGate      = "gate"
	ClassChecklist = "checklist"
)

// NodeBody is a step, gate or checklist as the run knows it.
type NodeBody struct {
	// ID is "KIND.NAME" for a step (with `["key"]` for an instance of
	// for_each), "gate.NAME", "checklist.NAME".
	ID    string `json:"id"`
	Class string `json:"class"`
	Stage string `json:"stage"`
	Kind  string `json:"kind,omitempty"`
	// What is the kind's own sentence about what it does.
	What       string      `json:"what,omitempty"`
	Why        string      `json:"why,omitempty"`
	On         string      `json:"on,omitempty"`
	After      []string    `json:"after,omitempty"` // node IDs
	Effect     step.Effect `json:"effect,omitempty"`
	Repeatable bool        `json:"repeatable,omitempty"`
	// Def is the hash of the step's own text, by which durations of drills
	// are found again.
	Def       string     `json:"def,omitempty"`
	ExpectMS  int64      `json:"expect_ms,omitempty"`  // from drills; 0 = never rehearsed
	Plan      *step.Plan `json:"plan,omitempty"`       // nil: known later
	PlanAfter []string   `json:"plan_after,omitempty"` // steps whose outputs it waits for
	Gate      *GateRule  `json:"gate,omitempty"`
	Items     []ItemBody `json:"items,omitempty"`
}

// GateRule is what a gate asks for.
type GateRule struct {
	Ask       string   `json:"ask"`
	Approvals int      `json:"approvals"`
	People    []string `json:"people,omitempty"` // who may; empty: all but the runner
	At        string   `json:"at,omitempty"`     // RFC 3339: not before
	TimeoutMS int64    `json:"timeout_ms,omitempty"`
	OnTimeout string   `json:"on_timeout"` // hold|undo|continue
}

// TakenBody says who conducts from here on.
type TakenBody struct {
	Runner string `json:"runner"`
	Host   string `json:"host"`
	PID    int    `json:"pid"`
	Resume bool   `json:"resume,omitempty"`
}

// HeldBody says why the run waits.
type HeldBody struct {
	Reason string `json:"reason"`
	// CauseExit is the exit code of what caused it, as in fault.
	CauseExit int    `json:"cause_exit"`
	Hint      string `json:"hint,omitempty"`
	// By is the person who asked for the hold; only release or resume ends it.
	By string `json:"by,omitempty"`
}

// EndBody ends a run.
type EndBody struct {
	Result string `json:"result"` // done|undone|aborted
	Reason string `json:"reason,omitempty"`
}

// NoteBody is a text of a person or of evac.
type NoteBody struct {
	Text string `json:"text,omitempty"`
	Demo bool   `json:"demo,omitempty"` // said by the demo in that person's name
	// Claimed tells that the actor was named by --as and nobody proved it.
	Claimed bool `json:"claimed,omitempty"`
}

// PlanBody is a step's plan when it became known or was checked again.
type PlanBody struct {
	Plan step.Plan `json:"plan"`
	Hash string    `json:"hash"`
}

// IntentBody stands before a step runs.
type IntentBody struct {
	PlanHash string `json:"plan_hash"`
}

// RanBody is the proof that Run ended.
type RanBody struct {
	Output    json.RawMessage `json:"output,omitempty"`
	Work      step.Work       `json:"work,omitzero"` // what was really done
	ElapsedMS int64           `json:"elapsed_ms"`
}

// TimeBody says how long a verify or an undo took.
type TimeBody struct {
	ElapsedMS int64 `json:"elapsed_ms"`
}

// FailBody says what failed.
type FailBody struct {
	Phase     string   `json:"phase"` // check|run|verify|undo|lost
	Error     string   `json:"error"`
	Hints     []string `json:"hints,omitempty"`
	Exit      int      `json:"exit"`
	RetryInMS int64    `json:"retry_in_ms,omitempty"` // >0: it will be tried again by itself
	ElapsedMS int64    `json:"elapsed_ms,omitempty"`
	// Output is what Run found out although it failed: the differences of a
	// headcount, the end of a command's output.
	Output json.RawMessage `json:"output,omitempty"`
}

// SettingBody names a setting.
type SettingBody struct {
	ID string `json:"id"`
}

// UndoBody says how far back to go: To is a stage (undone too) or "" for all.
type UndoBody struct {
	To string `json:"to,omitempty"`
}

// GateBody stands when a gate begins to wait. Plan is the hash of the runbook
// and of all plans known by then: what an approval binds to.
type GateBody struct {
	Plan  string    `json:"plan"`
	Until time.Time `json:"until,omitzero"`
}

// GatePassBody says why a gate let the run on.
type GatePassBody struct {
	How string   `json:"how"` // approved|time|timeout
	By  []string `json:"by,omitempty"`
}

// ListBody stands when a checklist begins to wait.
type ListBody struct{}

// ApproveBody is one person's yes. Plan is the hash that the person saw;
// Expires bounds an approval given before the gate was reached.
type ApproveBody struct {
	Plan    string    `json:"plan"`
	Expires time.Time `json:"expires,omitzero"`
	Note    string    `json:"note,omitempty"`
	Demo    bool      `json:"demo,omitempty"`
	Claimed bool      `json:"claimed,omitempty"` // as in NoteBody
}

// ItemBody is one line of a checklist.
type ItemBody struct {
	Name  string `json:"name"`
	Text  string `json:"text,omitempty"`
	Owner string `json:"owner"`
}

// Results of a checklist item. A failed item must be fixed, then retested.
const (
	ItemOK       = "ok"
	ItemFailed   = "failed"
	ItemFixed    = "fixed"
	ItemRetested = "retested"
)

// TickBody is a person's word on an item.
type TickBody struct {
	Item     string `json:"item"`
	Result   string `json:"result"`
	Evidence string `json:"evidence,omitempty"`
	Demo     bool   `json:"demo,omitempty"`
	Claimed  bool   `json:"claimed,omitempty"` // as in NoteBody
}

// AnswerBody says what became of the request with that seq.
type AnswerBody struct {
	Seq    int64  `json:"seq"`
	Done   bool   `json:"done"`
	Reason string `json:"reason,omitempty"`
}

// Results of a run.
const (
	ResultDone    = "done"
	ResultUndone  = "undone"
	ResultAborted = "aborted"
)

// Decode reads the body; an empty one leaves into as it is.
func (e Event) Decode(into any) error { return readBody(e, into) }
