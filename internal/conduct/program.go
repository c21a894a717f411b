// Package conduct walks a runbook: it checks, runs, verifies and undoes steps
// in their order, waits at gates and checklists, holds when something fails,
// takes orders, and writes all of it to the journal before and after it
// happens. It knows no database and no cloud.
package conduct

import (
	"encoding/json"
	"errors"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// Program is what is conducted: a bound runbook, or one step alone.
type Program struct {
	// Body is what the journal keeps of it; Start fills in the nodes' plans.
	Body journal.RunBody
	// Dir is where relative paths start.
	Dir   string
	Nodes []*runbook.Node
	Kinds *step.Registry
	// Secrets are all texts that must not be seen.
	Secrets *secret.Redactor

	// Build makes a node's step from the outputs so far; if it needs one that
	// is not there yet it says which and gives no step.
	Build func(n *runbook.Node, outputs runbook.Outputs) (step.Step, []runbook.Unknown, error)
	// When tells whether a node's condition holds.
	When func(n *runbook.Node, outputs runbook.Outputs) (bool, []runbook.Unknown, error)
	// Past makes the program of a runbook that the run had before it was
	// changed.
	Past func(*journal.RunBody) (*Program, error)
	// Files are the absolute paths of the files that a node's commands name.
	Files func(n *runbook.Node) []string

	byID map[string]*runbook.Node
}

// Node finds a node by ID, nil if there is none.
func (p *Program) Node(id string) *runbook.Node {
	if p.byID == nil {
		p.byID = make(map[string]*runbook.Node, len(p.Nodes))
		for _, n := range p.Nodes {
			p.byID[n.ID] = n
		}
	}
	return p.byID[id]
}

// aloneStage is the one stage of a program of one step.
const aloneStage = "step"

// Alone makes a program of one step by itself; its name is found again by the
// kind and the hash of the fields.
func Alone(kinds *step.Registry, kind step.Kind, schema step.Schema, s step.Step, dir string, secrets *secret.Redactor) (*Program, error) {
	fields, err := json.Marshal(schema.Encode(s))
	if err != nil {
		return nil, err
	}
	hash := schema.FieldsHash(s)
	n := &runbook.Node{
		ID: kind.Name, Class: runbook.ClassStep, Stage: aloneStage, Kind: kind.Name,
		Repeatable: true, Def: hash, Retry: runbook.Retry{Attempts: 1},
	}
	return &Program{
		Body: journal.RunBody{
			Runbook: kind.Name + "-" + hash[:12], Text: string(fields), Hash: hash, Mode: journal.Alone,
			Stages: []string{aloneStage},
		},
		Dir: dir, Nodes: []*runbook.Node{n}, Kinds: kinds, Secrets: secrets,
		Build: func(*runbook.Node, runbook.Outputs) (step.Step, []runbook.Unknown, error) { return s, nil, nil },
		When:  func(*runbook.Node, runbook.Outputs) (bool, []runbook.Unknown, error) { return true, nil, nil },
		Files: func(*runbook.Node) []string { return nil },
	}, nil
}

// Keep narrows the program to some steps or to the stages from one on. Nodes
// left out are as if they were not written.
func (p *Program) Keep(only []string, from string) error {
	if len(only) == 0 && from == "" {
		return nil
	}
	stages, err := p.stagesFrom(from)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, id := range only {
		if p.Node(id) == nil {
			return fault.New(fault.Invalid, "no step "+quote(id)+" in the runbook", "evac check lists the steps")
		}
		wanted[id] = true
	}
	var kept []*runbook.Node
	for _, n := range p.Nodes {
		if stages[n.Stage] && (len(only) == 0 || wanted[n.ID]) {
			kept = append(kept, n)
		}
	}
	p.Nodes, p.byID = kept, nil
	p.Body.Only, p.Body.From = only, from
	return nil
}

func (p *Program) stagesFrom(from string) (map[string]bool, error) {
	stages := map[string]bool{}
	begun := from == ""
	for _, name := range p.Body.Stages {
		begun = begun || name == from
		stages[name] = begun
	}
	if !begun {
		return nil, fault.New(fault.Invalid, "no stage "+quote(from)+" in the runbook", "")
	}
	return stages, nil
}

// outputsOf finds the outputs of done steps in a state.
func outputsOf(st *journal.State) runbook.Outputs {
	return func(id string) (json.RawMessage, bool) {
		if st == nil {
			return nil, false
		}
		n := st.Node(id)
		if n == nil || n.Phase != journal.Done {
			return nil, false
		}
		return n.Output, true
	}
}

// build makes a node's step and refuses one whose references are not known.
func (p *Program) build(n *runbook.Node, st *journal.State) (step.Step, error) {
	s, waits, err := p.Build(n, outputsOf(st))
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, unknownError(waits)
	}
	_, schema, _ := p.Kinds.Kind(n.Kind)
	schema.Redact(s, p.Secrets)
	return s, nil
}

func unknownError(waits []runbook.Unknown) error {
	var errs []error
	for _, w := range waits {
		errs = append(errs, fault.New(fault.Invalid,
			"field "+quote(w.Field)+" needs the output of step "+quote(w.After)+", which has not run in this run", ""))
	}
	return errors.Join(errs...)
}
