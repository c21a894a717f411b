package pg

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
)

// A live headcount of a target that follows compares only what replication
// carries, and says so; any other compares everything.
func TestVerifyLiveOfAFollower(t *testing.T) {
	source, target := twoSides(t, `
		create table kept (id int primary key, v text); insert into kept select i, 'v' from generate_series(1, 20) i;
		create table parts (id int primary key, v text) partition by range (id);
		create table parts_low partition of parts for values from (0) to (10); insert into parts values (1, 'v');
		create unlogged table cache (id int primary key, v text); insert into cache values (1, 'v');
		create materialized view totals as select count(*) as rows from kept;
		create sequence numbers; select setval('numbers', 5);
		select lo_from_bytea(4711, 'one')`)
	once(t, target, `update kept set v = 'w' where id = 7; delete from kept where id = 8; update parts set v = 'w'; update cache set v = 'w';
		refresh materialized view totals; select setval('numbers', 6); select lo_put(4711, 0, 'two')`)
	carried := []string{"different public.kept 7", "different public.parts_low 1", "missing public.kept 8"}
	all := []string{
		"different large object 4711 piece 0", "different public.cache 1", "different public.kept 7", "different public.numbers", "different public.parts_low 1",
		"extra public.totals", "missing public.kept 8", "missing public.totals",
	}

	once(t, target, `create subscription following connection 'host=127.0.0.1 port=1' publication following with (connect = false)`)
	t.Cleanup(func() {
		once(t, target, "alter subscription following disable; alter subscription following set (slot_name = none); drop subscription following")
	})
	compare(t, "a subscription that rests", source, target, 2, all, false)
	once(t, target, "alter subscription following set (slot_name = following); alter subscription following enable")
	compare(t, "a follower", source, target, 2, carried, true)
	compare(t, "a follower that nobody writes to", source, target, 0, all, false)
}

// compare wants these differences, and a note of what was left out or none.
func compare(t *testing.T, name string, source, target secret.DSN, rechecks int, want []string, left bool) {
	t.Helper()
	got, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: 2, MaxDifferences: 100, Memory: enough, Rechecks: rechecks, Wait: time.Millisecond, Only: OnlyRows,
		Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, said(got.Differences)); diff != "" {
		t.Errorf("%s: %s", name, diff)
	}
	if slices.Contains(got.Notes, leftOut) != left {
		t.Errorf("%s: notes %q", name, got.Notes)
	}
}
