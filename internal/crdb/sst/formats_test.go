package sst

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
)

func engineKey(user string) []byte { return keys.Append(nil, []byte(user), keys.Timestamp{}) }

// synthetic tables of every format, with and without two levels of index, with
// each compression and checksum.
func synthetic(tb testing.TB) map[string]written {
	tb.Helper()
	all := map[string]written{}
	for _, format := range formats {
		compressions := map[string]*block.CompressionProfile{"snappy": block.SnappyCompression, "none": block.NoCompression, "zstd": block.ZstdCompression}
		if format >= sstable.TableFormatPebblev6 {
			compressions["minlz"] = block.MinLZCompression
		}
		for name, compression := range compressions {
			for _, indexBlock := range []int{200, 1 << 20} {
				w := written{format: format, compression: compression, checksum: block.ChecksumTypeCRC32c, indexBlock: indexBlock}
				w.rows = random(rand.New(rand.NewPCG(uint64(format), uint64(indexBlock))), 1500, 1000)
				w.dels = []RangeDel{{engineKey("a"), engineKey("b"), 7}, {engineKey("\xbd\x89k00010"), engineKey("\xbd\x89k00040"), 1050}, {engineKey("\xbd\x89k00020"), engineKey("\xbd\x89k00030"), 1070}}
				if format >= sstable.TableFormatPebblev2 {
					suffix := []byte{0, 0, 0, 0, 0, 0, 0, 9, 9}
					w.rangeKeys = []RangeKey{
						{From: engineKey("c"), To: engineKey("d"), Suffix: suffix, Value: []byte("v"), Seq: 8, Kind: RangeKeySet},
						{From: engineKey("e"), To: engineKey("f"), Suffix: suffix, Seq: 9, Kind: RangeKeyUnset},
						{From: engineKey("g"), To: engineKey("h"), Seq: 10, Kind: RangeKeyDel},
					}
				}
				all[fmt.Sprintf("v%d-%s-index%d", format-sstable.TableFormatRocksDBv2, name, indexBlock)] = w
			}
		}
	}
	w := all["v4-snappy-index200"]
	w.checksum = block.ChecksumTypeXXHash64
	all["v4-xxhash"] = w
	return all
}

// Every format, compression and checksum that the engine writes reads as it was
// written.
func TestEveryFormat(t *testing.T) {
	for name, w := range synthetic(t) {
		t.Run(name, func(t *testing.T) {
			data := w.table(t)
			table := open(t, data, Options{Name: name})
			it := table.Iter(everywhere)
			if got := all(t, it); !equal(got, w.rows) {
				t.Error(cmp.Diff(w.rows, got))
			}
			if want := oracle(t, data, sstable.NoTransforms); !equal(want, w.rows) {
				t.Error("the engine itself reads something else")
			}
			if diff := cmp.Diff(cover(w.dels).pieces, table.RangeDels()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(w.rangeKeys, table.RangeKeys(), cmp.Transformer("text", func(b []byte) string { return string(b) })); diff != "" {
				t.Error(diff)
			}
			if d := append(table.Damage(), it.Damage()...); len(d) > 0 {
				t.Errorf("damage in a whole table: %v", d)
			}
		})
	}
}

// A walk of a span, begun anywhere, is the part of the whole walk.
func TestSpansAndSeeks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, w := range synthetic(t) {
		table := open(t, w.table(t), Options{Name: name})
		pick := func() []byte { return bytes.Clone(userKey([]byte(w.rows[rng.IntN(len(w.rows))].Key))) }
		for range 20 {
			span := keys.Span{From: pick(), To: pick()}
			it := table.Iter(span)
			if got, want := all(t, it), within(w.rows, span); !equal(got, want) {
				t.Fatalf("%s %s: %d rows, want %d", name, span, len(got), len(want))
			}
			for range 3 {
				at := pick()
				it.SeekGE(at)
				if got, want := all(t, it), within(w.rows, span.Intersect(keys.Span{From: at})); !equal(got, want) {
					t.Fatalf("%s %s from %x: %d rows, want %d", name, span, at, len(got), len(want))
				}
			}
		}
	}
}

func within(rows []row, span keys.Span) []row {
	var part []row
	for _, r := range rows {
		if span.Contains(userKey([]byte(r.Key))) {
			part = append(part, r)
		}
	}
	return part
}

// What the MANIFEST says of a table shows in its entries as in the engine's.
func TestTransforms(t *testing.T) {
	seq := uint64(4711)
	prefix, suffix := []byte("\xfe\x8a"), keys.Append(nil, nil, keys.Timestamp{Wall: 99e9})[1:]
	for name, w := range synthetic(t) {
		w.dels, w.rangeKeys = nil, nil
		var one []row // a suffix may only take the place of a user key's single version
		for _, r := range w.rows {
			_, version, _ := keys.Split([]byte(r.Key))
			last := len(one) - 1
			if r.Kind == Set && keys.KindOf(version) == keys.MVCC && (last < 0 || !bytes.Equal(userKey([]byte(one[last].Key)), userKey([]byte(r.Key)))) {
				one = append(one, r)
			}
		}
		w.rows = one
		data := w.table(t)
		transforms := sstable.IterTransforms{SyntheticSeqNum: sstable.SyntheticSeqNum(seq), SyntheticPrefixAndSuffix: block.MakeSyntheticPrefixAndSuffix(prefix, suffix)}
		table := open(t, data, Options{Name: name, SeqNum: &seq, SyntheticPrefix: prefix, SyntheticSuffix: suffix})
		want := oracle(t, data, transforms)
		if got := all(t, table.Iter(everywhere)); !equal(got, want) {
			t.Errorf("%s: %s", name, cmp.Diff(want, got))
		}
		span := keys.Span{From: userKey([]byte(want[10].Key)), To: userKey([]byte(want[100].Key))}
		part := open(t, data, Options{Name: name, SeqNum: &seq, SyntheticPrefix: prefix, SyntheticSuffix: suffix, Bounds: &span})
		if got := all(t, part.Iter(everywhere)); !equal(got, want[10:100]) {
			t.Errorf("%s: a virtual table shows %d entries of 90", name, len(got))
		}
	}
}

// Cuts part a table into pieces that together are all of it.
func TestCuts(t *testing.T) {
	for name, w := range synthetic(t) {
		table := open(t, w.table(t), Options{Name: name})
		cuts := table.Cuts(everywhere, table.Size(everywhere)/5)
		if len(cuts) < 2 || len(cuts) > 8 {
			t.Fatalf("%s: %d cuts of a fifth each", name, len(cuts))
		}
		var got []row
		var from []byte
		for _, to := range append(cuts, nil) {
			got = append(got, all(t, table.Iter(keys.Span{From: from, To: to}))...)
			from = to
		}
		if !equal(got, w.rows) {
			t.Errorf("%s: pieces have %d entries of %d", name, len(got), len(w.rows))
		}
	}
}
