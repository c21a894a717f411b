package torture

import (
	"flag"
	"maps"
	"slices"
	"testing"
	"time"
)

// TestPostgresCopy moves a database while evac, the servers and the network
// between them fail, at random instants and in every phase: each move comes
// to its end or is undone, whatever struck it.
func TestPostgresCopy(t *testing.T) {
	t.Parallel()
	if !*full {
		random := dice(t)
		var some []pgFault
		for _, what := range slices.Sorted(maps.Keys(pgFaults())) {
			faults := slices.DeleteFunc(pgFaults()[what], func(f pgFault) bool { return f.slow })
			some = append(some, faults[random.IntN(len(faults))])
		}
		newPgWorld(t, random, pgPlan{size: 20}).torture(some, len(some))
		return
	}
	for what, faults := range pgFaults() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			newPgWorld(t, dice(t), pgPlan{size: 60, everything: true}).torture(faults, *pgStrikes)
		})
	}
}

var (
	pgStrikes = flag.Int("strikes", 50, "moves of databases: how often each thing fails with -full")
	pgWithin  = flag.Duration("within", time.Hour, "moves of databases: no new one begins after this time")
)

// pgStruckMost bounds how often one move is struck, and its undo.
const pgStruckMost = 4

// torture strikes again and again, with each fault as often.
func (w *pgWorld) torture(faults []pgFault, strikes int) {
	w.t.Helper()
	w.measure()
	began := time.Now()
	for w.tally.all() < strikes && time.Since(began) < *pgWithin {
		m := w.begin(w.copyNight(), w.random.IntN(3) == 0)
		undo := false
		for range pgStruckMost {
			f := w.rarest(faults)
			through := m.struck(f, w.moment(f, false), false)
			if undo = m.emptied || !through && w.random.IntN(2*pgStruckMost) == 0; through || undo {
				break
			}
		}
		if !undo {
			m.goOn()
			m.count("moved")
		}
		for range pgStruckMost {
			f := w.rarest(faults)
			if m.struck(f, w.moment(f, true), true) {
				break
			}
		}
		m.undone()
		m.gone("undone")
		m.end()
		w.t.Logf("%s: %s", time.Since(began).Round(time.Second), m.told())
	}
	w.t.Logf("%d faults in %d moves in %s (an undisturbed move takes %s, its undo %s)\n%s",
		w.tally.all(), w.moves, time.Since(began).Round(time.Second), w.took.Round(time.Millisecond), w.undoTook.Round(time.Millisecond), w.tally)
}

// rarest is a fault that has struck least.
func (w *pgWorld) rarest(faults []pgFault) pgFault {
	least := faults[w.random.IntN(len(faults))]
	for _, f := range faults {
		if w.tally.of(f.name) < w.tally.of(least.name) {
			least = f
		}
	}
	return least
}

// earlyPhases are how many of the phases write much after them.
const earlyPhases = 6

// moment is any instant, or one in the phase that was struck least; what does
// harm only with time comes early.
func (w *pgWorld) moment(f pgFault, undo bool) moment {
	took := w.took
	if undo {
		took = w.undoTook
	}
	phases := w.phases[undo]
	if f.mustFail {
		took = took * 2 / 3
		phases = phases[:min(len(phases), earlyPhases)]
	}
	if len(phases) == 0 || w.random.IntN(2) == 0 {
		return moment{after: time.Duration(w.random.Int64N(int64(took)))}
	}
	least := phases[0]
	for _, name := range phases {
		if w.tally.in(name) < w.tally.in(least) {
			least = name
		}
	}
	return moment{phase: least, after: time.Duration(w.random.Int64N(int64(30 * time.Millisecond)))}
}
