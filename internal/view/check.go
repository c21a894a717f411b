package view

import (
	"slices"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// CheckPage is what a runbook would do, for the planning meeting. The same
// plans are what a run executes.
type CheckPage struct {
	Runbook string            `json:"runbook"`
	Title   string            `json:"title,omitempty"`
	File    string            `json:"file"`
	Hash    string            `json:"hash"`
	Mode    journal.Mode      `json:"mode"`
	Drill   string            `json:"drill,omitempty"`
	Runner  string            `json:"runner"`
	Window  *CheckWindow      `json:"window,omitempty"`
	People  map[string]string `json:"people,omitempty"` // name → role
	// Variables are those that may be seen; Secrets stand by name only.
	Variables map[string]any `json:"variables,omitempty"`
	Secrets   []string       `json:"secrets,omitempty"`
	Stages    []CheckStage   `json:"stages"`
	// Whole is the course of all stages.
	Whole forecast.Course `json:"whole"`
	// NoReturn is the first step that asks and cannot be undone, "" if every
	// step can be taken back or passed by.
	NoReturn string    `json:"no_return,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
}

// CheckWindow is the announced window beside what drills expect of it.
type CheckWindow struct {
	Opens    string          `json:"opens"`
	Closes   string          `json:"closes"`
	LengthMS int64           `json:"length_ms"`
	Course   forecast.Course `json:"course"`
	Verdict  Verdict         `json:"verdict"`
}

// CheckStage is one stage with its nodes, each behind those that it waits for.
type CheckStage struct {
	Name   string          `json:"name"`
	Course forecast.Course `json:"course"`
	Nodes  []CheckNode     `json:"nodes"`
}

// CheckNode is one step, gate or checklist.
type CheckNode struct {
	journal.NodeBody
	Estimate  *forecast.Estimate `json:"estimate,omitempty"`  // of a step
	Approvers []string           `json:"approvers,omitempty"` // of a gate
	Confirmed bool               `json:"confirmed,omitempty"` // ahead
	Problems  []Problem          `json:"problems,omitempty"`
}

// Problem is one reason why the runbook would not run.
type Problem struct {
	Node  string   `json:"node,omitempty"` // "" = the runbook as a whole
	Error string   `json:"error"`
	Hints []string `json:"hints,omitempty"`
}

// ProblemsOf takes an error of a node (or of the runbook, "") apart.
func ProblemsOf(node string, err error) []Problem {
	if err == nil {
		return nil
	}
	var problems []Problem
	for _, e := range split(err) {
		problems = append(problems, Problem{Node: node, Error: e.Error(), Hints: fault.Hints(e)})
	}
	return problems
}

// Checked makes the page of what a run would begin with. The nodes' expected
// durations come from the book.
func Checked(body journal.RunBody, book *forecast.Book, problems []Problem) CheckPage {
	page := CheckPage{
		Runbook: body.Runbook, Title: body.Title, File: body.File, Hash: body.Hash, Mode: body.Mode, Drill: body.Drill,
		Runner: body.Runner, People: body.People, Variables: body.Variables, Secrets: body.Secrets, Problems: problems,
	}
	body.Nodes = slices.Clone(body.Nodes)
	book.Fill(body.Nodes)
	courses := forecast.Stages(body.Stages, forecast.Tasks(body.Nodes), body.Parallel)
	nodes := map[string][]journal.NodeBody{}
	for _, n := range body.Nodes {
		nodes[n.Stage] = append(nodes[n.Stage], n)
	}
	for _, course := range courses {
		stage := CheckStage{Name: course.Name, Course: course.Course}
		for _, n := range inOrder(nodes[course.Name]) {
			if page.NoReturn == "" && n.Effect == step.Lasting {
				page.NoReturn = n.ID
			}
			stage.Nodes = append(stage.Nodes, checkNode(n, body, book, problems))
		}
		page.Stages = append(page.Stages, stage)
	}
	if len(courses) > 0 {
		page.Whole = forecast.Between(courses, body.Stages[0], body.Stages[len(body.Stages)-1])
	}
	page.Window = checkWindow(body.Window, courses)
	return page
}

func checkWindow(w *journal.WindowBody, courses []forecast.Stage) *CheckWindow {
	if w == nil {
		return nil
	}
	check := &CheckWindow{Opens: w.Opens, Closes: w.Closes, LengthMS: w.LengthMS, Course: forecast.Between(courses, w.Opens, w.Closes)}
	check.Verdict = foretold(check.Course, w.LengthMS)
	return check
}

// foretold compares a course with the time there is.
func foretold(c forecast.Course, leftMS int64) Verdict {
	switch {
	case c.TotalMS > leftMS:
		return Late
	case len(c.Unknown) > 0:
		return Unsure
	}
	return InTime
}

func checkNode(n journal.NodeBody, body journal.RunBody, book *forecast.Book, problems []Problem) CheckNode {
	node := CheckNode{NodeBody: n}
	switch n.Class {
	case journal.ClassStep:
		estimate := book.Node(n)
		node.Estimate = &estimate
		node.Confirmed = slices.Contains(body.Confirmed, n.ID)
	case journal.ClassGate:
		node.Approvers = approvers(n.Gate, body)
	}
	for _, p := range problems {
		if p.Node == n.ID {
			node.Problems = append(node.Problems, p)
		}
	}
	return node
}

// approvers are the people who may approve a gate: those it names or all,
// without who runs the run.
func approvers(rule *journal.GateRule, body journal.RunBody) []string {
	if rule == nil || rule.Approvals == 0 {
		return nil
	}
	people := rule.People
	if len(people) == 0 {
		people = sortedKeys(body.People)
	}
	return slices.DeleteFunc(slices.Clone(people), func(name string) bool { return name == body.Runner })
}

// inOrder puts each node behind those that it waits for; among those that do
// not wait for each other the order stays.
func inOrder(nodes []journal.NodeBody) []journal.NodeBody {
	byID := make(map[string]*journal.NodeBody, len(nodes))
	for i := range nodes {
		byID[nodes[i].ID] = &nodes[i]
	}
	ordered := make([]journal.NodeBody, 0, len(nodes))
	var visit func(n *journal.NodeBody)
	visit = func(n *journal.NodeBody) {
		delete(byID, n.ID) // once, and no cycle can hold it up
		for _, before := range n.After {
			if b := byID[before]; b != nil {
				visit(b)
			}
		}
		ordered = append(ordered, *n)
	}
	for i := range nodes {
		if byID[nodes[i].ID] != nil {
			visit(&nodes[i])
		}
	}
	return ordered
}
