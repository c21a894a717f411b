package pg

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A large table is read in ranges of pages, not the same on both sides; here a
// small one is.
func TestVerifyInParts(t *testing.T) {
	source, target := twoSides(t, `create table t (id int primary key, v text); insert into t select i, repeat('x', 100) || i from generate_series(1, 5000) i`)
	once(t, target, "update t set v = '' where id in (1, 2500); delete from t where id = 5000; insert into t values (0, '')")
	for _, memory := range []int64{enough, 1} {
		v, err := openVerifier(t.Context(), source, target, VerifyOptions{
			Jobs: 3, MaxDifferences: 10, Memory: memory, Only: OnlyRows, Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.close(context.Background()) })
		pairs, err := v.pairs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p := pairs[0]
		p.source.parts, p.target.parts = pageRanges(p.source.parts[0], 70, 5*partBytes), pageRanges(p.target.parts[0], 90, 3*partBytes)
		if p.parts() != 5 {
			t.Fatalf("%d parts", p.parts())
		}
		if err := v.compareAll(t.Context(), pairs[:1]); err != nil {
			t.Fatal(err)
		}
		want := []string{"different public.t 1", "different public.t 2500", "extra public.t 0", "missing public.t 5000"}
		if diff := cmp.Diff(want, said(p.found)); diff != "" || p.tally.Rows != 5000 {
			t.Errorf("memory %d: %+v %s", memory, p.tally, diff)
		}
	}
}
