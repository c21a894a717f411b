package sst

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// craft builds a table by hand, as no writer of today does it.
type craft struct{ file []byte }

type pair struct{ key, value string }

// block appends a block of pairs, each a restart point.
func (c *craft) block(pairs ...pair) handle {
	var b []byte
	var restarts []uint32
	for _, p := range pairs {
		restarts = append(restarts, uint32(len(b)))
		b = binary.AppendUvarint(append(b, 0), uint64(len(p.key)))
		b = append(append(binary.AppendUvarint(b, uint64(len(p.value))), p.key...), p.value...)
	}
	for _, r := range append(restarts, uint32(len(restarts))) {
		b = binary.LittleEndian.AppendUint32(b, r)
	}
	h := handle{int64(len(c.file)), int64(len(b))}
	b = append(b, plain)
	c.file = append(append(c.file, b...), binary.LittleEndian.AppendUint32(nil, mask(crc32.Checksum(b, castagnoli)))...)
	return h
}

func (h handle) encode() string {
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(h.off)), uint64(h.size)))
}

func internal(user string, seq uint64, k Kind) string {
	return string(binary.LittleEndian.AppendUint64(engineKey(user), seq<<8|uint64(k)))
}

// rocksdb is an ingested table of RocksDB's: with its sequence number written
// into the properties after their checksum was made, and with deletions of
// ranges that overlap.
func rocksdb(seq uint64) []byte {
	var c craft
	data := c.block(pair{internal("a", 0, Set), "1"}, pair{internal("m", 0, Merge), "2"}, pair{internal("z", 0, Delete), ""})
	dels := c.block(pair{internal("b", 0, RangeDelete), string(engineKey("k"))}, pair{internal("c", 0, RangeDelete), string(engineKey("zz"))})
	properties := c.block(pair{"rocksdb.comparator", "cockroach_comparator"}, pair{globalSeqNum, "\x00\x00\x00\x00\x00\x00\x00\x00"}, pair{"rocksdb.num.entries", "\x03"})
	at := len(c.file) - int(properties.size) - trailerLen
	for i := at; i < len(c.file); i++ {
		if n := len(globalSeqNum); i+n < len(c.file) && string(c.file[i:i+n]) == globalSeqNum {
			binary.LittleEndian.PutUint64(c.file[i+n:], seq)
		}
	}
	meta := c.block(pair{metaProperties, properties.encode()}, pair{metaRangeDelV1, dels.encode()})
	index := c.block(pair{internal("z", 0, Set), data.encode()})
	footer := append([]byte{checksumCRC32C}, meta.encode()+index.encode()...)
	footer = append(footer, make([]byte, 41-len(footer))...)
	footer = append(binary.LittleEndian.AppendUint32(footer, 2), magicRocksDB...)
	return append(c.file, footer...)
}

func TestRocksDB(t *testing.T) {
	within := keys.Span{From: []byte("a"), To: []byte("zb")}
	table := open(t, rocksdb(77), Options{Within: &within})
	if d := table.Damage(); len(d) > 0 {
		t.Errorf("damage %v", d)
	}
	want := []row{{string(engineKey("a")), "1", 77, Set}, {string(engineKey("m")), "2", 77, Merge}, {string(engineKey("z")), "", 77, Delete}}
	if diff := cmp.Diff(want, all(t, table.Iter(everywhere))); diff != "" {
		t.Error(diff)
	}
	dels := []RangeDel{{engineKey("b"), engineKey("k"), 77}, {engineKey("c"), engineKey("zb"), 77}}
	if diff := cmp.Diff(dels, table.RangeDels()); diff != "" {
		t.Error(diff)
	}
	seq := uint64(99) // what the MANIFEST says goes before
	if got := all(t, open(t, rocksdb(77), Options{SeqNum: &seq}).Iter(everywhere)); got[0].Seq != 99 {
		t.Errorf("sequence number %d, the MANIFEST says 99", got[0].Seq)
	}
}

// A table that cannot be read is named, and the others of its level are shown.
func TestConcat(t *testing.T) {
	gone := engine.Damage{File: "2", Offset: -1, Span: keys.Span{From: []byte("m"), To: []byte("n")}}
	part := func(user string, open func() (Source, error)) Part {
		return Part{Span: keys.Span{From: []byte(user), To: []byte(user + "~")}, Open: open}
	}
	rows := func(user string) func() (Source, error) {
		return func() (Source, error) { return &list{rows: []row{{string(engineKey(user)), "v", 1, Set}}}, nil }
	}
	s := Concat(part("a", rows("a")), part("m", func() (Source, error) { return Lost(gone), nil }), part("z", rows("z")))
	if got := all(t, s); len(got) != 2 || len(s.Damage()) != 1 {
		t.Errorf("%v, damage %v", got, s.Damage())
	}
	s.SeekGE([]byte("n"))
	if got := all(t, s); len(got) != 1 || got[0].Key != string(engineKey("z")) {
		t.Errorf("from n on: %v", got)
	}
	broken := errors.New("the disk is gone")
	s = Concat(part("a", rows("a")), part("m", func() (Source, error) { return nil, broken }))
	m := Newest(everywhere, nil, s)
	if !m.Next() || m.Next() || !errors.Is(m.Err(), broken) {
		t.Errorf("error %v", m.Err())
	}
}

// What is of another kind is refused by name, before anything is read of it.
func TestRefused(t *testing.T) {
	for what, change := range map[string]func(file []byte){
		"a newer format": func(f []byte) { copy(f[len(f)-12:], "\x08\x00\x00\x00"+magicPebble) },
	} {
		file := rocksdb(0)
		change(file)
		_, err := Open(context.Background(), bytes.NewReader(file), int64(len(file)), Options{Name: "000001.sst"})
		if !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
