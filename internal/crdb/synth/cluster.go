package synth

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// Raft indexes: what ordinary ranges applied, and what ranges had applied before
// the entries that only logs hold.
const (
	appliedAll  = 20
	appliedOld  = 10
	raftTerm    = 6
	gcWall      = 1_500_000_000_000_000_000 // nanoseconds; versions before it may be gone
	perLogEntry = 20                        // key-value pairs
)

// rangeOf is one range.
type rangeOf struct {
	id         uint64
	start, end []byte
	fate       *Table // the table it holds, if that has a fate
}

// cluster is the local keys of all stores.
type cluster struct {
	spec    *Spec
	id      [16]byte
	now     keys.Timestamp
	ranges  []rangeOf
	items   []item            // local keys, in no order
	entries map[uint64][]item // what the logs of a range hold and its applied states do not, by range
	files   []sideFile        // tables beside the logs, in every store
}

// sideFile is a file below a store's directory.
type sideFile struct {
	name string
	data []byte
}

// cut makes ranges: at the beginning of tables, within large ones where many are
// wanted, and around each table that has a fate.
func (c *cluster) cut(tables []Table) {
	var cuts [][]byte
	want := c.spec.Ranges
	if want == 0 {
		want = len(tables)/4 + 2
	}
	each := int64(0)
	for i := range tables {
		each += int64(len(tables[i].Source.kvs))
	}
	each = each/int64(want) + 1
	since := each
	for i := range tables {
		t := &tables[i]
		n := int64(len(t.Source.kvs))
		if t.Fate != "" || since+n/2 >= each {
			cuts, since = append(cuts, t.Span.From), 0
		}
		if t.Fate != "" {
			cuts, since = append(cuts, t.Span.To), 0
			continue
		}
		for since+n >= each {
			at := n - (since + n - each)
			if key := t.rowStart(int(at)); key != nil {
				cuts = append(cuts, key)
			}
			since -= each
		}
		since += n
	}
	c.ranges = rangesAt(cuts)
	for i := range c.ranges {
		for j := range tables {
			if tables[j].Fate != "" && bytes.Equal(tables[j].Span.From, c.ranges[i].start) {
				c.ranges[i].fate = &tables[j]
			}
		}
	}
}

func rangesAt(cuts [][]byte) []rangeOf {
	slices.SortFunc(cuts, bytes.Compare)
	cuts = slices.CompactFunc(cuts, bytes.Equal)
	cuts = append(cuts, keys.MaxKey())
	out := make([]rangeOf, 0, len(cuts))
	start := []byte{}
	for _, end := range cuts {
		out = append(out, rangeOf{id: uint64(len(out) + 1), start: start, end: end})
		start = end
	}
	return out
}

// rowStart is the key at which the row of entry i or a later one begins; nil if
// there is none.
func (t *Table) rowStart(i int) []byte {
	for ; i > 0 && i < len(t.Source.kvs); i++ {
		e := t.Source.kvs[i]
		key := t.Source.data[e.at:][:e.key]
		if key[len(key)-1] == familyZero && len(key) > 3 {
			return append(bytes.Clone(t.Span.From), key[:len(key)-1]...)
		}
	}
	return nil
}

// state adds the local keys of every range and store.
func (c *cluster) state() error {
	for store := range c.spec.Stores {
		user := keys.StoreKey(nil, keys.StoreIdent)
		n := uint64(store + 1)
		c.inline(user, storeIdent(c.id, n), 1<<store)
	}
	for i := range c.ranges {
		if err := c.rangeState(&c.ranges[i]); err != nil {
			return err
		}
	}
	slices.SortStableFunc(c.items, func(a, b item) int { return keys.Compare(a.key, b.key) })
	return nil
}

// storeIdent is a StoreIdent; the node has the store's number.
func storeIdent(cluster [16]byte, n uint64) wire.Message {
	return wire.Message(nil).Bytes(1, cluster[:]).Int(2, n).Int(3, n)
}

// inline adds an inline value.
func (c *cluster) inline(user []byte, m wire.Message, stores uint64) {
	c.items = append(c.items, item{key: keys.Append(nil, user, keys.Timestamp{}), value: inline(user, m), kind: set, stores: stores})
}

// rangeState adds descriptor, applied states and logs of a range.
func (c *cluster) rangeState(r *rangeOf) error {
	all := make([]member, c.spec.Stores)
	for i := range all {
		all[i] = member{node: uint64(i + 1), replica: uint64(i + 1)}
	}
	last := uint64(1) << (c.spec.Stores - 1)
	fate := Fate("")
	if r.fate != nil {
		fate = r.fate.Fate
	}
	if fate == Zombie {
		c.descriptor(r, rangeDescriptor(r.id, r.start, r.end, all, 3), c.before(3), last)
		rest := all[:len(all)-1]
		c.descriptor(r, rangeDescriptor(r.id, r.start, r.end, append(slices.Clone(rest), member{node: 99, replica: 99}), 5), c.before(2), last-1)
	} else {
		c.descriptor(r, rangeDescriptor(r.id, r.start, r.end, all, 3), c.before(3), 0)
	}
	logged, err := c.logged(r)
	if err != nil {
		return err
	}
	for store := range c.spec.Stores {
		c.replica(r, fate, store, logged)
	}
	return nil
}

