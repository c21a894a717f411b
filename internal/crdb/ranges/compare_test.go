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
	got, err := m.Compare(t.Context(), keys.Span{})
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
