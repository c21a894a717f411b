package view

import (
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// Standing is where a run as a whole stands.
type Standing string

// The standings. A run is Abandoned when it is unfinished and no conductor
// works on it.
const (
	Running   Standing = "running"
	Waiting   Standing = "waiting" // only people can let it go on, as planned
	Held      Standing = "held"    // something went wrong or a person stopped it
	Undoing   Standing = "undoing"
	Abandoned Standing = "abandoned"
	Done      Standing = "done"
	Undone    Standing = "undone"
	Aborted   Standing = "aborted"
)

// Snapshot is a run at one moment, as every view shows it: terminal, JSON and
// page. Durations are in milliseconds; "expected" comes from drills and is
// left out where no drill knows.
type Snapshot struct {
	Run      string       `json:"run"`
	Runbook  string       `json:"runbook"`
	Title    string       `json:"title,omitempty"`
	Mode     journal.Mode `json:"mode"`
	Drill    string       `json:"drill,omitempty"`
	Runner   string       `json:"runner"`
	Version  string       `json:"version"`
	Standing Standing     `json:"standing"`

	At        time.Time `json:"at"` // when the snapshot was taken
	Created   time.Time `json:"created"`
	Ended     time.Time `json:"ended,omitzero"`
	ElapsedMS int64     `json:"elapsed_ms"`

	Stage  string  `json:"stage,omitempty"` // the one that goes on
	Stages []Stage `json:"stages"`
	Steps  Counts  `json:"steps"`
	// Back tells that the run goes backwards, or will when it is resumed.
	Back       bool        `json:"back,omitempty"`
	Running    []Node      `json:"running,omitempty"` // steps at work, between tries too
	Failed     []Node      `json:"failed,omitempty"`
	Held       *Hold       `json:"held,omitempty"`
	Gates      []Gate      `json:"gates,omitempty"`      // that wait
	Checklists []Checklist `json:"checklists,omitempty"` // that wait
	Asks       []Ask       `json:"asks,omitempty"`       // requests not yet answered
	Window     *Window     `json:"window,omitempty"`

	Changed   []Setting `json:"changed,omitempty"`    // settings not yet put back
	NotUndone []Passed  `json:"not_undone,omitempty"` // what undo passed by

	Result string `json:"result,omitempty"` // done|undone|aborted
	Head   string `json:"head"`             // hash of the newest event
	Seq    int64  `json:"seq"`              // its number
}

// Stage is one stage's progress.
type Stage struct {
	Name      string    `json:"name"`
	State     string    `json:"state"` // pending|running|done
	Started   time.Time `json:"started,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	ElapsedMS int64     `json:"elapsed_ms,omitempty"`
	Steps     Counts    `json:"steps"`
}

// Counts are numbers of steps (gates and checklists are none).
type Counts struct {
	Total   int `json:"total"`
	Done    int `json:"done"`
	Running int `json:"running,omitempty"`
	Failed  int `json:"failed,omitempty"`
	Skipped int `json:"skipped,omitempty"`
	Undone  int `json:"undone,omitempty"` // passed-by ones too
}

// Node is one step at work or failed.
type Node struct {
	ID      string        `json:"id"`
	Stage   string        `json:"stage"`
	Kind    string        `json:"kind"`
	Phase   journal.Phase `json:"phase"`
	Attempt int           `json:"attempt,omitempty"`
	Summary string        `json:"summary,omitempty"`
	Why     string        `json:"why,omitempty"`

	Started   time.Time `json:"started,omitzero"`
	ElapsedMS int64     `json:"elapsed_ms,omitempty"`
	ExpectMS  int64     `json:"expect_ms,omitempty"`

	// Percent is 0 to 100, nil while the total is not known.
	Percent   *int    `json:"percent,omitempty"`
	Unit      string  `json:"unit,omitempty"`
	Done      int64   `json:"done,omitempty"`
	Total     int64   `json:"total,omitempty"`
	PerSecond float64 `json:"per_second,omitempty"`
	EtaMS     *int64  `json:"eta_ms,omitempty"` // nil: nobody knows
	Note      string  `json:"note,omitempty"`

	Error string   `json:"error,omitempty"`
	Hints []string `json:"hints,omitempty"`
}

// Hold is why the run waits for a person, and what to type.
type Hold struct {
	Reason    string   `json:"reason"`
	CauseExit int      `json:"cause_exit"` // exit code of what caused it
	Hint      string   `json:"hint,omitempty"`
	Next      []string `json:"next,omitempty"` // commands, the likeliest first
}

// Gate is a gate that waits.
type Gate struct {
	ID       string    `json:"id"`
	Stage    string    `json:"stage"`
	Ask      string    `json:"ask,omitempty"`
	Needed   int       `json:"needed"`
	Approved []Word    `json:"approved,omitempty"`
	Rejected []Word    `json:"rejected,omitempty"`
	May      []string  `json:"may,omitempty"` // who else may approve
	At       time.Time `json:"at,omitzero"`   // not before
	Until    time.Time `json:"until,omitzero"`
	Then     string    `json:"then,omitempty"` // what happens at Until: hold|undo|continue
	Next     []string  `json:"next,omitempty"` // commands
}

// Word is what a person said.
type Word struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Text    string    `json:"text,omitempty"`
	Demo    bool      `json:"demo,omitempty"`    // the demo spoke for them
	Claimed bool      `json:"claimed,omitempty"` // named by --as, unproved
}

// Checklist is a checklist that waits.
type Checklist struct {
	ID    string   `json:"id"`
	Stage string   `json:"stage"`
	Items []Item   `json:"items"`
	Next  []string `json:"next,omitempty"`
}

// Item is a line of a checklist.
type Item struct {
	Name   string `json:"name"`
	Text   string `json:"text,omitempty"`
	Owner  string `json:"owner"`
	Result string `json:"result,omitempty"` // "" = not yet
	Last   *Word  `json:"last,omitempty"`   // newest word; its text is the evidence
}

// Ask is a request that no conductor has answered.
type Ask struct {
	Seq  int64        `json:"seq"`
	Type journal.Type `json:"type"`
	By   string       `json:"by"`
	At   time.Time    `json:"at"`
	Step string       `json:"step,omitempty"`
}

// Window is the announced maintenance time.
type Window struct {
	Opens    string    `json:"opens"`  // stage
	Closes   string    `json:"closes"` // stage
	LengthMS int64     `json:"length_ms"`
	Opened   time.Time `json:"opened,omitzero"`
	Closed   time.Time `json:"closed,omitzero"`
	Until    time.Time `json:"until,omitzero"` // when it must be closed
	// LeftMS is the time until then, negative when late.
	LeftMS int64 `json:"left_ms"`
	// ExpectMS is how long the rest takes until it closes if nobody keeps it
	// waiting: steps that were never rehearsed count as nothing and stand in
	// Unknown.
	ExpectMS int64     `json:"expect_ms"`
	Expected time.Time `json:"expected,omitzero"` // when it then closes
	Unknown  []string  `json:"unknown,omitempty"`
	Verdict  Verdict   `json:"verdict"`
}

// Verdict says whether the window will close in time.
type Verdict string

// The verdicts. Unsure: so far it fits, but some steps were never rehearsed.
const (
	InTime  Verdict = "in_time"
	Unsure  Verdict = "unsure"
	Late    Verdict = "late"
	WasKept Verdict = "kept"
	WasLate Verdict = "broken"
)

// Setting is a changed setting and the step that must put it back.
type Setting struct {
	Step string `json:"step"`
	step.Setting
}

// Passed is a step that undo passed by, because it cannot be undone.
type Passed struct {
	Step   string    `json:"step"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}
