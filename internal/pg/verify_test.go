package pg

import (
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/testenv"
)

func TestVerifyFindsNothingWhereNothingIs(t *testing.T) {
	source, target := twoSides(t, everyKey)
	got := headcount(t, source, target, enough)
	if !got.Equal() || len(got.Differences) != 0 {
		t.Errorf("equal databases differ: %v", got.Differences)
	}
	if got.Data.Rows < 200 || got.Objects.Rows < 100 || len(got.Tables) < 20 {
		t.Errorf("too little compared: %+v", got)
	}
}

// A row that is on both sides is one row of the progress.
func TestVerifyCountsEachRowOnce(t *testing.T) {
	source, target := twoSides(t, `
		create table many (id int primary key); insert into many select generate_series(1, 5000);
		create materialized view twice as select id * 2 from many`)
	once(t, source, "insert into many values (0)")
	once(t, target, "create table alone (id int); insert into alone values (1), (2)")
	var total, read atomic.Int64
	o := VerifyOptions{Jobs: 2, Memory: enough, Only: OnlyRows, Total: total.Store, Read: func(rows int64) { read.Add(rows) }, Found: func(Difference) {}}
	if _, err := Verify(t.Context(), source, target, o); err != nil {
		t.Fatal(err)
	}
	if want := int64(5001 + 5000 + 2); total.Load() != want || read.Load() != want {
		t.Errorf("it read %d of %d rows, want %d", read.Load(), total.Load(), want)
	}
}

func TestVerifyNamesEveryDifference(t *testing.T) {
	source, target := twoSides(t, everyKey)
	once(t, target, `
		update ints set v = 'other' where id = -7; delete from ints where id = 3; insert into ints values (1000, 'new');
		delete from texts where id in ('A', E'e\u0301'); update texts set v = 2 where id in (E'line\nend', '\N', ''); insert into texts values ('Ä', 1);
		update "Odd ""Schema"""."Ta""ble" set "select" = '' where "a""b" = 7;
		update composite set v = v + 0.0000000001 where a = 1 and b = 'x4'; delete from composite where b = 'x5';
		update numerics set f = 0 where n = 1; update numerics set f = null where n = 2.5; update numerics set r = 0.1000001 where n = 'NaN'; update numerics set n = 3.0 where n = -3;
		update moods set at = '-infinity' where m = 'sad'; update moods set i = '1 mon' where m = 'ok'; update moods set v = false where m = 'Happy';
		update documents set j = '{"a":1}', s = array['x', 'NULL', 'NULL', '', '"'], a = '{1,2}' where id = '\x00'; update documents set p = (null, null) where id = '\xff';
		update uniques set v = null where code = 'c4'; update uniques set id = 99 where code = 'c5';
		delete from keyless where ctid = (select min(ctid) from keyless where a = 'same'); insert into keyless values (null, 1), ('x', 0);
		insert into maybe values (null, 1);
		insert into nothing default values;
		delete from unlogged where id = 2;
		update only parent set v = 'P'; update child set w = null;
		update leaves set v = 'z' where id = 2; delete from leaves where id = 1; insert into leaves values (1, 'us', 'x');
		alter table made alter twice drop expression; update made set twice = 5 where id = 2;
		select setval('drawn', 7); select setval('fresh', 1, true); drop sequence gone; create sequence spare;
		insert into ints values (1001, ''); refresh materialized view seen; refresh materialized view blank;
		select lo_put(70001, 70000, 'z'), lo_unlink(70002), lo_from_bytea(70004, '');
		drop table moods; create table surplus (a int); insert into surplus values (1), (2), (3);
	`)
	want := []string{
		"different public.ints -7", "missing public.ints 3", "extra public.ints 1000", "extra public.ints 1001",
		"missing public.texts A", "missing public.texts e\u0301", "different public.texts line\nend", `different public.texts \N`, "different public.texts", "extra public.texts Ä",
		`different "Odd ""Schema"""."Ta""ble" 8f14e45f-ceea-167a-5a36-dedd4bea2543`,
		"different public.composite (2024-01-05,1,x4)", "missing public.composite (2024-01-06,2,x5)",
		"different public.numerics 1.0", "different public.numerics 2.50", "different public.numerics NaN", "missing public.numerics -3", "extra public.numerics 3.0",
		`different public.documents \x00`, `different public.documents \xff`,
		"different public.uniques c4", "different public.uniques c5",
		"missing public.keyless", "extra public.keyless", "extra public.keyless", "extra public.maybe", "extra public.nothing",
		"missing public.unlogged 2", "different public.parent 1", "different public.child", "different public.leaves_us (2,us)", "missing public.leaves_eu (1,eu)", "extra public.leaves_us (1,us)",
		"different public.made 2",
		"different public.drawn", "different public.fresh", "missing public.gone", "extra public.spare",
		"different large object 70001 piece 1", "missing large object 70002 piece 0", "extra large object 70004 piece 0", "missing public.seen", "extra public.seen",
	}
	// A child of inheritance has no key of its own.
	want = slices.DeleteFunc(want, func(s string) bool { return s == "different public.child" })
	want = append(want, "missing public.child", "extra public.child")
	for _, memory := range []int64{enough, 1} { // in memory, and sorted by the servers
		got := headcount(t, source, target, memory)
		rows := slices.DeleteFunc(slices.Clone(got.Differences), isObject)
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), said(rows)); diff != "" {
			t.Errorf("memory %d: wanted (-), said (+):\n%s", memory, diff)
		}
		// The rows of a table that is missing or extra as a whole are counted.
		if missing, extra := int64(10+1+3), int64(10+2+3+1); got.Data.Missing < missing || got.Data.Extra < extra {
			t.Errorf("counted %+v", got.Data)
		}
		objects := strings.Join(said(slices.DeleteFunc(got.Differences, func(d Difference) bool { return d.Class != ClassObject })), "\n")
		for _, o := range []string{"missing table public.moods", "extra table public.surplus", "missing sequence public.gone", "different column public.made.twice", "different materialized view public.blank"} {
			if !strings.Contains(objects, o) {
				t.Errorf("objects do not say %q:\n%s", o, objects)
			}
		}
	}
}

