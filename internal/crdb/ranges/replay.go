package ranges

import (
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// Replay is what bringing one replica forward along its log came to.
type Replay struct {
	From, To uint64 // the first index is behind From
	Applied  int    // commands that counted
	Void     Void
	Layers   []*engine.Layer // what they changed, the first first
	Splits   []Split
	Merges   []*Descriptor // of the ranges that were absorbed
	Stats    raftlog.Stats // as of To
	Problem  string        // why it ended before its target, or is not whole
	moved    bool          // the range's descriptor may have changed
}

// over lays what the log changed over a view. Nil changed nothing.
func (r *Replay) over(view engine.View) engine.View {
	if r == nil {
		return view
	}
	for _, l := range r.Layers {
		view = l.Over(view)
	}
	return view
}

// Split is a range that came out of another one.
type Split struct {
	Index uint64
	Right *Descriptor
}

// Void counts the commands that are in the log and had no effect.
type Void struct{ Empty, Lease, LeaseIndex, GC int }

// replayer is the state that decides whether a command counts.
type replayer struct {
	replica *Replica
	lease   lease // if not known: taken from the first command
	gc      keys.Timestamp
	out     *Replay

	room    *room
	pending []engine.Change // not in a layer yet
	bytes   int64           // of memory that they take
}

// replay brings a replica forward to an index, or as far as the log reaches.
func (l *unionLog) replay(r *Replica, to uint64) *Replay {
	if r.Lost {
		return l.replayAll(r, to)
	}
	p := &replayer{replica: r, lease: r.lease, gc: r.GC, room: r.Source.room}
	p.out = &Replay{From: r.Applied, To: r.Applied, Stats: r.Stats}
	p.run(l, to)
	return p.out
}

// replayAll lays out everything that the log still has, from its first entry on,
// whether it was applied or not.
func (l *unionLog) replayAll(r *Replica, to uint64) *Replay {
	p := &replayer{replica: r, room: r.Source.room}
	first := l.first()
	if first == 0 {
		return &Replay{Problem: "there is no log"}
	}
	p.out = &Replay{From: first - 1, To: first - 1}
	p.run(l, to)
	return p.out
}

// run applies the log up to an index, a stretch of it at a time.
func (p *replayer) run(l *unionLog, to uint64) {
	defer p.flush()
	for p.out.To < to {
		entries, end, err := l.load(p.out.To, to, p.room.chunk)
		for index := p.out.To + 1; index <= end && err == nil; index++ {
			var e raftlog.Entry
			var from *Replica
			if e, from, err = l.entry(entries, index); err == nil {
				err = p.step(e, from)
			}
			if err == nil {
				p.out.To = index
			}
		}
		if err != nil {
			p.out.Problem = err.Error()
			return
		}
	}
}

// change takes what a command changed.
func (p *replayer) change(changes []engine.Change) {
	p.pending = append(p.pending, changes...)
	for _, c := range changes {
		p.bytes += int64(len(c.Key)+len(c.Value)) + changeRoom
	}
	if p.bytes >= p.room.chunk {
		p.flush()
	}
}

// flush makes a layer of what is pending.
func (p *replayer) flush() {
	if len(p.pending) > 0 {
		p.out.Layers = append(p.out.Layers, p.room.layer(p.pending, p.bytes))
	}
	p.pending, p.bytes = nil, 0
}

// step applies one entry.
func (p *replayer) step(e raftlog.Entry, from *Replica) error {
	c, err := e.Command()
	if err != nil {
		return err
	}
	if c == nil {
		p.out.Void.Empty++
		return nil
	}
	if !p.counts(c) {
		return nil
	}
	changes, err := c.Changes()
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Index, err)
	}
	if c.Result.Table != nil {
		table, err := tableOf(c, e, from)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		changes = append(changes, table...)
	}
	p.out.Applied++
	p.change(changes)
	p.out.Stats = p.out.Stats.Add(c.Result.Delta)
	return p.result(e.Index, &c.Result)
}

// counts says whether a command has an effect, and moves the lease on
// (CockroachDB's checks before applying a command).
func (p *replayer) counts(c *raftlog.Command) bool {
	if !p.lease.known && c.LeaseSequence != 0 {
		p.lease.sequence, p.lease.known = c.LeaseSequence, true
	}
	switch {
	case c.LeaseSequence != p.lease.sequence:
		p.out.Void.Lease++
		return false
	case c.Result.LeaseRequest:
		return true
	case c.MaxLeaseIndex <= p.lease.index:
		p.out.Void.LeaseIndex++
		return false
	}
	// The index is used up even if what follows refuses the command.
	p.lease.index = c.MaxLeaseIndex
	if w := c.Result.WriteTimestamp; !w.IsZero() && !p.gc.IsZero() && w.Compare(p.gc) <= 0 {
		p.out.Void.GC++
		return false
	}
	return true
}

// result keeps what a command does beside its changes.
func (p *replayer) result(index uint64, r *raftlog.Result) error {
	if r.Lease != nil {
		if err := ints(r.Lease, map[int]*uint64{7: &p.lease.sequence}); err != nil {
			return fmt.Errorf("entry %d: read lease: %w", index, err)
		}
	}
	if r.GCThreshold.Compare(p.gc) > 0 {
		p.gc = r.GCThreshold
	}
	p.out.moved = p.out.moved || r.Split != nil || r.Merge != nil || r.Change != nil || r.Descriptor != nil
	if r.Split != nil {
		right, err := ParseDescriptor(r.Split.Right)
		if err != nil {
			return fmt.Errorf("entry %d: split: %w", index, err)
		}
		p.out.Splits = append(p.out.Splits, Split{Index: index, Right: right})
	}
	if r.Merge != nil {
		right, err := ParseDescriptor(r.Merge.Right)
		if err != nil {
			return fmt.Errorf("entry %d: merge: %w", index, err)
		}
		p.out.Merges = append(p.out.Merges, right)
	}
	return nil
}

// errTable says that the table of a command is not to be had.
var errTable = errors.New("the table that the command adds is missing or damaged")

// tableOf reads the table that a command adds to the store.
func tableOf(c *raftlog.Command, e raftlog.Entry, from *Replica) ([]engine.Change, error) {
	t := c.Result.Table
	if len(t.Data) > 0 && t.Whole(t.Data) {
		return raftlog.ParseTable(t.Data)
	}
	if from.Source.ReadFile == nil {
		return nil, errTable
	}
	for _, name := range raftlog.SideloadPaths(from.RangeID, from.ID, e.Index, e.Term) {
		data, err := from.Source.ReadFile(name)
		if err == nil && t.Whole(data) {
			return raftlog.ParseTable(data)
		}
	}
	return nil, errTable
}
