package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// levels makes a store of some large tables at the bottom, and above them tables
// that each have keys of the whole store, or of a stretch of it.
func levels(t *testing.T, dir string) {
	t.Helper()
	o := newer(19)
	o.MemTableSize, o.L0StopWritesThreshold = 8<<20, 1000
	db := must(pebble.Open(dir, o))(t)
	r := rand.New(rand.NewPCG(1, 2))
	write := func(from, to, step int, wall int64) {
		for i := from; i < to; i += step {
			value := make([]byte, 200)
			for k := range value {
				value[k] = byte(r.Uint32())
			}
			if err := db.Set(at(fmt.Sprintf("k%06d", i), wall), value, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 60_000, 1, 1)
	if err := db.Compact(t.Context(), at("a", 0), at("z", 0), false); err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		write(round, 60_000, 40, int64(2+round)) // wide
	}
	for round := range 6 {
		write(1000*round, 1000*round+9000, 3, int64(20+round)) // over a few of the bottom's
	}
	for round := range 10 {
		write(30_000, 31_500, 1, int64(40+round)) // all in one place
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPiecesAreNoLarger holds each piece of many splits against what was asked,
// over levels whose tables overlap.
func TestPiecesAreNoLarger(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	levels(t, dir)
	s := open(t, dir, Options{Memory: 1 << 20})
	v := s.View()
	for _, span := range []keys.Span{{}, {From: []byte("k010000"), To: []byte("k050000")}, {From: []byte("k030100"), To: []byte("k031000")}} {
		whole := v.Size(span)
		for _, size := range []int64{64 << 10, 200 << 10, 512 << 10, 1 << 20, 2 << 20, 3 << 20, 5 << 20} {
			from, most := span.From, int64(0)
			cuts := v.Split(span, size)
			for _, to := range append(cuts, span.To) {
				most, from = max(most, v.Size(keys.Span{From: from, To: to})), to
			}
			// Blocks have up to 4 KiB, and count for both sides of a cut in them.
			if slack := int64(len(s.tables)) * 8 << 10; most > size*3/2+slack {
				t.Errorf("%s: a piece of %d KiB where %d were asked for", span, most>>10, size>>10)
			}
			if n := int64(len(cuts) + 1); n > 2*whole/size+2 {
				t.Errorf("%s: %d pieces of %d KiB out of %d", span, n, size>>10, whole>>10)
			}
		}
	}
}
