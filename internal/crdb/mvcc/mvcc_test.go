package mvcc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

func stamp(wall int64) wire.Message { return wire.Message{}.Int(1, uint64(wall)) }

func moment(wall int64) keys.Timestamp { return keys.Timestamp{Wall: wall} }

// value is a value of type BYTES without a checksum.
func value(text string) []byte {
	if text == "" {
		return nil
	}
	return append([]byte{0, 0, 0, 0, 3}, text...)
}

// txn is a transaction in a test: its anchor is the key "anchor".
type txn struct {
	id    byte
	epoch int
}

func (x txn) uuid() (id TxnID) { id[0] = x.id; return id }

func (x txn) meta(at int64, sequence int) wire.Message {
	id := x.uuid()
	return wire.Message{}.Bytes(1, id[:]).Bytes(3, []byte("anchor")).Int(4, uint64(x.epoch)).Bytes(5, stamp(at)).Int(7, uint64(sequence))
}

// table is a store in a test.
type table struct{ changes []engine.Change }

func (s *table) set(key, value []byte) {
	s.changes = append(s.changes, engine.Change{Op: engine.Set, Key: key, Value: value})
}

func (s *table) version(key string, at int64, text string) {
	s.set(keys.Append(nil, []byte(key), moment(at)), value(text))
}

// intent writes a provisional version in both forms' common part: the version.
func (s *table) intent(separate bool, key string, x txn, at int64, sequence int, text string, earlier ...string) {
	s.version(key, at, text)
	m := wire.Message{}.Bytes(1, x.meta(at, sequence)).Bytes(2, stamp(at)).Int(3, 0)
	for i, e := range earlier {
		m = m.Bytes(8, wire.Message{}.Int(1, uint64(i)).Bytes(2, value(e)))
	}
	if !separate {
		s.set(append([]byte(key), 0), m)
		return
	}
	id := x.uuid()
	lock := append(append(keys.LockKey(nil, []byte(key)), 0, lockIntent), id[:]...)
	s.set(append(lock, byte(len(id)+2)), m)
}

// record writes a transaction's record.
func (s *table) record(x txn, state State, at int64, more ...func(wire.Message) wire.Message) {
	m := wire.Message{}.Bytes(1, x.meta(at, 0)).Int(4, uint64(state))
	for _, f := range more {
		m = f(m)
	}
	key := keys.TxnKey(nil, []byte("anchor"), x.uuid())
	s.set(append(key, 0), wire.Message{}.Bytes(2, nil).Bytes(6, append(value(" ")[:5], m...)))
}

func inFlight(key string, sequence int) func(wire.Message) wire.Message {
	return func(m wire.Message) wire.Message {
		return m.Bytes(17, wire.Message{}.Bytes(1, []byte(key)).Int(2, uint64(sequence)))
	}
}

func ignored(first, last int) func(wire.Message) wire.Message {
	return func(m wire.Message) wire.Message {
		return m.Bytes(18, wire.Message{}.Int(1, uint64(first)).Int(2, uint64(last)))
	}
}

