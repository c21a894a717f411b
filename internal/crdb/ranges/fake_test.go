package ranges

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// fake is a store written in a test. Its row keys are short strings.
type fake struct {
	Source
	changes []engine.Change
}

func newFake(store uint64) *fake {
	f := &fake{Source: Source{Name: fmt.Sprintf("s%d", store)}}
	f.message(keys.StoreKey(nil, keys.StoreIdent), wire.Message{}.Bytes(1, make([]byte, 16)).Int(2, store).Int(3, store))
	return f
}

func (f *fake) set(key, value []byte) {
	f.changes = append(f.changes, engine.Change{Op: engine.Set, Key: key, Value: value})
}

// stored is a value of type BYTES without a checksum.
func stored(b []byte) []byte { return append([]byte{0, 0, 0, 0, 3}, b...) }

// inline is a message as local keys hold it.
func inline(msg []byte) []byte { return wire.Message{}.Bytes(2, nil).Bytes(6, stored(msg)) }

func (f *fake) message(user []byte, msg []byte) { f.set(append(user, 0), inline(msg)) }

// row writes a version; an empty text deletes.
func (f *fake) row(key string, at int64, text string) {
	f.changes = append(f.changes, rowChange(key, at, text))
}

func rowChange(key string, at int64, text string) engine.Change {
	c := engine.Change{Op: engine.Set, Key: keys.Append(nil, []byte(key), keys.Timestamp{Wall: at})}
	if text != "" {
		c.Value = stored([]byte(text))
	}
	return c
}

// desc is a descriptor; each store's replica ID is its number.
func desc(id, generation uint64, start, end string, stores ...uint64) *Descriptor {
	d := &Descriptor{RangeID: id, Generation: generation, Start: []byte(start), End: []byte(end)}
	if end == "" {
		d.End = keys.MaxKey()
	}
	for _, s := range stores {
		d.Members = append(d.Members, Member{Node: s, Store: s, Replica: s})
	}
	return d
}

func encode(d *Descriptor) wire.Message {
	m := wire.Message{}.Int(1, d.RangeID).Bytes(2, d.Start).Bytes(3, d.End)
	for _, r := range d.Members {
		m = m.Bytes(4, wire.Message{}.Int(1, r.Node).Int(2, r.Store).Int(3, r.Replica).Int(4, uint64(r.Role)))
	}
	return m.Int(6, d.Generation)
}

func descKey(d *Descriptor) []byte {
	return keys.RangeLocalKey{Addr: d.Start, Suffix: keys.Descriptor}.Append(nil)
}

func descChange(d *Descriptor, at int64) engine.Change {
	return engine.Change{Op: engine.Set, Key: keys.Append(nil, descKey(d), keys.Timestamp{Wall: at}), Value: stored(encode(d))}
}

// state is what a fake replica says of itself.
type state struct {
	applied, term, commit uint64
	lease, leaseIndex     uint64
	stats                 raftlog.Stats
}

// replica writes a replica: its descriptor, and its state with the log cut off
// at what is applied.
func (f *fake) replica(d *Descriptor, s state) {
	f.changes = append(f.changes, descChange(d, int64(d.Generation)))
	s.term, s.lease = max(s.term, 1), max(s.lease, 1)
	key := func(replicated bool, suffix keys.Suffix) []byte {
		return keys.RangeIDKey{RangeID: d.RangeID, Replicated: replicated, Suffix: suffix}.Append(nil)
	}
	f.message(key(true, keys.AppliedState), wire.Message{}.Int(1, s.applied).Int(2, s.leaseIndex).Bytes(3, encodeStats(s.stats)))
	f.message(key(true, keys.RangeLease), wire.Message{}.Int(7, s.lease))
	f.message(key(false, keys.HardState), wire.Message{}.Int(1, s.term).Int(3, max(s.commit, s.applied)))
	f.message(key(false, keys.TruncatedState), wire.Message{}.Int(1, s.applied).Int(2, s.term))
}

func encodeStats(s raftlog.Stats) wire.Message {
	m := wire.Message{}
	for num, v := range map[int]int64{4: s.LiveBytes, 5: s.LiveCount, 6: s.KeyBytes, 7: s.KeyCount, 8: s.ValBytes, 9: s.ValCount, 14: s.Estimates} {
		m = m.Int(num, uint64(v))
	}
	return m
}

