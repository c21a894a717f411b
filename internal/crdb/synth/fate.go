package synth

import (
	"bytes"
	"encoding/binary"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// The sequence of a transaction's writes, and that of what a savepoint kept.
const (
	writeSequence = 5
	keptSequence  = 1
)

// intentState is what a fate makes of the intents on all keys of a table.
type intentState struct {
	status   uint64
	noRecord bool
	epoch    uint64 // of the record; the intents' is 0
	pushed   bool
	ignored  bool // the record takes the writes' sequence back
	kept     bool // and the intents hold what was before
	inFlight bool // the record lists writes
	missing  bool // one of them is not there
}

func intents(f Fate) (intentState, bool) {
	switch f {
	case Committed:
		return intentState{status: statusCommitted}, true
	case Pushed:
		return intentState{status: statusCommitted, pushed: true}, true
	case Staging:
		return intentState{status: statusStaging, inFlight: true}, true
	case Savepoint:
		return intentState{status: statusCommitted, ignored: true, kept: true}, true
	case Aborted:
		return intentState{status: statusAborted}, true
	case Pending:
		return intentState{status: statusPending}, true
	case NoRecord:
		return intentState{noRecord: true}, true
	case HalfStaged:
		return intentState{status: statusStaging, inFlight: true, missing: true}, true
	case OldEpoch:
		return intentState{status: statusCommitted, epoch: 1}, true
	case RolledBack:
		return intentState{status: statusCommitted, ignored: true}, true
	}
	return intentState{}, false
}

// fated emits the entries of a table that has a fate.
func (g *generator) fated(t *Table, emit func(item) error) error {
	if state, ok := intents(t.Fate); ok {
		return g.intents(t, state, emit)
	}
	for i, e := range t.Source.kvs {
		user, value := g.build.kv(t, i)
		it := item{key: keys.Append(nil, user, e.ts), value: bytes.Clone(value), kind: set}
		for _, it := range g.outcome(t, i, bytes.Clone(user), it) {
			if err := emit(it); err != nil {
				return err
			}
		}
	}
	return nil
}

// outcome is what a fate makes of one version, in the order of keys. What only
// the Raft log has is put there.
func (g *generator) outcome(t *Table, i int, user []byte, it item) []item {
	last := uint64(1) << (g.spec.Stores - 1)
	ts := t.Source.kvs[i].ts
	entries := g.cluster.entries
	id := g.cluster.rangeFor(t.Span.From)
	switch t.Fate {
	case Deleted:
		tomb := item{key: keys.Append(nil, user, later(ts, 1)), kind: set, fixed: true, place: [...]place{inTop, inMiddle, inLog, inBase}[i%4]}
		return []item{tomb, it}
	case Logged, Sideloaded:
		entries[id] = append(entries[id], it)
		return nil
	case LoggedOne:
		entries[id] = append(entries[id], it)
		it.stores = 1
	case Truncated:
		it.stores = last - 1
	case Zombie:
		old := item{key: keys.Append(nil, user, later(ts, -3600)), value: g.build.other(t, i, user), kind: set, stores: last}
		it.stores = last - 1
		return []item{it, old}
	case Cleared, RangeDeleted:
		it.fixed = true
	}
	return []item{it}
}

// over is what lies over whole tables: range deletions and range tombstones.
func (g *generator) over(tables []Table) []item {
	var out []item
	for i := range tables {
		it := item{key: keys.Append(nil, tables[i].Span.From, keys.Timestamp{}), value: keys.Append(nil, tables[i].Span.To, keys.Timestamp{})}
		switch tables[i].Fate {
		case Cleared:
			it.kind = rangeDel
			out = append(out, it)
		case RangeDeleted:
			it.kind, it.at = rangeSet, g.cluster.now
			out = append(out, it)
		}
	}
	return out
}

func later(t keys.Timestamp, seconds int64) keys.Timestamp {
	return keys.Timestamp{Wall: t.Wall + seconds*1e9, Logical: t.Logical}
}

// intents emits a table whose keys all have an intent of one transaction.
func (g *generator) intents(t *Table, state intentState, emit func(item) error) error {
	x := txn{at: g.cluster.now, sequence: writeSequence}
	binary.BigEndian.PutUint64(x.id[:], mix(g.spec.Seed^uint64(t.ID)))
	var writes [][]byte
	for i := range t.Source.kvs {
		user, value := g.build.kv(t, i)
		user = bytes.Clone(user)
		if x.anchor == nil {
			x.anchor = user
		}
		if i%4 == 0 {
			writes = append(writes, user)
		}
		if err := g.intent(x, state, t, i, user, bytes.Clone(value), emit); err != nil {
			return err
		}
	}
	if state.noRecord {
		return nil
	}
	if state.missing {
		writes = append(writes, append(bytes.Clone(x.anchor), 'x'))
	}
	if !state.inFlight {
		writes = nil
	}
	ignored := uint64(0)
	if state.ignored {
		ignored = writeSequence
	}
	if state.pushed {
		x.at = later(x.at, 5)
	}
	x.epoch = state.epoch
	g.cluster.inline(keys.TxnKey(nil, x.anchor, x.id), x.record(state.status, writes, ignored), 0)
	return nil
}

// intent emits one provisional version with its metadata.
func (g *generator) intent(x txn, state intentState, t *Table, i int, user, value []byte, emit func(item) error) error {
	m := meta(x.meta(), x.at, false, 12, len(value))
	if state.kept {
		m = m.Bytes(8, wire.Message(nil).Int(1, keptSequence).Bytes(2, value))
		value = g.build.other(t, i, user)
	}
	if g.spec.Engine.lockTable() {
		const strength = 3
		lock := append(keys.LockKey(nil, user), 0, strength)
		lock = append(append(lock, x.id[:]...), byte(len(x.id)+2))
		g.cluster.items = append(g.cluster.items, item{key: lock, value: m, kind: set})
	} else if err := emit(item{key: keys.Append(nil, user, keys.Timestamp{}), value: m, kind: set, fixed: true, place: [...]place{inLog, inTop, inBase}[i%3]}); err != nil {
		return err
	}
	return emit(item{key: keys.Append(nil, user, x.at), value: value, kind: set, fixed: true, place: [...]place{inBase, inMiddle, inLog}[i%3]})
}

// rangeFor is the range that begins at a key.
func (c *cluster) rangeFor(start []byte) uint64 {
	for _, r := range c.ranges {
		if bytes.Equal(r.start, start) {
			return r.id
		}
	}
	return 0
}
