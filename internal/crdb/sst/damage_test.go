package sst

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable/block"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

const (
	crashN1     = "crash-v20.2a/n1.tar.zst"
	divergentN1 = "divergent-v20.2a/n1.tar.zst"
)

// salvaged reads what can be read of a broken table, by walks over its pieces as
// well as over all of it, and holds it against the whole one: nothing but entries
// of the whole one, in order, and each that is missing in a span that is named.
func salvaged(t *testing.T, broken []byte, whole []row) ([]row, []engine.Damage) {
	t.Helper()
	table, err := Open(context.Background(), bytes.NewReader(broken), int64(len(broken)), Options{Store: "n1", Name: "broken"})
	if errors.Is(err, ErrFormat) {
		return nil, nil // refused by name: a flip in the version of the footer
	}
	if err != nil {
		t.Fatal(err)
	}
	it := table.Iter(everywhere)
	got := all(t, it)
	damage := it.Damage()
	for _, d := range table.Damage() {
		if d.Span.Empty() {
			damage = append(damage, d)
		}
	}
	missingRows(t, whole, got, damage)
	var parts []row
	var from []byte
	for _, to := range append(table.Cuts(everywhere, max(1, table.Size(everywhere)/4)), nil) {
		parts = append(parts, all(t, table.Iter(keys.Span{From: from, To: to}))...)
		from = to
	}
	if !equal(parts, got) {
		t.Errorf("in parts %d entries, at once %d", len(parts), len(got))
	}
	return got, damage
}

// missingRows holds what was read against the whole table.
func missingRows(t *testing.T, whole, got []row, damage []engine.Damage) {
	t.Helper()
	i, unnamed := 0, 0
	for _, r := range whole {
		if i < len(got) && got[i] == r {
			i++
			continue
		}
		if !named(damage, []byte(r.Key)) {
			if unnamed++; unnamed == 1 {
				t.Errorf("entry %x is missing and not named in %v", r.Key, damage)
			}
		}
	}
	if i < len(got) {
		t.Errorf("entry %x is not of the whole table, or out of order", got[i].Key)
	}
	if unnamed > 0 {
		t.Errorf("%d missing entries are not named", unnamed)
	}
}

func named(damage []engine.Damage, key []byte) bool {
	for _, d := range damage {
		if d.Span.Contains(userKey(key)) {
			return true
		}
	}
	return false
}

// The flipped table of the divergent store loses eight blocks, each named by its
// offset, whether by its index or without.
func TestFlippedTable(t *testing.T) {
	broken := tables(t, divergentN1)["000065.sst"]
	whole := oracle(t, tables(t, crashN1)["000065.sst"], noTransforms)
	offsets := []int64{756930, 1133546, 1509715, 1895825, 2271593, 2648175, 3024821, 3411709}
	const lost = 263 + 262 + 266 + 262 + 264 + 266 + 297 + 262
	got, damage := salvaged(t, broken, whole)
	if len(whole)-len(got) != lost || len(damage) != len(offsets) {
		t.Errorf("%d entries lost, %d places named; want %d and %d", len(whole)-len(got), len(damage), lost, len(offsets))
	}
	for i, d := range damage {
		if i < len(offsets) && d.Offset != offsets[i] {
			t.Errorf("damage at %d, want %d", d.Offset, offsets[i])
		}
	}
	if checked, err := open(t, broken, Options{Store: "n1", Name: "broken"}).Check(t.Context()); err != nil || len(checked) != len(offsets) {
		t.Errorf("checked without a walk: %v, %v", checked, err)
	}
	cut := broken[:len(broken)-footerRocksDB] // the footer too
	table := open(t, cut, Options{})
	blocks := 0
	for _, p := range table.pieces {
		if p.gap == "" {
			blocks++
		}
	}
	if want := len(open(t, broken, Options{}).pieces) - len(offsets); blocks != want || want != 361 {
		t.Errorf("without footer %d blocks found, want %d", blocks, want)
	}
	if again, _ := salvaged(t, cut, whole); !equal(again, got) {
		t.Errorf("without footer %d entries, with it %d", len(again), len(got))
	}
}

// The cut table of the divergent store gives all blocks before the cut.
func TestCutTable(t *testing.T) {
	whole := oracle(t, tables(t, crashN1)["000066.sst"], noTransforms)
	broken := tables(t, divergentN1)["000066.sst"]
	table := open(t, broken, Options{})
	blocks := 0
	for _, p := range table.pieces {
		if p.gap == "" {
			blocks++
		}
	}
	if blocks != 173 {
		t.Errorf("%d blocks found, want 173", blocks)
	}
	got, damage := salvaged(t, broken, whole)
	if len(got) == 0 || len(got) == len(whole) || !equal(got, whole[:len(got)]) {
		t.Errorf("%d entries of %d", len(got), len(whole))
	}
	if len(damage) != 3 { // footer, metaindex, and the end
		t.Errorf("damage in %d places: %v", len(damage), damage)
	}
}

// Without index, footer or metaindex nothing is lost, in any format.
func TestLostIndex(t *testing.T) {
	for name, w := range synthetic(t) {
		t.Run(name, func(t *testing.T) {
			data := w.table(t)
			foot, err := readFooter(data[len(data)-footerPebblev7:], int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			for what, at := range map[string]int64{"footer": int64(len(data)) - 9, "metaindex": foot.meta.off + 3, "index": foot.index.off + 3} {
				broken := bytes.Clone(data)
				broken[at] ^= 0x55
				got, damage := salvaged(t, broken, w.rows)
				if w.checksum == block.ChecksumTypeCRC32c && len(got) != len(w.rows) {
					t.Errorf("without %s %d entries of %d: %v", what, len(got), len(w.rows), damage)
				}
				if len(damage) == 0 {
					t.Errorf("without %s nothing is named", what)
				}
			}
		})
	}
}

// torture breaks a table somehow.
func torture(rng *rand.Rand, data []byte) []byte {
	b := bytes.Clone(data)
	for range 1 + rng.IntN(3) {
		n := len(b)
		if n < 64 {
			break
		}
		at, size := rng.IntN(n), 1+rng.IntN(min(n/8, 5000))
		end := min(n, at+size)
		switch rng.IntN(6) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b = b[:at]
		case 2:
			b = append(b[:at:at], b[end:]...)
		case 3:
			clear(b[at:end])
		case 4:
			for i := at; i < end; i++ {
				b[i] = byte(rng.Uint32())
			}
		case 5: // where the structure is
			b[n-1-rng.IntN(min(n, 400))] ^= byte(1 + rng.IntN(255))
		}
	}
	return b
}

// Broken at random, a table never gives an entry that it did not have, and names
// where those are that it lost.
func TestRandomDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(65, 66))
	for name, w := range synthetic(t) {
		data := w.table(t)
		for i := range 8 {
			broken := torture(rng, data)
			if len(broken) == 0 {
				continue
			}
			salvaged(t, broken, w.rows)
			if t.Failed() {
				t.Fatalf("%s, case %d", name, i)
			}
		}
	}
	data := tables(t, "tiny-v20.2a/n1.tar.zst")["000020.sst"]
	whole := oracle(t, data, noTransforms)
	for i := range 30 {
		salvaged(t, torture(rng, data), whole)
		if t.Failed() {
			t.Fatalf("real table, case %d", i)
		}
	}
}
