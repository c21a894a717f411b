package ranges

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// Replica is one store's copy of a range.
type Replica struct {
	Source  *Source
	RangeID uint64
	ID      uint64      // 0 if the store does not say
	Desc    *Descriptor // as of what it applied; nil if it has none
	Fault   string      // why it has no say; empty if it has

	State     bool   // it says how far it has applied
	Applied   uint64 // the last log index that its keys contain
	Stats     raftlog.Stats
	Counted   bool           // it says Stats; those of a range without keys are all zero
	Closed    keys.Timestamp // nothing at or before it can still change; zero if not said
	GC        keys.Timestamp // versions before it may be gone
	Commit    uint64         // what it knew to be committed
	Truncated Position       // the entry before the first of the log
	First     uint64         // the log's first index; 0 if the log is empty
	Last      Position       // the last entry, or Truncated if the log is empty
	Tombstone uint64         // replicas of the store with a lower ID are dead
	Damaged   bool           // some of its own state could not be read
	// Ends says that no damage can have taken the end of its log. A log ends with
	// what was appended to it last (an append takes away what an older term had
	// behind it), and the entry at Last was appended behind everything that the
	// store has lost: the store's tables hold older writes than its write-ahead
	// logs, and these have lost nothing since.
	Ends bool
	Lost bool // of its state the applied index is lost: its keys count as they are

	appliedTerm uint64
	lease       lease
	tail        []stretch         // entries from Applied on, by index
	kept        map[uint64][]byte // those of them that were kept, by index, as they are stored
}

// Position is an index of a Raft log and the term of the entry there.
type Position struct{ Index, Term uint64 }

// after says whether a log that ends here is more up to date than one that ends at o.
func (p Position) after(o Position) bool {
	return p.Term > o.Term || p.Term == o.Term && p.Index > o.Index
}

// lease is how far a replica's lease has come.
type lease struct {
	sequence, index uint64
	known           bool // the sequence is
}

// stretch is entries that lie behind each other in a log, all of one term.
type stretch struct{ first, last, term uint64 }

// Store is the number of the store that it lies on.
func (r *Replica) Store() uint64 { return r.Source.Store }

// term is the term of the log's entry at an index, 0 if it is not known.
func (r *Replica) term(index uint64) uint64 {
	if index == r.Truncated.Index {
		return r.Truncated.Term
	}
	if t := r.tailTerm(index); t != 0 {
		return t
	}
	if index == r.Applied {
		return r.appliedTerm
	}
	return 0
}

// tailTerm is the term of an entry that was read along with the replica's state,
// 0 if there is none.
func (r *Replica) tailTerm(index uint64) uint64 {
	i, _ := slices.BinarySearchFunc(r.tail, index, func(s stretch, index uint64) int { return cmp.Compare(s.last, index) })
	if i == len(r.tail) || index < r.tail[i].first {
		return 0
	}
	return r.tail[i].term
}

// addTail takes an entry behind all others.
func (r *Replica) addTail(index, term uint64) {
	if n := len(r.tail); n > 0 && r.tail[n-1].term == term && r.tail[n-1].last+1 == index {
		r.tail[n-1].last = index
		return
	}
	r.tail = append(r.tail, stretch{index, index, term})
}

// read takes one key of the replica's own state; log entries are not among them.
func (r *Replica) read(k keys.RangeIDKey, user, value []byte) error {
	var parse func(msg []byte) error
	fields := func(want map[int]*uint64) func([]byte) error {
		return func(msg []byte) error { return ints(msg, want) }
	}
	switch k.Suffix {
	case keys.AppliedState:
		parse = r.readApplied
	case keys.HardState:
		parse = fields(map[int]*uint64{3: &r.Commit})
	case keys.RangeTombstone:
		parse = fields(map[int]*uint64{1: &r.Tombstone})
	case keys.RaftReplicaID:
		parse = fields(map[int]*uint64{1: &r.ID})
	case keys.RangeLease:
		parse, r.lease.known = fields(map[int]*uint64{7: &r.lease.sequence}), true
	case keys.TruncatedState:
		parse = fields(map[int]*uint64{1: &r.Truncated.Index, 2: &r.Truncated.Term})
	case keys.GCThreshold:
		parse = func(msg []byte) (err error) {
			r.GC, err = mvcc.ParseTimestamp(msg)
			return err
		}
	default:
		return nil
	}
	msg, err := mvcc.Message(user, value)
	if err == nil {
		err = parse(msg)
	}
	if err != nil {
		r.Damaged, r.lease.known = true, r.lease.known && k.Suffix != keys.RangeLease
		return fmt.Errorf("range %d: read key %q: %w", k.RangeID, k.Suffix, err)
	}
	return nil
}

func (r *Replica) readApplied(msg []byte) error {
	r.State = true
	return wire.Each(msg, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			r.Applied = f.Int
		case 2:
			r.lease.index = f.Int
		case 3:
			r.Stats, err = raftlog.ParseStats(f.Data, false)
			r.Counted = err == nil
		case 4:
			r.Closed, err = mvcc.ParseTimestamp(f.Data)
		case 5:
			r.appliedTerm = f.Int
		}
		return err
	})
}

// readOld takes the applied indexes of releases before there was one key for
// all: plain integers. They have no statistics with them.
func (r *Replica) readOld(k keys.RangeIDKey, value []byte) error {
	m, err := mvcc.ParseMeta(value)
	if err != nil {
		return err
	}
	if len(m.Inline) < 6 || m.Inline[4] != 1 {
		return fmt.Errorf("range %d: read key %q: %w", k.RangeID, k.Suffix, mvcc.ErrValue)
	}
	v, n := binary.Varint(m.Inline[5:])
	if n <= 0 || v < 0 {
		return fmt.Errorf("range %d: read key %q: %w", k.RangeID, k.Suffix, mvcc.ErrValue)
	}
	if k.Suffix == keys.OldAppliedIndex {
		r.Applied, r.State, r.Stats.Estimates = uint64(v), true, 1
	} else {
		r.lease.index = uint64(v)
	}
	return nil
}

// ints reads integer fields of a message.
func ints(msg []byte, fields map[int]*uint64) error {
	return wire.Each(msg, func(f wire.Field) error {
		if v := fields[f.Num]; v != nil {
			*v = f.Int
		}
		return nil
	})
}