// before is a moment some seconds before now.
func (c *cluster) before(seconds int64) keys.Timestamp {
	return keys.Timestamp{Wall: c.now.Wall - seconds*1e9}
}

func (c *cluster) descriptor(r *rangeOf, m wire.Message, at keys.Timestamp, stores uint64) {
	user := keys.RangeLocalKey{Addr: r.start, Suffix: keys.Descriptor}.Append(nil)
	c.items = append(c.items, item{key: keys.Append(nil, user, at), value: protoValue(user, m), kind: set, stores: stores})
}

// logged is the commands of a range's log behind appliedOld, if something is in
// them.
func (c *cluster) logged(r *rangeOf) ([]*command, error) {
	ops := c.entries[r.id]
	if r.fate != nil && r.fate.Fate == Sideloaded {
		data, err := tableOf(c.spec.Engine, ops)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("auxiliary/sideloading/r%dXXXX/r%d/i%d.t%d", r.id/10000, r.id, appliedOld+1, raftTerm)
		c.files = append(c.files, sideFile{name: name, data: data})
		return []*command{tableCommand(data, r.fate.Span)}, nil
	}
	var out []*command
	for batch := range slices.Chunk(ops, perLogEntry) {
		out = append(out, batchCommand(batch))
	}
	return out, nil
}

// tableOf is entries as a table.
func tableOf(e Engine, entries []item) ([]byte, error) {
	out := &memory{}
	w := sstable.NewWriter(out, e.tableOptions())
	for _, it := range entries {
		if err := w.Set(it.key, it.value); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.data, nil
}

// replica adds one store's state of a range.
func (c *cluster) replica(r *rangeOf, fate Fate, store int, logged []*command) {
	applied, first, last := uint64(appliedAll), uint64(appliedAll-4), uint64(appliedAll)
	tail := appliedOld + uint64(len(logged))
	switch final := store == c.spec.Stores-1; {
	case fate == Logged, fate == Sideloaded, fate == LoggedOne && store > 0:
		applied, first, last = appliedOld, appliedOld-4, tail
	case fate == LoggedOne:
		applied, first, last = tail, appliedOld-4, tail
	case fate == Truncated && final:
		applied, first, last = appliedOld, appliedOld-4, appliedOld
	case fate == Truncated:
		first = appliedAll - 1
	case fate == Zombie && final:
		applied, first, last = appliedOld, appliedOld-4, appliedOld
	}
	commit := last
	if (fate == Logged || fate == Sideloaded) && store > 0 {
		commit = applied // it is told lazily
	}
	only := uint64(1) << store
	put := func(replicated bool, suffix keys.Suffix, m wire.Message) {
		c.inline(keys.RangeIDKey{RangeID: r.id, Replicated: replicated, Suffix: suffix}.Append(nil), m, only)
	}
	put(true, keys.AppliedState, appliedState(applied, applied))
	put(true, keys.RangeLease, wire.Message(nil).Bytes(3, wire.Message(nil).Int(1, 1).Int(2, 1).Int(3, 1)).Int(7, leaseSequence))
	put(true, keys.GCThreshold, stamp(keys.Timestamp{Wall: gcWall}))
	put(false, keys.HardState, wire.Message(nil).Int(1, raftTerm).Int(2, 1).Int(3, commit))
	put(false, keys.TruncatedState, wire.Message(nil).Int(1, first-1).Int(2, raftTerm))
	if c.spec.Engine.lockTable() {
		put(false, keys.RaftReplicaID, wire.Message(nil).Int(1, uint64(store+1)))
	}
	for index := first; index <= last; index++ {
		var asks *command
		if index > appliedOld && int(index-appliedOld) <= len(logged) {
			asks = logged[index-appliedOld-1]
		}
		c.inline(keys.LogKey(nil, r.id, index), logEntry(raftTerm, index, index, asks), only)
	}
}

// systemItems is the rows of system.descriptor and system.namespace.
func systemItems(t *Template, tables []Table) []item {
	var out []item
	add := func(user []byte, at keys.Timestamp, tag enc.Tag, data []byte) {
		out = append(out, item{key: keys.Append(nil, user, at), value: valueOf(user, tag, data), kind: set})
	}
	row := func(id uint32, at keys.Timestamp, desc []byte) {
		user := keys.AppendUvarint(keys.IndexPrefix(0, 3, 1), uint64(id))
		add(append(user, 0x8a, 0x89), at, enc.TagBytes, desc)
	}
	for _, raw := range t.other {
		row(raw.ID, raw.At, raw.Bytes)
	}
	for i := range tables {
		row(tables[i].ID, t.newest, redescribe(tables[i].Source.desc, tables[i].ID, tables[i].Name))
		user := keys.AppendUvarint(keys.IndexPrefix(0, 30, 1), uint64(t.database))
		user = keys.AppendBytes(keys.AppendUvarint(user, publicSchema), []byte(tables[i].Name))
		add(append(user, 0x8c, 0x89), t.newest, enc.TagInt, zigzag(int64(tables[i].ID)))
	}
	slices.SortFunc(out, func(a, b item) int { return cmp.Or(keys.Compare(a.key, b.key)) })
	return out
}

const publicSchema = 29
