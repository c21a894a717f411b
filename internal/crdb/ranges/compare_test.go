package ranges

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

func TestCompare(t *testing.T) {
	span := func(from, to string) keys.Span { return keys.Span{From: []byte(from), To: []byte(to)} }
	fakes := three(func(i int, f *fake) {
		s := state{applied: 10}
		if i == 2 { // it has applied what the others have not
			s.applied = 11
			f.row("n", 2, "new")
		}
		f.replica(whole, s)
		f.log(1, 11, 1, write("n", 2, "new"))
		for _, k := range []string{"b", "d", "f", "h"} {
			if i == 3 && k == "d" {
				f.row(k, 1, "other")
			} else {
				f.row(k, 1, k)
			}
		}
		f.row("\x04tsdx", 1, f.Name)
	})
	fakes[0].View = hurt{engine.NewOverlay(engine.Empty{}, fakes[0].changes), span("g", "i"), keys.Span{}}
	m := survey(t, Auto, fakes...)
	got, err := m.Compare(t.Context(), keys.Span{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Difference{{RangeID: 1, Span: only([]byte("d")), Entries: 1, Stores: []uint64{3}}}
	if diff := cmp.Diff(want, got.Differences, cmpopts.IgnoreUnexported(Difference{})); diff != "" || got.Differing != 1 {
		t.Errorf("%+v %s", got, diff)
	}
	if got.Compared != 5 {
		t.Errorf("%d entries compared", got.Compared)
	}
}

// TestTally compares by what a walk added up: the answer is the same as without,
// whether the replicas are equal, differ, or are damaged.
func TestTally(t *testing.T) {
	for name, change := range map[string]func(fakes []*fake){
		"equal":   func([]*fake) {},
		"differ":  func(fakes []*fake) { fakes[2].row("d", 1, "other") },
		"missing": func(fakes []*fake) { fakes[1].row("e", 1, "more") },
		"damaged": func(fakes []*fake) {
			fakes[0].View = hurt{engine.NewOverlay(engine.Empty{}, fakes[0].changes), keys.Span{From: []byte("g"), To: []byte("i")}, keys.Span{}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			fakes := three(func(_ int, f *fake) {
				f.replica(whole, state{applied: 10})
				for _, k := range []string{"b", "d", "f", "h"} {
					f.row(k, 1, k)
				}
			})
			change(fakes)
			m := survey(t, Auto, fakes...)
			span := keys.Span{From: []byte("a"), To: []byte("z")}
			var read Tally
			it := m.Tallied(span, &read).Iter(span)
			for it.Next() {
				continue
			}
			if err := closed(it); err != nil {
				t.Fatal(err)
			}
			got, err := m.Compare(t.Context(), span, &read)
			if err != nil {
				t.Fatal(err)
			}
			want, err := m.Compare(t.Context(), span, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Difference{})); diff != "" || want.Entries == 0 {
				t.Errorf("%+v: %s", want, diff)
			}
			if differs := name == "differ" || name == "missing"; (got.Differing > 0) != differs {
				t.Errorf("%+v", got)
			}
		})
	}
}
