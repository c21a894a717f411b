package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// The commands that a person types next stand here and nowhere else.

func runFlag(run string) string { return " --run " + run }

func gateCommands(run, gate string) []string {
	name := strings.TrimPrefix(gate, "gate.")
	return []string{
		"evac approve " + quote(name) + runFlag(run),
		"evac reject " + quote(name) + runFlag(run),
	}
}

func tickCommand(run, list string, item *journal.ItemState) string {
	result := journal.ItemOK
	switch item.Result {
	case journal.ItemFailed:
		result = journal.ItemFixed
	case journal.ItemFixed:
		result = journal.ItemRetested
	}
	name := strings.TrimPrefix(list, "checklist.") + "." + item.Name
	return fmt.Sprintf("evac tick %s --result %s%s", quote(name), result, runFlag(run))
}

// holdOf says why the run waits and what to type: also when its conductor is
// gone.
func holdOf(s *journal.State, shot *Snapshot) *Hold {
	next := []string{"evac resume" + runFlag(s.Run)}
	if s.Body.Mode == journal.Alone {
		next = aloneCommands(s)
	}
	switch {
	case s.Finished():
		return nil
	case s.Held != nil && s.Body.Mode == journal.Alone:
		return &Hold{Reason: s.Held.Reason, CauseExit: s.Held.CauseExit, Hint: s.Held.Hint, Next: next}
	case s.Held != nil:
		return &Hold{Reason: s.Held.Reason, CauseExit: s.Held.CauseExit, Hint: s.Held.Hint, Next: heldCommands(s, shot)}
	case s.Stopped != nil:
		return &Hold{Reason: s.Stopped.Reason, CauseExit: s.Stopped.CauseExit, Hint: s.Stopped.Hint, Next: next}
	case shot.Standing == Abandoned:
		return &Hold{Reason: fmt.Sprintf("no conductor works on it; the last was %s on %s (process %d)", s.Runner, s.Host, s.PID), Next: next}
	}
	return nil
}

// aloneCommands go on with a run of one step, which only its own command can:
// the journal has no secrets.
func aloneCommands(s *journal.State) []string {
	if len(s.Nodes) == 0 {
		return nil
	}
	kind := step.Kind{Name: s.Nodes[0].Kind}
	same := "evac " + kind.Family() + " " + kind.Verb() + " …"
	next := []string{same}
	if s.Nodes[0].Effect == step.Undoable {
		next = append(next, same+" --undo")
	}
	return next
}

func heldCommands(s *journal.State, shot *Snapshot) []string {
	run := runFlag(s.Run)
	var next []string
	for _, n := range shot.Failed {
		next = append(next, "evac retry "+quote(n.ID)+run)
	}
	for _, n := range shot.Failed {
		next = append(next, "evac skip "+quote(n.ID)+run+" --reason WHY")
	}
	refused := false
	for _, n := range s.Nodes {
		if n.Phase == journal.Refused {
			refused = true
			next = append(next, "evac retry "+quote(n.ID)+run)
		}
	}
	if len(shot.Failed) == 0 && !refused {
		next = append(next, "evac release"+run)
	}
	if shot.Stage != "" {
		next = append(next, "evac undo --to "+quote(shot.Stage)+run)
	}
	return append(next, "evac undo"+run, "evac abort"+run)
}

// quote puts a word into single quotes where a shell would split or expand it
// (`postgres_copy.main["eu"]`).
func quote(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:@", r) || r > 127
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !safe(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
