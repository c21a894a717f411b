package sst

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/rangedel"
	"github.com/cockroachdb/pebble/v2/rangekey"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// formats are all that the engine's own writer can write.
var formats = []sstable.TableFormat{
	sstable.TableFormatPebblev1, sstable.TableFormatPebblev2, sstable.TableFormatPebblev3, sstable.TableFormatPebblev4,
	sstable.TableFormatPebblev5, sstable.TableFormatPebblev6, sstable.TableFormatPebblev7,
}

// written is what goes into a synthetic table.
type written struct {
	format      sstable.TableFormat
	compression *block.CompressionProfile
	checksum    block.ChecksumType
	block       int // bytes of a data block before it is packed, 2048 if 0
	indexBlock  int // bytes of an index block; small ones make two levels
	rows        []row
	dels        []RangeDel
	rangeKeys   []RangeKey
}

// table writes it by the engine's own writer.
func (w written) table(tb testing.TB) []byte {
	tb.Helper()
	if w.compression == nil {
		w.compression = block.SnappyCompression
	}
	var out sink
	raw := sstable.NewRawWriter(&out, sstable.WriterOptions{
		Comparer: &cockroachkvs.Comparer, KeySchema: &cockroachkvs.KeySchema, TableFormat: w.format,
		Compression: w.compression, Checksum: w.checksum, BlockSize: cmp.Or(w.block, 2048), IndexBlockSize: w.indexBlock,
		MergerName: merger.Name,
	})
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	for _, r := range w.rows {
		must(raw.Add(sstable.InternalKey{UserKey: []byte(r.Key), Trailer: trailer(r.Seq, r.Kind)}, []byte(r.Value), false))
	}
	for _, d := range cover(w.dels).pieces {
		must(raw.EncodeSpan(sstable.Span{Start: d.From, End: d.To, Keys: []rangedel.Key{{Trailer: trailer(d.Seq, RangeDelete)}}}))
	}
	for _, k := range w.rangeKeys {
		must(raw.EncodeSpan(sstable.Span{Start: k.From, End: k.To, Keys: []rangekey.Key{{Trailer: trailer(k.Seq, k.Kind), Suffix: k.Suffix, Value: k.Value}}}))
	}
	must(raw.Close())
	return bytes.Clone(out.Bytes())
}

// random are rows of user keys of several sorts and versions, with every kind of
// entry, in order.
func random(rng *rand.Rand, n int, seq uint64) []row {
	var rows []row
	seen := map[string]bool{}
	for len(rows) < n {
		user := fmt.Appendf([]byte{0xbd, 0x89}, "k%05d\x00x", rng.IntN(n))
		for range 1 + rng.IntN(4) {
			key := keys.Append(nil, user, keys.Timestamp{Wall: int64(rng.IntN(50)) * 1e9, Logical: int32(rng.IntN(2) * 7)})
			if rng.IntN(40) == 0 {
				key = append(append(append(bytes.Clone(user), 0, 3), bytes.Repeat([]byte{7}, 16)...), 18)
			}
			if seen[string(key)] {
				continue
			}
			seen[string(key)] = true
			value := make([]byte, rng.IntN(60))
			for i := range value {
				value[i] = "abcdefgh"[rng.IntN(8)]
			}
			kind := Set
			if rng.IntN(10) == 0 {
				kind = []Kind{Delete, SingleDelete, Merge, SetWithDelete}[rng.IntN(4)]
			}
			if kind == Delete || kind == SingleDelete {
				value = nil
			}
			rows = append(rows, row{string(key), string(value), seq + rng.Uint64N(100), kind})
		}
	}
	ordered(rows)
	return rows
}

func ordered(rows []row) {
	slices.SortFunc(rows, func(a, b row) int {
		if c := keys.Compare([]byte(a.Key), []byte(b.Key)); c != 0 {
			return c
		}
		return cmp.Compare(b.Seq, a.Seq)
	})
}

func trailer(seq uint64, k Kind) pebble.InternalKeyTrailer {
	return pebble.InternalKeyTrailer(seq<<8 | uint64(k))
}
