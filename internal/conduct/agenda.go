package conduct

import (
	"time"

	"github.com/evac-io/evac/internal/journal"
)

// agenda is what is left of the present stage: which nodes may begin now,
// which wait for others, which wait for people or a time. It is only a view
// of the state and can be made anew from it whenever that is simpler.
type agenda struct {
	stage      string
	left       int                 // nodes not yet settled
	blocked    map[string]int      // node → unsettled nodes before it
	dependents map[string][]string // node → nodes that wait for it
	ready      []string            // may begin, in order
	waiting    map[string]bool     // gates, checklists and retries that were reached
}

// newAgenda looks at the first stage that is not settled; nil means that all
// are.
func newAgenda(st *journal.State) *agenda {
	for _, stage := range st.Stages {
		if a := agendaOf(st, stage.Name); a.left > 0 || stage.Ended.IsZero() {
			return a
		}
	}
	return nil
}

func agendaOf(st *journal.State, stage string) *agenda {
	a := &agenda{stage: stage, blocked: map[string]int{}, dependents: map[string][]string{}, waiting: map[string]bool{}}
	for _, n := range st.Nodes {
		if n.Stage != stage || n.Settled() {
			continue
		}
		a.left++
		for _, id := range n.After {
			if before := st.Node(id); before != nil && before.Stage == stage && !before.Settled() {
				a.blocked[n.ID]++
				a.dependents[id] = append(a.dependents[id], n.ID)
			}
		}
		if a.blocked[n.ID] == 0 {
			a.ready = append(a.ready, n.ID)
		}
	}
	return a
}

// settle takes a node that is done or skipped off the agenda.
func (a *agenda) settle(id string) {
	if a == nil {
		return
	}
	a.left--
	delete(a.waiting, id)
	for _, next := range a.dependents[id] {
		if a.blocked[next]--; a.blocked[next] == 0 {
			a.ready = append(a.ready, next)
		}
	}
	delete(a.dependents, id)
}

// deadline is the next moment at which a gate or a retry must be looked at.
func (a *agenda) deadline(st *journal.State) time.Time {
	var next time.Time
	if a == nil || st.Held != nil {
		return next
	}
	for id := range a.waiting {
		for _, at := range wakeTimes(st.Node(id)) {
			if !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

// wakeTimes are the moments that change what may happen to a waiting node.
func wakeTimes(n *journal.NodeState) []time.Time {
	if n.Class == journal.ClassStep {
		return []time.Time{retryAt(n)}
	}
	return []time.Time{n.Until, gateOpens(n)}
}
