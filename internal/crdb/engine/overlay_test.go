package engine

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/spill"
)

// key is one of a few engine keys, so that operations meet.
func key(user, version int) []byte {
	return keys.Append(nil, fmt.Appendf(nil, "k%02d", user), keys.Timestamp{Wall: int64(version)})
}

// model applies the changes one by one to a map.
func model(changes []Change) map[string]string {
	m := map[string]string{}
	for _, c := range changes {
		switch c.Op {
		case Set:
			m[string(c.Key)] = string(c.Value)
		case Delete:
			delete(m, string(c.Key))
		case Merge:
			m[string(c.Key)] += string(c.Value)
		case DeleteRange:
			for k := range m {
				if keys.Compare([]byte(k), c.Key) >= 0 && keys.Compare([]byte(k), c.Value) < 0 {
					delete(m, k)
				}
			}
		}
	}
	return m
}

func walk(it Iter) (out []string) {
	for it.Next() {
		out = append(out, fmt.Sprintf("%x=%s", it.Key(), it.Value()))
	}
	return out
}

func TestOverlayIsAsIfApplied(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	file := spill.NewFile(t.TempDir())
	defer func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}()
	for round := range 500 {
		var changes []Change
		for i := range 40 {
			c := Change{Op: Op(r.Intn(4)), Key: key(r.Intn(8), r.Intn(3)), Value: fmt.Appendf(nil, "v%d,", i)}
			if c.Op == DeleteRange {
				if r.Intn(3) > 0 {
					continue
				}
				c.Value = key(r.Intn(8), r.Intn(3))
			}
			changes = append(changes, c)
		}
		n := r.Intn(len(changes))
		lower, upper := NewLayer(changes[:n]), NewLayer(changes[n:])
		for _, l := range []*Layer{lower, upper} {
			if r.Intn(2) == 0 {
				continue
			}
			if err := l.Spill(file); err != nil {
				t.Fatal(err)
			}
		}
		view := upper.Over(lower.Over(Empty{}))
		m := model(changes)
		sorted := make([]string, 0, len(m))
		for k := range m {
			sorted = append(sorted, k)
		}
		slices.SortFunc(sorted, func(a, b string) int { return keys.Compare([]byte(a), []byte(b)) })
		span := keys.Span{From: fmt.Appendf(nil, "k%02d", r.Intn(8)), To: fmt.Appendf(nil, "k%02d", r.Intn(9))}
		var want []string
		for _, k := range sorted {
			if user, _, _ := keys.Split([]byte(k)); span.Contains(user) {
				want = append(want, fmt.Sprintf("%x=%s", k, m[k]))
			}
		}
		it := view.Iter(span)
		if diff := cmp.Diff(want, walk(it)); diff != "" {
			t.Fatalf("round %d: %s", round, diff)
		}
		it.SeekGE(span.From)
		if diff := cmp.Diff(want, walk(it)); diff != "" {
			t.Fatalf("round %d, after a seek: %s", round, diff)
		}
	}
}

func TestOverlayRangeTombstones(t *testing.T) {
	at := func(w int64) keys.Timestamp { return keys.Timestamp{Wall: w} }
	end := func(s string) []byte { return keys.Append(nil, []byte(s), keys.Timestamp{}) }
	view := NewOverlay(Empty{}, []Change{
		{Op: SetTombstone, Key: end("a"), Value: end("z"), At: at(1)},
		{Op: SetTombstone, Key: end("c"), Value: end("f"), At: at(2)},
		{Op: UnsetTombstone, Key: end("d"), Value: end("e"), At: at(1)},
		{Op: DropTombstones, Key: end("x"), Value: end("z")},
	})
	got, err := view.RangeTombstones(keys.Span{})
	want := []RangeTombstone{
		{keys.Span{From: []byte("a"), To: []byte("d")}, at(1)},
		{keys.Span{From: []byte("e"), To: []byte("x")}, at(1)},
		{keys.Span{From: []byte("c"), To: []byte("f")}, at(2)},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