// command is a Raft command in a test. Its lease is 1 and its lease index the
// entry's index, unless it says otherwise.
type command struct {
	lease, leaseIndex uint64
	changes           []engine.Change
	result            wire.Message
	sideloaded        bool
	empty             bool
}

func write(key string, at int64, text string) command {
	return command{changes: []engine.Change{rowChange(key, at, text)}}
}

func batch(changes []engine.Change) []byte {
	out := make([]byte, 12)
	binary.LittleEndian.PutUint32(out[8:], uint32(len(changes)))
	text := func(b []byte) { out = append(binary.AppendUvarint(out, uint64(len(b))), b...) }
	for _, c := range changes {
		kind := map[engine.Op]byte{engine.Set: 1, engine.Delete: 0, engine.DeleteRange: 15}[c.Op]
		out = append(out, kind)
		text(c.Key)
		if c.Op != engine.Delete {
			text(c.Value)
		}
	}
	return out
}

// log writes entries from an index on, all of one term.
func (f *fake) log(rangeID, index, term uint64, commands ...command) {
	for i, c := range commands {
		f.entry(rangeID, index+uint64(i), term, c)
	}
}

func (f *fake) entry(rangeID, index, term uint64, c command) {
	f.message(keys.LogKey(nil, rangeID, index), c.message(index, term))
}

// message is the entry that holds a command.
func (c command) message(index, term uint64) wire.Message {
	m := wire.Message{}.Int(2, term).Int(3, index)
	if !c.empty {
		if c.leaseIndex == 0 {
			c.leaseIndex = index
		}
		kind := byte(0)
		if c.sideloaded {
			kind = 1
		}
		data := append([]byte{kind}, "commandi"...)
		data = append(data, wire.Message{}.Int(4, c.leaseIndex).Int(6, max(c.lease, 1)).Bytes(13, c.result).
			Bytes(14, wire.Message{}.Bytes(1, batch(c.changes)))...)
		m = m.Bytes(4, data)
	}
	return m
}

// source is the store as the survey takes it.
func (f *fake) source() *Source {
	s := f.Source
	if s.View == nil {
		s.View = engine.NewOverlay(engine.Empty{}, f.changes)
	}
	return &s
}

func survey(t testing.TB, mode Mode, fakes ...*fake) *Map {
	t.Helper()
	var sources []*Source
	for _, f := range fakes {
		sources = append(sources, f.source())
	}
	m, err := Survey(context.Background(), sources, Options{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ascends walks all stored entries: each must come after the one before it.
func ascends(t testing.TB, m *Map) {
	t.Helper()
	for {
		it := m.View().Iter(keys.Span{})
		var last []byte
		for it.Next() {
			if last != nil && keys.Compare(last, it.Key()) >= 0 {
				t.Errorf("key %q after %q", it.Key(), last)
			}
			last = append(last[:0], it.Key()...)
		}
		if err := closed(it); err == nil {
			return
		} else if !errors.Is(err, ErrReadAgain) {
			t.Fatal(err)
		}
	}
}

// rows are all rows as the map reads them: from "a" to "zz".
func rows(t testing.TB, m *Map) string {
	t.Helper()
	for {
		it := m.Reader(keys.Timestamp{}).Iter(keys.Span{From: []byte("a"), To: []byte("zz")})
		var out []string
		for it.Next() {
			out = append(out, fmt.Sprintf("%s=%s", it.Key(), it.Value()[5:]))
		}
		err := it.Close()
		if errors.Is(err, ErrReadAgain) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, " ")
	}
}

// said is everything that the map finds doubtful, for a test to look into.
func said(m *Map) string {
	out := append([]string{}, m.Notes...)
	for _, r := range m.Ranges {
		for _, n := range r.Notes {
			out = append(out, fmt.Sprintf("r%d: %s", r.RangeID, n))
		}
		for _, p := range r.Replicas {
			if p.Fault != "" {
				out = append(out, fmt.Sprintf("r%d of %s: %s", r.RangeID, p.Source.Name, p.Fault))
			}
		}
	}
	for _, h := range m.Holes {
		out = append(out, fmt.Sprintf("hole [%q,%q) range %d", h.Span.From, h.Span.To, h.RangeID))
	}
	return strings.Join(out, "\n")
}

// files answers for the files of a store.
func files(m map[string][]byte) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if data, ok := m[name]; ok {
			return data, nil
		}
		return nil, os.ErrNotExist
	}
}