func (s *table) read(t *testing.T, asOf int64, known func([]byte) bool) string {
	t.Helper()
	view := engine.NewOverlay(engine.Empty{}, s.changes)
	it := NewReader(view, NewOutcomes(view, known), moment(asOf)).Iter(keys.Span{From: []byte("a"), To: []byte("z")})
	var out []string
	for it.Next() {
		mark := ""
		if it.Doubt() {
			mark = "?"
		}
		out = append(out, fmt.Sprintf("%s@%d=%s%s", it.Key(), it.Timestamp().Wall, it.Value()[5:], mark))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestReader(t *testing.T) {
	x := txn{id: 7}
	for _, c := range []struct {
		name string
		make func(s *table, separate bool)
		asOf int64
		want string
		deaf bool // nothing is known where nothing is
	}{
		{name: "newest version", want: "k@5=new", make: func(s *table, _ bool) { s.version("k", 3, "old"); s.version("k", 5, "new") }},
		{name: "as of", asOf: 4, want: "k@3=old", make: func(s *table, _ bool) { s.version("k", 3, "old"); s.version("k", 5, "new") }},
		{name: "tombstone", want: "", make: func(s *table, _ bool) { s.version("k", 3, "old"); s.version("k", 5, "") }},
		{name: "before the tombstone", asOf: 4, want: "k@3=old", make: func(s *table, _ bool) { s.version("k", 3, "old"); s.version("k", 5, "") }},
		{name: "header", want: "k@5=new", make: func(s *table, _ bool) {
			s.set(keys.Append(nil, []byte("k"), moment(5)), append([]byte{0, 0, 0, 2, extended, 8, 1}, value("new")...))
		}},
		{name: "header of a tombstone", want: "", make: func(s *table, _ bool) {
			s.version("k", 3, "old")
			s.set(keys.Append(nil, []byte("k"), moment(5)), []byte{0, 0, 0, 2, extended, 8, 1})
		}},
		{name: "committed intent", want: "k@5=new", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Committed, 5)
		}},
		{name: "committed intent, pushed", want: "k@9=new", make: func(s *table, b bool) {
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Committed, 9)
		}},
		{name: "committed intent, pushed behind the moment", asOf: 7, want: "k@3=old", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Committed, 9)
		}},
		{name: "committed intent that deletes", want: "", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "")
			s.record(x, Committed, 5)
		}},
		{name: "aborted", want: "k@3=old", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Aborted, 5)
		}},
		{name: "pending", want: "k@3=old", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Pending, 5)
		}},
		{name: "no record", want: "k@3=old", make: func(s *table, b bool) { s.version("k", 3, "old"); s.intent(b, "k", x, 5, 1, "new") }},
		{name: "no record and its range lost", deaf: true, want: "k@3=old?", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "new")
		}},
		{name: "other epoch", want: "k@3=old", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", txn{id: 7, epoch: 1}, 5, 1, "new")
			s.record(x, Committed, 5)
		}},
		{name: "intent above the commit", want: "k@3=old", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 6, 1, "new")
			s.record(x, Committed, 5)
		}},
		{name: "rolled back to an earlier write", want: "k@5=first", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 2, "third", "zeroth", "first")
			s.record(x, Committed, 5, ignored(2, 9))
		}},
		{name: "rolled back altogether", want: "k@3=old", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 2, "third", "zeroth")
			s.record(x, Committed, 5, ignored(0, 9))
		}},
		{name: "staged, all writes arrived", want: "k@5=new l@5=too", make: func(s *table, b bool) {
			s.intent(b, "k", x, 5, 1, "new")
			s.intent(!b, "l", x, 5, 2, "too")
			s.record(x, Staging, 5, inFlight("k", 1), inFlight("l", 2))
		}},
		{name: "staged, one write missing", want: "", make: func(s *table, b bool) {
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Staging, 5, inFlight("k", 1), inFlight("l", 2))
		}},
		{name: "staged, one write of an earlier sequence", want: "", make: func(s *table, b bool) {
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Staging, 5, inFlight("k", 2))
		}},
		{name: "staged, one write above the commit", want: "", make: func(s *table, b bool) {
			s.intent(b, "k", x, 6, 1, "new")
			s.record(x, Staging, 5, inFlight("k", 1))
		}},
		{name: "staged, one write resolved", want: "k@5=new l@5=too", make: func(s *table, b bool) {
			s.intent(b, "k", x, 5, 1, "new")
			s.version("l", 5, "too")
			s.record(x, Staging, 5, inFlight("k", 1), inFlight("l", 2))
		}},
		{name: "staged, another's intent at the same moment", want: "", make: func(s *table, b bool) {
			s.intent(b, "k", x, 5, 1, "new")
			s.intent(b, "l", txn{id: 8}, 5, 1, "theirs")
			s.record(x, Staging, 5, inFlight("k", 1), inFlight("l", 2))
		}},
		{name: "staged, one range lost", deaf: true, want: "k@3=old?", make: func(s *table, b bool) {
			s.version("k", 3, "old")
			s.intent(b, "k", x, 5, 1, "new")
			s.record(x, Staging, 5, inFlight("k", 1), inFlight("l", 2))
		}},
		{name: "range tombstone", want: "a@2=new c@1=c", make: func(s *table, _ bool) {
			s.version("a", 1, "a")
			s.version("a", 2, "new")
			s.version("b", 1, "b")
			s.version("c", 1, "c")
			s.changes = append(s.changes, engine.Change{Op: engine.SetTombstone, Key: []byte("a\x00"), Value: []byte("c\x00"), At: moment(2)})
		}},
		{name: "before the range tombstone", asOf: 1, want: "b@1=b", make: func(s *table, _ bool) {
			s.version("b", 1, "b")
			s.changes = append(s.changes, engine.Change{Op: engine.SetTombstone, Key: []byte("a\x00"), Value: []byte("c\x00"), At: moment(2)})
		}},
		{name: "inline", want: "k@0=inline", make: func(s *table, _ bool) {
			s.set([]byte("k\x00"), wire.Message{}.Bytes(2, nil).Bytes(6, value("inline")))
		}},
	} {
		for _, separate := range []bool{false, true} {
			s := &table{}
			c.make(s, separate)
			var known func([]byte) bool
			if c.deaf {
				known = func([]byte) bool { return false }
			}
			if got := s.read(t, c.asOf, known); got != c.want {
				t.Errorf("%s (separate %v): %q, want %q", c.name, separate, got, c.want)
			}
		}
	}
}

