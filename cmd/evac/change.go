package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
)

// change is how a runbook differs from the one that its run began with.
type change struct {
	st       *journal.State
	old, now *conduct.Program
	text     bool     // the runbook's text differs
	files    []string // that commands name and whose content differs
	back     bool     // the run goes back: nothing new is done
}

// lines lists which steps differ and what becomes of each, and the files that
// their commands name.
func (c change) lines() string {
	var lines []string
	for _, n := range c.old.Nodes {
		switch other := c.now.Node(n.ID); {
		case other == nil:
			lines = append(lines, "  - "+n.ID+" is gone: "+c.becomes(n, true))
		case other.Def != n.Def || !sameGate(other, n):
			lines = append(lines, "  ~ "+n.ID+" is different: "+c.becomes(other, false))
		}
	}
	for _, n := range c.now.Nodes {
		if c.old.Node(n.ID) == nil {
			lines = append(lines, "  + "+n.ID+" is new: "+c.becomes(n, false))
		}
	}
	if len(lines) == 0 && c.text {
		lines = append(lines, "  no step is different (texts, people, window or comments are)")
	}
	for _, file := range c.files {
		lines = append(lines, "  ~ file "+file+" is different: "+strings.Join(c.users(file), ", ")+" runs, or is undone, with what it holds now")
	}
	return strings.Join(lines, "\n")
}

// users are the steps whose commands name the file.
func (c change) users(file string) (ids []string) {
	for _, n := range c.now.Nodes {
		if slices.Contains(c.now.Files(n), file) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// becomes says how far a node is, and what becomes of it under the changed
// runbook, in which it may be gone.
func (c change) becomes(n *runbook.Node, gone bool) string {
	is := c.st.Node(n.ID)
	if is == nil {
		is = &journal.NodeState{Phase: journal.Pending}
	}
	begun := is.Order > 0
	switch {
	case n.Class != runbook.ClassStep:
		return becomesOfGate(is, gone)
	case is.Phase == journal.Done:
		return "done, and stays so; undo takes it back by the text that did it"
	case is.Phase == journal.Ran:
		return "it has run, and is yet to be verified; undo takes it back by the text that ran it"
	case is.Phase == journal.Skipped:
		return "skipped, and stays so"
	case begun && gone:
		return "begun and not done; undo takes it back by the text that began it"
	case begun && c.back:
		return "begun and not done; undo takes it back as it is written now"
	case begun && !n.Repeatable:
		return "begun and not done, and it may run only once: retry or skip it"
	case begun:
		return "begun and not done; it goes on as it is written now"
	case c.passedBy(n) && (gone || c.back):
		return "undo passed it by, and what it did stays"
	case gone || c.back:
		return "nothing of it is done"
	case c.passedBy(n):
		return "undo passed it by; it is done again, as it is written now"
	case is.Attempt > 0 && is.Phase != journal.Failed:
		return "undone; it is done again, as it is written now"
	}
	return "not begun; it runs as it is written now"
}

// passedBy tells whether an undo left what the step did as it is.
func (c change) passedBy(n *runbook.Node) bool {
	return slices.ContainsFunc(c.st.NotUndone, func(u journal.Unundone) bool { return u.Step == n.ID })
}

func becomesOfGate(is *journal.NodeState, gone bool) string {
	switch {
	case is.Phase == journal.Done:
		return "passed, and stays so"
	case gone:
		return "nobody is asked any more"
	}
	return "people are asked as it is written now"
}

func sameGate(a, b *runbook.Node) bool {
	return a.Stage == b.Stage && fmt.Sprint(a.Gate, a.Items, a.After) == fmt.Sprint(b.Gate, b.Items, b.After)
}
