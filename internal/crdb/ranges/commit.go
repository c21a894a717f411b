package ranges

import "fmt"

// Mode is how far a range's log is believed.
type Mode uint8

// The modes. What a client was told is in the log of every majority, so that
// Restart loses nothing; without a majority the tail of a log may hold what was
// never decided, and Conservative leaves it out.
const (
	Auto         Mode = iota // Restart with a majority of the voters, else Conservative
	Restart                  // all of the best log, as a cluster that starts again would do
	Conservative             // only what some replica knew to be committed
)

// Commit is how far a range's log is taken, and why.
type Commit struct {
	Target   uint64   // the index to bring replicas to
	Certain  uint64   // up to here some replica knew it, or a majority has it
	Best     *Replica // whose log decides; nil if no voter is there
	Voters   int      // that the range has
	Present  int      // of them, here
	Damaged  int      // of those, with a log that may have lost its end
	Majority bool     // a majority is here with the ends of its logs: nothing acknowledged is beyond Target
	Why      string
}

// decide says how far to bring a range whose current replicas these are.
func decide(d *Descriptor, replicas []*Replica, mode Mode) Commit {
	c := Commit{}
	present, whole := map[uint64]bool{}, map[uint64]bool{}
	for _, r := range replicas {
		c.Certain = max(c.Certain, r.Applied, r.Commit)
		m := d.Member(r.Store())
		if m == nil {
			continue
		}
		if before, after := m.Role.votes(); !before && !after {
			continue
		}
		present[r.Store()], whole[r.Store()] = true, !r.Damaged || r.Ends
		if c.Best == nil || r.Last.after(c.Best.Last) {
			c.Best = r
		}
	}
	_, undamaged, certain := majority(d, whole)
	c.Majority = certain
	var enough bool
	c.Voters, c.Present, enough = majority(d, present)
	c.Damaged = c.Present - undamaged
	if c.Best != nil && enough {
		c.Certain = max(c.Certain, common(d, replicas, c.Best))
	}
	c.Target = c.Certain
	switch {
	case c.Best == nil:
		c.Why = "no voter of the range is here"
	case mode == Conservative:
		c.Why = "up to what was known to be committed"
	case mode == Restart || enough:
		c.Target = max(c.Target, c.Best.Last.Index)
		c.Why = fmt.Sprintf("the best log among %d of %d voters", c.Present, c.Voters)
	default:
		c.Why = fmt.Sprintf("only %d of %d voters are here: up to what was known to be committed", c.Present, c.Voters)
	}
	if c.Damaged > 0 {
		c.Why += fmt.Sprintf(", %d of them with a damaged log", c.Damaged)
		if enough && !certain { // the whole logs alone are no majority
			c.Why += ": a write may have been acknowledged by a majority whose copies of it are what the damage took"
		}
	}
	return c
}

// majority says whether those present are one, before and after a change that is
// under way.
func majority(d *Descriptor, present map[uint64]bool) (voters, here int, ok bool) {
	var before, after, hereBefore, hereAfter int
	for _, m := range d.Members {
		b, a := m.Role.votes()
		if b || a {
			voters++
		}
		if b {
			before++
		}
		if a {
			after++
		}
		if !present[m.Store] {
			continue
		}
		if b || a {
			here++
		}
		if b {
			hereBefore++
		}
		if a {
			hereAfter++
		}
	}
	return voters, here, voters > 0 && 2*hereBefore > before && 2*hereAfter > after
}

// common is the highest index that a majority has with the best log's last term:
// every replica that could lead has it, so it is committed.
func common(d *Descriptor, replicas []*Replica, best *Replica) uint64 {
	for i := best.Last.Index; i > best.Applied; i-- {
		if best.term(i) != best.Last.Term {
			break
		}
		have := map[uint64]bool{}
		for _, r := range replicas {
			have[r.Store()] = r.term(i) == best.Last.Term
		}
		if _, _, ok := majority(d, have); ok {
			return i
		}
	}
	return 0
}

// trusted is up to which index a replica's log holds what the best log holds:
// two logs that agree on one entry agree on all before it, and what is committed
// is the same everywhere.
func trusted(r, best *Replica) uint64 {
	known := max(r.Commit, r.Applied)
	if best == nil || r == best {
		return max(known, r.Last.Index)
	}
	for i := min(r.Last.Index, best.Last.Index); i > known; i-- {
		if t := r.term(i); t != 0 && t == best.term(i) {
			return i
		}
	}
	return known
}
