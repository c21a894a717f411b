package raftlog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// repr is a batch with one operation of each kind that commands hold.
var repr = append(append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0},
	1, 2, 'a', 0, 1, 'v', // SET
	0, 2, 'b', 0, // DEL
	2, 2, 'c', 0, 1, 'm', // MERGE
	3, 1, 'x', // LOGDATA, not counted
	7, 2, 'd', 0, // SINGLEDEL
	15, 2, 'e', 0, 2, 'f', 0, // RANGEDEL
	18, 2, 'g', 0, 1, 'w', // SETWITHDEL
	23, 2, 'h', 0, 1, 9, // DELSIZED
), 21, 2, 'i', 0, 14, 2, 'j', 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 9, 0) // RANGEKEYSET

func TestParseBatch(t *testing.T) {
	got, err := ParseBatch(repr)
	want := []engine.Change{
		{Op: engine.Set, Key: []byte("a\x00"), Value: []byte("v")},
		{Op: engine.Delete, Key: []byte("b\x00")},
		{Op: engine.Merge, Key: []byte("c\x00"), Value: []byte("m")},
		{Op: engine.Delete, Key: []byte("d\x00")},
		{Op: engine.DeleteRange, Key: []byte("e\x00"), Value: []byte("f\x00")},
		{Op: engine.Set, Key: []byte("g\x00"), Value: []byte("w")},
		{Op: engine.Delete, Key: []byte("h\x00")},
		{Op: engine.SetTombstone, Key: []byte("i\x00"), Value: []byte("j\x00"), At: keys.Timestamp{Wall: 5}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for n := range len(repr) {
		if _, err := ParseBatch(repr[:n]); err == nil {
			t.Errorf("a batch cut to %d bytes was read", n)
		}
	}
}

func TestCommand(t *testing.T) {
	body := wire.Message{}.Int(4, 7).Int(6, 3).Bytes(14, wire.Message{}.Bytes(1, repr))
	normal := func(first byte) []byte { return append(append([]byte{first}, "12345678"...), body...) }
	context := wire.Message{}.Bytes(1, []byte("12345678")).Bytes(2, body)
	for _, c := range []struct {
		name       string
		entry      Entry
		none       bool
		sideloaded bool
	}{
		{name: "standard", entry: Entry{Data: normal(0)}},
		{name: "sideloaded", entry: Entry{Data: normal(1)}, sideloaded: true},
		{name: "standard, admission", entry: Entry{Data: normal(2)}},
		{name: "sideloaded, admission", entry: Entry{Data: normal(3)}, sideloaded: true},
		{name: "standard, priority", entry: Entry{Data: normal(4 | 0x80)}},
		{name: "sideloaded, priority", entry: Entry{Data: normal(5 | 0x40)}, sideloaded: true},
		{name: "configuration", entry: Entry{Kind: ConfChange, Data: wire.Message{}.Int(2, 1).Bytes(4, context)}},
		{name: "joint configuration", entry: Entry{Kind: ConfChangeV2, Data: wire.Message{}.Int(1, 1).Bytes(3, context)}},
		{name: "leaving a joint configuration", entry: Entry{Kind: ConfChangeV2, Data: nil}, none: true},
		{name: "an election's", none: true},
		{name: "without a command", entry: Entry{Data: []byte("\x0012345678")}, none: true},
	} {
		got, err := c.entry.Command()
		if err != nil || (got == nil) != c.none {
			t.Errorf("%s: %v %v", c.name, got, err)
			continue
		}
		if got != nil && (got.MaxLeaseIndex != 7 || got.LeaseSequence != 3 || len(got.Batch) != len(repr) || got.Sideloaded != c.sideloaded) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if _, err := (Entry{Data: normal(6)}).Command(); err == nil {
		t.Error("an unknown form was read")
	}
}

func FuzzEntry(f *testing.F) {
	user := keys.LogKey(nil, 1, 2)
	trigger := wire.Message{}.Bytes(1, wire.Message{}.Bytes(1, []byte("l")).Bytes(2, []byte("r")))
	result := wire.Message{}.Bytes(3, trigger).Bytes(4, trigger).Bytes(17, wire.Message{}.Int(2, 5)).Bytes(18, wire.Message{}.Sint(4, -1))
	data := append([]byte("\x0012345678"), wire.Message{}.Int(4, 7).Bytes(13, result).Bytes(14, wire.Message{}.Bytes(1, repr))...)
	for kind := range uint64(3) {
		entry := wire.Message{}.Int(1, kind).Int(2, 5).Int(3, 2).Bytes(4, data)
		f.Add([]byte(wire.Message{}.Bytes(6, append([]byte{0, 0, 0, 0, 3}, entry...))))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := ParseEntry(user, value)
		if err != nil {
			return
		}
		c, err := e.Command()
		if err == nil && c != nil {
			_, _ = c.Changes()
		}
	})
}

func FuzzBatch(f *testing.F) {
	f.Add(repr)
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseBatch(b)
		if err == nil && len(list) > len(b) {
			t.Errorf("%d changes in %d bytes", len(list), len(b))
		}
	})
}

func FuzzTable(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = ParseTable(b) })
}