func TestDifferencesHoldBothValues(t *testing.T) {
	source, target := twoSides(t, `create table t (id int, part text, amount numeric, note text, primary key (id, part)); insert into t values (1, 'a b', 10.00, null), (2, 'x', 1, 'n')`)
	once(t, target, `update t set amount = 11, note = '' where id = 1; delete from t where id = 2`)
	text := func(s string) *string { return &s }
	want := []Difference{
		{Class: ClassRow, Table: "public.t", Kind: Different, Key: `(1,"a b")`, Source: map[string]*string{"amount": text("10.00"), "note": nil}, Target: map[string]*string{"amount": text("11"), "note": text("")}},
		{Class: ClassRow, Table: "public.t", Kind: Missing, Key: "(2,x)", Source: map[string]*string{"id": text("2"), "part": text("x"), "amount": text("1"), "note": text("n")}},
	}
	var found []Difference
	got, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: 1, MaxDifferences: 20, Memory: enough, Total: func(int64) {}, Read: func(int64) {}, Found: func(d Difference) { found = append(found, d) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.Differences); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("told as found: %s", diff)
	}
	if s := got.Differences[0].String(); s != `different: public.t (1,"a b"); amount is "11", was "10.00"; note is "", was null` {
		t.Error(s)
	}
}

func TestVerifyAcrossCollations(t *testing.T) {
	source, target := twoSides(t, "select 1")
	conn := dial(t, source)
	// Whatever sorts unlike bytes here: ICU if the server has it.
	var collation string
	err := conn.QueryRow(t.Context(), `select coalesce((select quote_ident(collname) from pg_collation where collprovider = 'i' and collname like 'sv%' limit 1), '"C.utf8"')`).Scan(&collation)
	if err != nil {
		t.Fatal(err)
	}
	create := func(collate string) string {
		return `create table words (w text collate ` + collate + ` primary key, v int);
			insert into words select chr(65 + i % 26) || chr(97 + (i * 7) % 26) || repeat('ö', i % 3) || i, i from generate_series(1, 5000) i`
	}
	once(t, source, create("pg_catalog."+collation))
	once(t, target, create(`pg_catalog."C"`))
	once(t, target, "delete from words where v = 17; update words set v = 0 where v = 4711")
	want := []string{"different public.words", "missing public.words"}
	for _, memory := range []int64{enough, 1} {
		got := headcount(t, source, target, memory)
		for i := range got.Differences {
			got.Differences[i].Key = ""
		}
		if diff := cmp.Diff(want, said(slices.DeleteFunc(got.Differences, isObject))); diff != "" {
			t.Errorf("memory %d: %s", memory, diff)
		}
	}
}

