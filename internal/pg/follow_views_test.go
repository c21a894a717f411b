package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// At the switch a view is refreshed if the source refreshed it since the copy,
// in either way, and only then: no user sees an older picture than before. The
// kept ones, and they alone, must be named to the headcount.
func TestSwitchRefreshesWhatTheSourceDid(t *testing.T) {
	from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	load(t, from, shopSchema)
	load(t, from, `
		create materialized view wholly as select count(*) from orders;
		create materialized view gently as select writer, count(*) from orders group by 1;
		create unique index on gently (writer);
		create materialized view settled as select writer, count(*) from orders group by 1;
		create unique index on settled (writer)`)
	n := newNight(t, from, to)
	load(t, from, "insert into orders (writer, k) values (7, 1)") // the stored ones are older than the copy
	n.startFollowing()
	load(t, from, `insert into orders (writer, k) values (8, 1); refresh materialized view wholly; refresh materialized view concurrently gently;
		analyze settled; analyze totals`)
	load(t, from, "vacuum settled")
	n.freezeSource()
	r := n.switchOver()
	if diff := cmp.Diff([]string{`"public"."totals"`, `"public"."settled"`, `"public"."grand"`}, r.Kept); diff != "" || r.Views != 2 {
		t.Errorf("refreshed %d, kept (-want +got):\n%s", r.Views, diff)
	}
	for _, view := range []string{"wholly", "gently"} {
		sum := "select md5(string_agg(x::text, ',' order by x::text)) from " + view + " x"
		if here, there := one(t, from, sum), one(t, to, sum); here != there {
			t.Errorf("%s: %s on the source, %s on the target", view, here, there)
		}
	}
	if got := one(t, to, "select count(*) || ' ' || coalesce(max(writer), 0) from settled"); got != "2 7" {
		t.Errorf("a kept view holds %q, want what there was at the copy", got)
	}
	o := VerifyOptions{Jobs: 2, MaxDifferences: 100, Memory: enough, Only: OnlyRows, Select: Selection{Tables: []string{"public.*"}},
		Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {}}
	got, err := Verify(t.Context(), from, to, o)
	if err != nil || got.Equal() {
		t.Errorf("kept views that are not named pass: %+v, %v", got.Data, err)
	}
	o.KeptViews = r.Kept
	got, err = Verify(t.Context(), from, to, o)
	if err != nil || !got.Equal() {
		t.Errorf("named: %v, %v", said(got.Differences), err)
	}
	want := "rows of these materialized views are not compared, as asked for: public.grand, public.settled, public.totals"
	if diff := cmp.Diff([]string{want}, got.Notes); diff != "" {
		t.Error(diff)
	}
}

// The way home is tried while users still write, and not again once every
// moment counts.
func TestSwitchCheckOfAFrozenSource(t *testing.T) {
	from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	load(t, from, "create table t (id int primary key)")
	n := newNight(t, from, to)
	n.change.ToReach = secret.NewDSN("host=127.0.0.1 port=1 user=nobody dbname=nothing connect_timeout=2")
	if _, err := PlanSwitch(t.Context(), n.change); err == nil {
		t.Error("a way home that cannot be is not refused")
	}
	n.freezeSource()
	if _, err := PlanSwitch(t.Context(), n.change); err != nil {
		t.Errorf("it is tried again: %v", err)
	}
}
