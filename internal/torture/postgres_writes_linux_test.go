//go:build torture

package torture

import (
	"fmt"
	"testing"
)

// TestPostgresWrites kills evac before and after each of its journal's writes
// while it moves a database, and while it takes that back.
func TestPostgresWrites(t *testing.T) {
	t.Parallel()
	w := newPgWorld(t, dice(t), pgPlan{size: 2})
	kills := 0
	for _, moment := range []string{"before", "after"} {
		for _, undo := range []bool{false, true} {
			for commit := 1; w.killedAt(at(commit, moment), undo); commit++ {
				kills++
			}
		}
	}
	t.Logf("%d kills at journal writes", kills)
}

// killedAt kills a move or its undo at a commit, unless it has fewer.
func (w *pgWorld) killedAt(k kill, undo bool) (killed bool) {
	w.t.Helper()
	m := w.begin(w.copyNight(), w.random.IntN(2) == 0)
	defer m.end()
	if undo {
		m.goOn()
	}
	m.commit = k.commit
	e := m.endsIn(m.start(undo), 2*patience)
	m.commit = ""
	m.story = append(m.story, fmt.Sprintf("killed at commit %s, undo %v", k.commit, undo))
	if e.code != 0 && !e.killed {
		w.t.Fatalf("%s: exit %d\n%s%s", m.told(), e.code, e.stdout, e.stderr)
	}
	if !undo {
		m.goOn()
		m.count("moved")
	}
	m.undone()
	m.gone("undone")
	return e.killed
}