func TestAllVersions(t *testing.T) {
	s := &table{}
	s.version("k", 1, "one")
	s.version("k", 3, "")
	s.version("k", 5, "five")
	s.intent(true, "k", txn{id: 7}, 6, 1, "open")
	s.changes = append(s.changes, engine.Change{Op: engine.SetTombstone, Key: []byte("a\x00"), Value: []byte("z\x00"), At: moment(2)})
	view := engine.NewOverlay(engine.Empty{}, s.changes)
	got, err := NewReader(view, NewOutcomes(view, nil), keys.Timestamp{}).AllVersions([]byte("k"))
	want := []Version{{At: moment(5), Value: value("five")}, {At: moment(3)}, {At: moment(1), Value: value("one"), DeletedAt: moment(2)}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestTombs(t *testing.T) {
	span := func(from, to string) keys.Span { return keys.Span{From: []byte(from), To: []byte(to)} }
	list := []engine.RangeTombstone{{Span: span("b", "f"), At: moment(2)}, {Span: span("d", "h"), At: moment(3)}, {Span: span("a", "z"), At: moment(9)}}
	want := tombs{{Span: span("b", "d"), At: moment(2)}, {Span: span("d", "f"), At: moment(3)}, {Span: span("f", "h"), At: moment(3)}}
	if diff := cmp.Diff(want, newTombs(list, moment(5))); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecoders(f *testing.F) {
	f.Add([]byte(wire.Message{}.Bytes(1, txn{id: 7}.meta(5, 1)).Bytes(2, stamp(5)).Bytes(6, value("x"))))
	f.Add(append([]byte{0, 0, 0, 2, extended, 8, 1}, value("new")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseMeta(b)
		_, _ = ParseRecord(b)
		_, _ = Message([]byte("k"), b)
		if out, err := StripHeader(b); err == nil && len(out) > len(b) {
			t.Error("longer than it was")
		}
	})
}

// BenchmarkIter is the reader's own cost: the entries are in memory.
func BenchmarkIter(b *testing.B) {
	s := &table{}
	var size int64
	for i := range 20_000 {
		user := append(binary.BigEndian.AppendUint64([]byte{0xbc, 0x89, 0x12}, uint64(i)), 0, 1, 0x88)
		for v := range 1 + i%2 {
			key := keys.Append(nil, user, keys.Timestamp{Wall: 1795234034328981592 - int64(v), Logical: 1})
			text := value(strings.Repeat("x", 100))
			s.set(key, text)
			size += int64(len(key) + len(text))
		}
	}
	view := engine.NewOverlay(engine.Empty{}, s.changes)
	for _, raw := range []bool{true, false} {
		b.Run(map[bool]string{true: "physical", false: "reader"}[raw], func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				if raw {
					for it := view.Iter(keys.Span{}); it.Next(); {
						n++
					}
				} else {
					it := NewReader(view, NewOutcomes(view, nil), keys.Timestamp{}).Iter(keys.Span{})
					for it.Next() {
						n++
					}
					n += 10_000
				}
				if n != 30_000 {
					b.Fatal(n)
				}
			}
		})
	}
}
