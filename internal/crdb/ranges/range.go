package ranges

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// Range is a range with all that the stores say of it, and who speaks for it.
type Range struct {
	Descriptor            // as of Commit.Target
	Replicas   []*Replica // those that have a say first, the preferred one first of all
	Commit     Commit
	Chosen     *Replica // nil if no replica of it is of use
	Replay     *Replay  // of Chosen; nil without it
	Spans      []keys.Span
	Notes      []string // what makes it doubtful, one sentence each
	Proof      Proof    // of the keys that rest on the log, once Prove was called

	log   *unionLog
	bases []*base
}

// base is one replica as it may serve: brought forward to the range's target.
type base struct {
	rng     *Range
	replica *Replica
	reaches bool    // it can be brought to the target
	replay  *Replay // once it was brought forward
	under   *base   // the same replica without after; nil: this is it
	after   *Replay // what the log of the range that has its keys now changed
	once    sync.Once
	view    engine.View
}

// open is the replica's store with what it had not applied laid over it.
func (b *base) open() engine.View {
	b.once.Do(func() {
		if b.under != nil {
			b.view = b.after.over(b.under.open())
			return
		}
		if b.replay == nil {
			b.replay = b.rng.log.replay(b.replica, b.rng.Commit.Target)
		}
		source := b.replica.Source
		b.view = source.room.whole(b.replay.over(source.View))
	})
	return b.view
}

// note adds a doubt once.
func (r *Range) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

// newRange settles which replicas have a say, how far the log is taken, and
// which replica serves first.
func newRange(newest *Descriptor, replicas []*Replica, mode Mode) *Range {
	r := &Range{Descriptor: *newest, Replicas: replicas}
	var live, logs []*Replica // those that may serve, and those whose logs count
	for _, p := range replicas {
		p.recover(newest)
		p.Fault = fault(p, newest)
		if p.Fault == "" {
			live = append(live, p)
		}
		if p.Fault == "" || p.Fault == noState && p.Damaged {
			logs = append(logs, p)
		}
	}
	r.Commit = decide(newest, logs, mode)
	r.log = newUnionLog(r.RangeID, logs, r.Commit.Best)
	for _, p := range live {
		r.bases = append(r.bases, &base{rng: r, replica: p, reaches: r.reaches(p)})
	}
	slices.SortStableFunc(r.bases, r.prefer)
	r.Replicas = r.Replicas[:0:0]
	for _, b := range r.bases {
		r.Replicas = append(r.Replicas, b.replica)
	}
	for _, p := range replicas {
		if p.Fault != "" {
			r.Replicas = append(r.Replicas, p)
		}
	}
	r.choose()
	return r
}

// noState is the fault of a replica of which at most the log is of use.
const noState = "it does not say how far it has applied"

// recover gives a replica whose own descriptor fell to damage the newest one.
func (p *Replica) recover(newest *Descriptor) {
	if p.Desc != nil || !p.State || p.Store() == 0 || newest.Member(p.Store()) == nil {
		return
	}
	own := keys.RangeLocalKey{Addr: newest.Start, Suffix: keys.Descriptor}.Append(nil)
	if p.Source.damaged.touches(only(own)) {
		p.Desc, p.Damaged = newest, true
	}
}

// fault is why a replica has no say, by the newest descriptor of its range.
func fault(p *Replica, newest *Descriptor) string {
	switch m := newest.Member(p.Store()); {
	case !p.State && !p.Lost && p.Tombstone > 0:
		return "it was removed from the store: only its tombstone is left"
	case p.ID != 0 && p.ID < p.Tombstone:
		return fmt.Sprintf("replica %d was removed from the store: its tombstone says %d", p.ID, p.Tombstone)
	case m == nil:
		return fmt.Sprintf("the range of generation %d no longer has a replica on store %d", newest.Generation, p.Store())
	case p.ID != 0 && m.Replica != p.ID:
		return fmt.Sprintf("replica %d is not replica %d, which the range of generation %d has on store %d", p.ID, m.Replica, newest.Generation, p.Store())
	case !p.State && !p.Lost:
		return noState
	case p.Desc == nil:
		return "it has no descriptor: it was never given the range's keys"
	}
	return ""
}

// reaches says whether the logs have all that a replica needs to get to the target.
func (r *Range) reaches(p *Replica) bool {
	if p.Lost {
		return true
	}
	for i := p.Applied + 1; i <= r.Commit.Target; i++ {
		if !r.log.has(i) {
			return false
		}
	}
	return true
}

// prefer orders the bases: those that reach the target, those that are whole,
// those that need the fewest entries; then by store, so that the answer is
// always the same.
func (r *Range) prefer(a, b *base) int {
	hurt := func(b *base) int {
		if b.replica.Damaged || b.replica.Source.damaged.touches(r.Span()) {
			return 1
		}
		return 0
	}
	gap := func(b *base) int {
		if b.reaches {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(gap(a), gap(b)),
		cmp.Compare(hurt(a), hurt(b)),
		cmp.Compare(b.replica.Applied, a.replica.Applied),
		cmp.Compare(a.replica.Store(), b.replica.Store()),
	)
}

// choose takes the preferred base and brings it forward.
func (r *Range) choose() {
	if len(r.bases) == 0 {
		r.note("no replica of it is of use")
		return
	}
	first := r.bases[0]
	r.Chosen = first.replica
	first.replay = r.log.replay(first.replica, r.Commit.Target)
	r.Replay = first.replay
	if p := r.Replay.Problem; p != "" {
		r.note("its state is that of index %d of %d: %s", r.Replay.To, r.Commit.Target, p)
	}
	if first.replica.Lost {
		r.note("store %d does not say how far it had applied the log: its keys are taken as they are, and the log over them", first.replica.Store())
	}
	if !r.Commit.Majority {
		r.note("later writes may be lost: %s", r.Commit.Why)
	}
	if !r.Replay.moved {
		return
	}
	d, err := r.descriptorAfter(first)
	switch {
	case err != nil:
		r.note("its newest descriptor cannot be read: %v", err)
	case d != nil:
		r.Descriptor = *d
	}
}

// descriptorAfter is the descriptor once the log is replayed.
func (r *Range) descriptorAfter(b *base) (*Descriptor, error) {
	user := keys.RangeLocalKey{Addr: r.Start, Suffix: keys.Descriptor}.Append(nil)
	view := b.open()
	it := mvcc.NewReader(view, mvcc.NewOutcomes(view, nil), keys.Timestamp{}).Iter(only(user))
	var d *Descriptor
	var err error
	if it.Next() {
		d, err = descriptorOf(it.Key(), it.Value())
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return d, err
}

// Why says in one sentence why the chosen replica speaks for the range.
func (r *Range) Why() string {
	if r.Chosen == nil {
		return "no replica of it is of use"
	}
	return fmt.Sprintf("store %d applied %d, brought to %d: %s", r.Chosen.Store(), r.Chosen.Applied, r.Replay.To, r.Commit.Why)
}
