package ranges

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// reading is what a range reads as: how many keys, and a hash over them with
// their moments and values.
type reading struct {
	keys int
	sum  uint64
}

// readings are those of all ranges that speak for keys; but for the metrics, which
// each store merges when it likes.
func readings(t *testing.T, m *Map) map[uint64]reading {
	t.Helper()
	out := map[uint64]reading{}
	buf := make([]byte, 32)
	for _, r := range m.Ranges {
		h := fnv.New64a()
		var p reading
		for _, s := range subtract(r.Spans, series) {
			it := m.Reader(keys.Timestamp{}).Iter(s)
			for it.Next() {
				p.keys++
				_, _ = h.Write(it.Key())
				_, _ = h.Write(keys.Append(buf[:0], nil, it.Timestamp()))
				_, _ = h.Write(it.Value())
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if p.sum = h.Sum64(); len(r.Spans) > 0 {
			out[r.RangeID] = p
		}
	}
	return out
}

// lateCommit is the primary keys of the table late_commit that must be there: 30
// rows, and what the transaction acknowledged just before the crash made of them.
func lateCommit() map[string]bool {
	want := map[string]bool{}
	for id := -3; id <= 35; id++ {
		if id != 0 && id != 5 && id != 15 && id != 25 {
			key := append([]byte{0xdd, 0x89}, byte(0x88+id), 0x88)
			if id < 0 {
				key = []byte{0xdd, 0x89, 0x87, byte(id), 0x88}
			}
			want[string(key)] = true
		}
	}
	return want
}

// TestRealStores reads real stores as a crash left them.
func TestRealStores(t *testing.T) {
	for _, name := range []string{"crash-v20.2a", "tiny-v20.2a"} {
		var sources []*Source
		for n := 1; n <= 3; n++ {
			sources = append(sources, source(t, fmt.Sprintf("%s/n%d.tar.zst", name, n)))
		}
		full := surveyed(t, Auto, sources)
		if text := said(full); text != "" {
			for _, r := range full.Ranges {
				if len(r.Notes) > 0 || r.Replay == nil {
					t.Errorf("%s: range %d: %v", name, r.RangeID, r.Notes)
				}
			}
			if len(full.Holes)+len(full.Overlaps)+len(full.Notes) > 0 {
				t.Errorf("%s: %s", name, text)
			}
		}
		statistics(t, full)
		compared(t, full)
		want := readings(t, full)
		if name == "crash-v20.2a" {
			late(t, full)
		}
		for _, mode := range []Mode{Conservative, Restart} {
			if diff := cmp.Diff(want, readings(t, surveyed(t, mode, sources)), cmp.AllowUnexported(reading{})); diff != "" {
				t.Errorf("%s, mode %d: %s", name, mode, diff[:min(len(diff), 2000)])
			}
		}
		subsets(t, name, sources, want)
	}
}

func surveyed(t *testing.T, mode Mode, sources []*Source) *Map {
	t.Helper()
	m, err := Survey(t.Context(), sources, Options{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// late checks the table that the last transaction before the crash wrote.
func late(t *testing.T, m *Map) {
	t.Helper()
	it := m.Reader(keys.Timestamp{}).Iter(keys.PrefixSpan([]byte{0xdd, 0x89}))
	got := map[string]bool{}
	for it.Next() {
		got[string(it.Key())] = true
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lateCommit(), got); diff != "" || len(got) != 35 {
		t.Errorf("%d rows of late_commit: %s", len(got), diff)
	}
}

// statistics checks every range against what the database counted.
func statistics(t *testing.T, m *Map) {
	t.Helper()
	for _, r := range m.Ranges {
		if len(r.Spans) == 0 || r.Span().Overlaps(series) {
			continue
		}
		got, err := m.countRange(r)
		if want := r.Replay.Stats; err != nil || !got.SameData(want) {
			t.Errorf("range %d counts %s, want %s: %v", r.RangeID, got, want, err)
		}
	}
}

func compared(t *testing.T, m *Map) {
	t.Helper()
	c, err := m.Compare(t.Context(), keys.Span{}, nil)
	if err != nil || len(c.Differences) > 0 || c.Compared == 0 {
		t.Errorf("%d of %d entries compared, differences %v, %v", c.Compared, c.Entries, c.Differences, err)
	}
}

// subsets reads with stores missing: what the others have reads as it did, and
// what only the missing ones had is named.
func subsets(t *testing.T, name string, sources []*Source, want map[uint64]reading) {
	t.Helper()
	for _, left := range [][]int{{0, 1}, {1, 2}, {0}, {2}} {
		var some []*Source
		for _, i := range left {
			some = append(some, sources[i])
		}
		m := surveyed(t, Auto, some)
		got := readings(t, m)
		rest := maps.Clone(want)
		for _, h := range m.Holes {
			if rest[h.RangeID] == (reading{}) || slices.ContainsFunc(h.Members, func(x Member) bool {
				return slices.ContainsFunc(some, func(s *Source) bool { return s.Store == x.Store })
			}) {
				t.Errorf("%s with %v: hole %+v", name, left, h)
			}
			delete(rest, h.RangeID)
		}
		if diff := cmp.Diff(rest, got, cmp.AllowUnexported(reading{})); diff != "" {
			t.Errorf("%s with %v: %s", name, left, diff[:min(len(diff), 2000)])
		}
		for _, r := range m.Ranges {
			if alone := len(r.Members) == 3 && len(left) == 1; alone != (len(r.Notes) > 0) && len(r.Spans) > 0 {
				t.Errorf("%s with %v: range %d says %q", name, left, r.RangeID, r.Notes)
			}
		}
	}
}