func TestVerifyObjects(t *testing.T) {
	source, target := twoSides(t, `
		create role verify_reader;
		create table t (id int primary key, a text default 'x', b numeric(10, 2) check (b > 0));
		create index t_a on t (lower(a)) where b > 1;
		create view v as select t.id, u.a from t join t u on u.id = t.id where t.a <> 'y' union all select 1, 'x';
		create function f(x int default 1) returns int language sql stable as 'select x + 1';
		create function g(x int) returns int language sql begin atomic select x + 1; end;
		create procedure p() language sql as 'select 1';
		create function tf() returns trigger language plpgsql as 'begin return new; end';
		create trigger tr before insert on t for each row when (new.a is not null) execute function tf();
		create rule r as on delete to v do instead nothing;
		alter table t enable row level security;
		create policy pol on t using (a = current_user);
		create type mood as enum ('a', 'b'); create type pair as (x int, y text); create domain d as int default 3 check (value > 2);
		create sequence s increment 5;
		create statistics st on a, b from t;
		create publication pub for table t;
		create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
		create operator === (leftarg = int, rightarg = int, function = int4eq);
		comment on table t is 'one'; comment on column t.a is 'two'; comment on schema public is 'three';
		grant select on t to verify_reader; grant update (a) on t to verify_reader; alter default privileges grant select on tables to verify_reader;
	`)
	// Roles outlive databases.
	t.Cleanup(func() { once(t, source, "drop role verify_reader"); once(t, target, "drop role verify_reader") })
	t.Cleanup(func() { once(t, source, "drop owned by verify_reader"); once(t, target, "drop owned by verify_reader") })
	if got := headcount(t, source, target, enough); !got.Equal() {
		t.Fatalf("equal databases differ: %+v", got.Differences)
	}
	once(t, target, `
		alter table t alter a set default 'y'; alter table t alter a set not null; alter table t drop constraint t_b_check;
		drop index t_a; create index t_a on t (lower(a)) where b > 2;
		create or replace view v as select t.id, u.a from t join t u on u.id = t.id where t.a <> 'z' union all select 1, 'x';
		create or replace function f(x int default 1) returns int language sql volatile as 'select x + 1';
		create or replace function g(x int) returns int language sql begin atomic select x + 2; end;
		drop procedure p();
		alter table t disable trigger tr; drop rule r on v; alter policy pol on t using (a = 'x'); alter table t disable row level security;
		alter type mood add value 'c'; alter type pair add attribute z int; alter domain d drop default;
		alter sequence s increment 6; drop statistics st; alter publication pub set (publish = 'insert');
		drop aggregate total(int); drop operator === (int, int);
		comment on table t is 'ONE'; comment on column t.a is null; comment on schema public is 'x';
		revoke select on t from verify_reader; revoke update (a) on t from verify_reader; alter default privileges revoke select on tables from verify_reader;
		create schema more;
	`)
	want := []string{
		"different column public.t.a", "different comment schema public", "different comment table public.t", "different function body public.g(x integer)",
		"different function public.f(x integer)", "different index public.t_a", "different policy pol on public.t", "different public.s", "different publication pub", "different rights table public.t",
		"different table public.t", "different trigger tr on public.t", "different type public.d", "different type public.mood", "different view definition public.v",
		"extra column public.pair.z", "extra rights schema more", "missing comment table column public.t.a", "missing constraint t_b_check on public.t",
		"missing default rights postgres r", "missing function public.p()", "missing function public.total(integer)", "missing operator public.===(integer,integer)",
		"missing rights column public.t.a", "missing rights function public.p()", "missing rights function public.total(integer)", "missing rule r on public.v", "missing statistics public.st",
	}
	got := said(headcount(t, source, target, enough).Differences)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wanted (-), said (+):\n%s", diff)
	}
}

func TestVerifyRefuses(t *testing.T) {
	srv := testenv.Postgres(t, testenv.Older)
	source, target := twoSides(t, "create table t (a int); create table closed (a int); select lo_from_bytea(1, '')")
	if _, err := PlanVerify(t.Context(), source, source, VerifyOptions{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a database with itself: %v", err)
	}
	once(t, source, "create role verify_weak login; grant select on t to verify_weak")
	t.Cleanup(func() { once(t, srv.DSN("postgres", ""), "drop role verify_weak") })
	t.Cleanup(func() { once(t, source, "drop owned by verify_weak") })
	weak := srv.DSN(databaseOf(t, source), "verify_weak")
	_, err := PlanVerify(t.Context(), weak, target, VerifyOptions{})
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "large object 1, public.closed") || strings.Contains(err.Error(), "public.t") {
		t.Errorf("unreadable tables: %v", err)
	}
	plan, err := PlanVerify(t.Context(), source, target, VerifyOptions{})
	if err != nil || plan.Source.Tables != 2 || plan.Target.Tables != 2 || plan.Source.Version == "" {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

// TestVerifyInBoundedMemory finds one changed value among a million rows, and
// names and counts a hundred thousand differences, in memory that holds neither.
func TestVerifyInBoundedMemory(t *testing.T) {
	source, target := twoSides(t, `
		create table one as select i as id, repeat('value ', 5) || i as v from generate_series(1, 1000000) i; alter table one add primary key (id);
		create table many as select * from one where id <= 200000; alter table many add primary key (id)`)
	once(t, target, "update one set v = v || '!' where id = 765432; update many set v = '' where id > 100000; delete from many where id <= 5000")
	before, peak, read := heap(), atomic.Uint64{}, atomic.Int64{}
	got, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: 2, MaxDifferences: 10, Memory: 4 << 20, Total: func(int64) {}, Found: func(Difference) {},
		Read: func(n int64) { read.Add(n); peak.Store(max(peak.Load(), heap())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Tally{
		{Class: ClassRow, Table: "public.many", Rows: 200_000, Missing: 5_000, Different: 100_000},
		{Class: ClassRow, Table: "public.one", Rows: 1_000_000, Different: 1},
	}
	if diff := cmp.Diff(want, got.Tables[:2]); diff != "" {
		t.Error(diff)
	}
	if found := got.Differences; len(found) != 10 || found[0].Key != "1" {
		t.Errorf("listed %v", said(found))
	}
	if n := read.Load(); n < 1_200_000 || n > 1_200_100 {
		t.Errorf("told of %d rows read", n)
	}
	if used := int64(peak.Load()) - int64(before); used > 64<<20 {
		t.Errorf("took %d MiB", used>>20)
	}
}

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
