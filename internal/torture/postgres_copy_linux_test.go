package torture

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

// TestPostgresCopy moves a database while evac, the servers and the network
// between them fail, at random instants and in every phase: each move comes
// to its end or is undone, whatever struck it.
func TestPostgresCopy(t *testing.T) {
	t.Parallel()
	if !*full {
		var some []pgFault
		for _, faults := range pgFaults() {
			some = append(some, faults[rand.IntN(len(faults))])
		}
		tortured(t, nil, some, len(some))
		return
	}
	for what, faults := range pgFaults() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tortured(t, nil, faults, *pgStrikes)
		})
	}
}

// tortured makes a world and lets faults strike in it.
func tortured(t *testing.T, disk *pgDisk, faults []pgFault, strikes int) {
	t.Helper()
	seed := *pgSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("again with -seed %d", seed)
	w := newPgWorld(t, rand.New(rand.NewPCG(seed, seed)), disk)
	w.torture(faults, strikes)
}

var (
	pgSeed    = flag.Uint64("seed", 0, "moves of databases: the dice of an earlier run")
	pgStrikes = flag.Int("strikes", 50, "moves of databases: how often each thing fails with -full")
)

// torture strikes again and again, with each fault as often.
func (w *pgWorld) torture(faults []pgFault, strikes int) {
	w.t.Helper()
	began := time.Now()
	for w.tally.all() < strikes {
		m := w.begin(w.random.IntN(3) == 0)
		through, undo := false, false
		for range 3 {
			through = m.struck(w.rarest(faults), w.moment(false), false)
			if undo = m.emptied || !through && w.random.IntN(4) == 0; through || undo {
				break
			}
		}
		if !undo {
			m.goOn()
			m.count("moved")
		}
		m.struck(w.rarest(faults), w.moment(true), true)
		m.undone()
		m.gone("undone")
		m.end()
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

// moment is any instant, or one in the phase that was struck least.
func (w *pgWorld) moment(undo bool) moment {
	took := w.took
	if undo {
		took = w.undoTook
	}
	if w.random.IntN(2) == 0 {
		return moment{after: time.Duration(w.random.Int64N(int64(took)))}
	}
	var least *phase
	for _, p := range pgPhases() {
		if p.undo == undo && (least == nil || w.tally.in(p.name) < w.tally.in(least.name)) {
			least = &p
		}
	}
	return moment{phase: least.name, undo: undo, after: time.Duration(w.random.Int64N(int64(30 * time.Millisecond)))}
}
