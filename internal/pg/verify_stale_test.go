package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
)

// A materialized view that was not refreshed for a while is filled anew by the
// copy: that is no loss. One that holds what its definition does not give is.
func TestVerifyBearsStaleViews(t *testing.T) {
	source, target := twoSides(t, `
		create table sold (id int primary key, cents int);
		insert into sold select g, g from generate_series(1, 100) g;
		create materialized view sums as select id % 10 as digit, sum(cents) as cents from sold group by 1`)
	do := func(side secret.DSN, sql string) {
		t.Helper()
		if err := tryOnce(t.Context(), side, sql); err != nil {
			t.Fatal(err)
		}
	}
	do(source, "insert into sold values (101, 5)")
	do(target, "insert into sold values (101, 5); refresh materialized view sums")
	if got := headcount(t, source, target, enough); !got.Equal() {
		t.Errorf("a stale view counts as %v", said(got.Differences))
	}
	do(target, "insert into sold values (102, 7); refresh materialized view sums; delete from sold where id = 102")
	got := said(headcount(t, source, target, enough).Differences)
	if diff := cmp.Diff([]string{"extra public.sums", "missing public.sums"}, got); diff != "" {
		t.Error(diff)
	}
}
