// Package runbook reads a runbook (HCL, or the same in JSON) into typed values
// that remember where they stand in the file. It reads no other file, no
// environment and no network, but for what "env:NAME" and "@FILE" in place of
// a secret point to.
//
// Parse says what can be said without values. Bind gives the variables theirs,
// puts a drill's stand-ins in place and expands for_each. Step builds a step
// once the outputs that it refers to are there.
package runbook

import (
	"encoding/json"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/evac-io/evac/internal/runbook/syntax"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// Runbook is a file as its author wrote it, checked as far as it can be
// without the variables' values.
type Runbook struct {
	Name  string
	Title string
	File  string // as given
	Text  []byte
	// Hash is the SHA-256 of Text, in hex.
	Hash      string
	Window    *Window // nil: none announced
	Variables []*Variable
	People    []Person
	Sites     []*Site
	Stages    []*Stage
	Drills    []*Drill

	syntax    *syntax.File
	kinds     *step.Registry
	base      *hcl.EvalContext // functions and nothing else
	variables map[string]*Variable
	people    map[string]bool
	sites     map[string]*Site
	locals    map[string]*local
	localList []*local
	defs      []definition // locals and sites, each after what it refers to
	stages    map[string]int
	nodes     map[string]*nodeDef
	order     []*nodeDef // in stage order, text order within
}

// Window is the announced maintenance time.
type Window struct {
	Length time.Duration
	Opens  string // stage at whose beginning it opens
	Closes string // stage at whose end it closes
	Range  hcl.Range
}

// Variable is an input. Secret ones hold a marked value.
type Variable struct {
	Name   string
	Doc    string
	Type   step.Type // string, bool, number, list of string, map of string
	Secret bool
	// HasDefault tells whether Default stands if nothing else gives a value.
	HasDefault bool
	Default    any
	Range      hcl.Range

	typ   cty.Type
	body  *hclsyntax.Body
	value cty.Value // the default
	// used tells that something besides drills refers to it, drilled that a
	// drill does.
	used, drilled bool
}

// Person may own checklist items and approve gates.
type Person struct {
	Name  string
	Role  string
	Range hcl.Range
}

// Site is a place where the service lives; its attributes are referred to as
// site.NAME.….
type Site struct {
	Name string
	// Attrs are ssh, address, labels, "aws.region", "aws.account", as far as
	// they are known: those that depend on variables are in Bound.Sites.
	Attrs map[string]any
	Range hcl.Range

	attrs []*siteAttr
}

// Stage is steps, gates and checklists that belong together in time.
type Stage struct {
	Name  string
	Title string
	Range hcl.Range
}

// Drill maps the runbook to stand-ins.
type Drill struct {
	Name  string
	Range hcl.Range

	body  *hclsyntax.Body
	vars  map[string]*expr
	sites map[string]*standIn
}

// Bound is a runbook with the values of its variables: for_each is expanded
// and every node has its place.
type Bound struct {
	*Runbook
	// Values are the variables that may be seen, Secrets those that may not.
	Values  map[string]any
	Secrets map[string]secret.String
	// Given are, in a drill, the Values before its stand-ins: what Bind needs
	// to come to the same again.
	Given map[string]any
	Drill string // name of the drill block, "" if live
	Nodes []*Node
	// Sites are the sites with everything known, in a drill the stand-ins.
	Sites []*Site
	// Missing are the variables that have no value yet (Input.Plan).
	Missing []*Variable
	// NotRehearsed are steps that the drill leaves out (a shell step without
	// a drill command).
	NotRehearsed []string

	drill     *Drill // nil: live
	scope     *scope
	live      *scope               // in a drill: the values of a live run, as far as given
	instances map[*nodeDef][]*Node // left out ones too
	byID      map[string]*Node     // without those left out
	every     map[string]*Node     // with them
	leftOut   map[*nodeDef]bool
}

// Node classes.
const (
	ClassStep      = "step"
	ClassGate      = "gate"
	ClassChecklist = "checklist"
)

// Node is a step, a gate or a checklist of a bound runbook.
type Node struct {
	// ID is "KIND.NAME", for an instance of for_each `KIND.NAME["key"]`;
	// "gate.NAME"; "checklist.NAME".
	ID    string
	Class string
	Stage string
	Kind  string // of a step
	Why   string
	On    string // site
	// After are the IDs of all nodes that must be settled first: by `after`,
	// by references, and for a gate without `after` everything in its stage
	// that does not depend on it.
	After []string
	// Timeout bounds one attempt; 0 means none.
	Timeout time.Duration
	Retry   Retry
	// Repeatable is false if Run may start at most once.
	Repeatable bool
	// Def is the hash of the step's own text (canonical tokens without
	// comments and `why`), the same in drills and live.
	Def   string
	Range hcl.Range

	Gate  *Gate  // of a gate
	Items []Item // of a checklist

	inst *instance
}

// Retry says how often and how soon a failed step is tried again: waits grow
// from Wait by doubling up to Max, with jitter.
type Retry struct {
	Attempts int // in all; 1 = never again
	Wait     time.Duration
	Max      time.Duration
}

// What a gate does when its timeout passes.
const (
	OnTimeoutHold     = "hold"
	OnTimeoutUndo     = "undo"
	OnTimeoutContinue = "continue"
)

// Gate waits for people, a time, or both.
type Gate struct {
	Ask       string
	Approvals int
	// People may approve; empty: everyone in people but the runner.
	People    []string
	At        time.Time // not before; zero: at once
	Timeout   time.Duration
	OnTimeout string
}

// Item is a line of a checklist.
type Item struct {
	Name  string
	Text  string
	Owner string
}

// Outputs finds the output of a done step by node ID.
type Outputs func(id string) (json.RawMessage, bool)

// Unknown says which field waits for what: the step with that node ID, or
// "var.NAME" that has no value yet.
type Unknown struct {
	Field string
	After string
}

// Input is what Bind needs besides the file.
type Input struct {
	// Values come by variable name. Texts are converted to the variable's
	// type; a secret variable takes only a secret.String.
	Values map[string]any
	// Drill is the name of a drill block, "" for live.
	Drill string
	// Runner is who runs; gates that too few others can approve are refused.
	Runner string
	// Plan lets variables be without a value: Bound.Missing lists them, and
	// what depends on them is unknown. Such a runbook can be shown, not run.
	Plan bool
}
