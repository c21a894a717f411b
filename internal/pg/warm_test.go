package pg

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// warmShop has a table with TOAST, indexes of two types and many orders, a
// table that inherits, a materialized view and an empty table.
const warmShop = `
	create table orders (id int primary key, note text, tags int[]);
	alter table orders alter note set storage external;
	insert into orders select i, repeat(md5(i::text), 100), array[i] from generate_series(1, 2000) i;
	create index by_tag on orders using gin (tags);
	create table parts (id int, v text);
	create table part_1 () inherits (parts);
	insert into part_1 select i, md5(i::text) from generate_series(1, 20000) i;
	create index part_odd on part_1 (v desc nulls last, id) where id > 100;
	create index part_expression on part_1 (lower(v));
	create index part_pattern on part_1 (v text_pattern_ops desc, id);
	create index part_collated on part_1 (v collate "POSIX");
	create materialized view totals as select * from parts;
	create table nothing (a int);
	analyze`

// warmLarge has an index and a table with TOAST that are read in parts.
const warmLarge = `
	create table wide (i int, v text); alter table wide alter v set storage plain;
	insert into wide select i, lpad(i::text, 2000, '0') from generate_series(1, 17000) i; insert into wide select null, 'x' from generate_series(1, 1000);
	create index wide_order on wide (i desc, v);
	create table notes (id int, note text); alter table notes alter note set storage external;
	insert into notes select i, repeat('x', 3000) from generate_series(1, 12000) i;
	analyze`

// warming gives options that keep and tell nothing.
func warming(db secret.DSN) WarmOptions {
	return WarmOptions{
		Database: db, Physical: LayoutAuto, Jobs: 2,
		Save:  func(context.Context, WarmState) error { return nil },
		Total: func(int64) {}, Read: func(int64) {}, Note: func(string) {},
	}
}

// With pg_prewarm borrowed, every block is in the server's buffers afterwards
// and nothing is left behind.
func TestWarmByBorrowedPrewarm(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Older, nil)
	db := testenv.Database(t, srv)
	once(t, db, warmShop)
	restart(t, srv, nil)
	state := func() string {
		return text(t, db, `select concat_ws(' ', (select count(*) from pg_proc), (select count(*) from pg_extension), (select count(*) from pg_namespace), (select count(*) from pg_class))`)
	}
	before := state()
	got, err := Warm(t.Context(), warming(db))
	if err != nil {
		t.Fatal(err)
	}
	if got.HotPercent != 100 || got.Percent != 100 || !got.Complete || !strings.Contains(got.Way, "borrowed") || len(got.LeftOut) > 0 || got.Now.Pages == 0 {
		t.Errorf("result %+v", got)
	}
	if after := state(); after != before {
		t.Errorf("catalogs hold %s, before %s", after, before)
	}
	once(t, db, "create extension pg_buffercache")
	if missing := text(t, db, `
		select string_agg(c.relname, ', ' order by c.relname) from pg_class c
		where c.relkind in ('r', 't', 'm', 'i') and c.relnamespace::regnamespace::text in ('public', 'pg_toast') and pg_relation_size(c.oid) / 8192 >
			(select count(*) from pg_buffercache b where b.relfilenode = pg_relation_filenode(c.oid) and b.relforknumber = 0)`); missing != "" {
		t.Errorf("not whole in the buffers: %s", missing)
	}
}

// An ordinary owner without pg_prewarm reads tables, TOAST and B-trees, and
// what cannot be read is named.
func TestWarmByScansOfAnOwner(t *testing.T) {
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			srv := testenv.OwnPostgres(t, which, nil)
			admin := testenv.Database(t, srv)
			name := databaseOf(t, admin)
			once(t, admin, "create role warm_owner login; alter database "+Quote(name)+" owner to warm_owner; grant create on schema public to warm_owner")
			db := srv.DSN(name, "warm_owner")
			once(t, db, warmShop+";"+warmLarge)
			once(t, admin, "create table secrets (a int); insert into secrets values (1)")
			restart(t, srv, map[string]string{"shared_buffers": "128kB", "autovacuum": "off"})
			before := warmReads(t, admin)
			got, err := Warm(t.Context(), warming(db))
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"public.by_tag: an index of type gin can only be read by pg_prewarm", "public.secrets: the user may not read it"}
			slices.Sort(got.LeftOut)
			if diff := cmp.Diff(want, got.LeftOut); diff != "" || got.Way != "scans" || got.HotPercent != 100 {
				t.Errorf("%s: result %+v", diff, got)
			}
			w, err := openWarmer(t.Context(), warming(db))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.conn.Close(t.Context()) }()
			if err := w.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			var inParts []string
			for _, r := range w.Relations {
				if len(r.parts) > 1 {
					inParts = append(inParts, r.Name)
				}
			}
			slices.Sort(inParts)
			if diff := cmp.Diff([]string{"public.notes", "public.wide_order"}, inParts); diff != "" {
				t.Errorf("read in parts (-want +got):\n%s", diff)
			}
			after := warmReads(t, admin)
			for relation, blocks := range after {
				switch read := blocks.reads - before[relation].reads; {
				case relation == "by_tag" || relation == "secrets":
					if read > 0 {
						t.Errorf("%s: %d blocks were read", relation, read)
					}
				case read*100 < blocks.blocks*99: // of a large index, most inner pages are passed by
					t.Errorf("%s: %d of %d blocks were read", relation, read, blocks.blocks)
				}
			}
		})
	}
}

type warmRead struct{ blocks, reads int64 }

// warmReads asks the server what it has read into its buffers.
func warmReads(t *testing.T, db secret.DSN) map[string]warmRead {
	t.Helper()
	conn := dial(t, db)
	rows, err := conn.Query(t.Context(), `
		select case c.relkind when 't' then 'TOAST of ' || p.relname else c.relname::text end, pg_relation_size(c.oid) / 8192,
			pg_stat_get_blocks_fetched(c.oid) - pg_stat_get_blocks_hit(c.oid)
		from pg_class c left join pg_class p on p.reltoastrelid = c.oid
		where c.relkind in ('r', 'm', 't', 'i') and pg_relation_size(c.oid) > 0
			and (c.relnamespace = 'public'::regnamespace or p.relnamespace = 'public'::regnamespace)`)
	if err != nil {
		t.Fatal(err)
	}
	reads := map[string]warmRead{}
	for rows.Next() {
		var name string
		var r warmRead
		if err := rows.Scan(&name, &r.blocks, &r.reads); err != nil {
			t.Fatal(err)
		}
		reads[name] = r
	}
	if rows.Err() != nil || len(reads) < 8 {
		t.Fatalf("%d relations, %v", len(reads), rows.Err())
	}
	return reads
}

// restart empties the server's buffers.
func restart(t *testing.T, srv *servers.Postgres, settings map[string]string) {
	t.Helper()
	if err := srv.Stop(t.Context(), servers.Fast); err != nil {
		t.Fatal(err)
	}
	again, err := servers.StartPostgres(t.Context(), servers.Options{Install: srv.Install, Dir: srv.Dir, Port: srv.Port, DieWithParent: true, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	*srv = *again
}

// text is one value as text.
func text(t testing.TB, db secret.DSN, sql string) string {
	t.Helper()
	var got *string
	if err := dial(t, db).QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got == nil {
		return ""
	}
	return *got
}

// Relations go by what the source counted for each of their blocks, matched by
// name, also where the source is of another version.
func TestWarmRanksByTheSource(t *testing.T) {
	t.Parallel()
	from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	const tables = `create table %s (id int primary key, v text); alter table %[1]s alter v set storage external;
		insert into %[1]s select i, repeat('x', 3000) from generate_series(1, 300) i; analyze %[1]s;`
	for _, db := range []secret.DSN{from, to} {
		once(t, db, fmt.Sprintf(tables, `"Odd ""one"""`)+fmt.Sprintf(tables, "log")+fmt.Sprintf(tables, "cold"))
	}
	once(t, from, "select pg_stat_reset()") // loading counts as well
	once(t, to, "create table mine (a int); insert into mine values (1)")
	once(t, from, `set enable_seqscan = off; do $$ begin for n in 1..2000 loop perform length(v || '') from "Odd ""one""" where id = 7; perform 1 from log where id = n; end loop; end $$`)
	conn := dial(t, to)
	way, err := chooseWay(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	o := warming(to)
	o.From = from
	var set warmSet
	eventually(t, "statistics of the source", func() bool {
		set, err = readWarmSet(t.Context(), conn, way, o)
		return err == nil && len(set.Relations) > 0 && strings.Contains(heats(set)[0], "Odd") && strings.Contains(strings.Join(heats(set), " "), "log_pkey")
	})
	for _, r := range set.Relations {
		if hot := strings.Contains(r.Name, "Odd") || r.Name == "public.log_pkey"; r.hot != hot && !r.System && r.Name != "public.log" {
			t.Errorf("%s: hot %v, want %v (heat %.1f)", r.Name, r.hot, hot, r.heat())
		}
	}
	if set.HotBytes <= 0 || set.HotBytes >= set.Bytes || !strings.Contains(set.Heat, "relation by relation") {
		t.Errorf("hot %d of %d bytes by %s", set.HotBytes, set.Bytes, set.Heat)
	}
}

func heats(set warmSet) (names []string) {
	for _, r := range set.Relations {
		if r.hot {
			names = append(names, r.Name)
		}
	}
	return append(names, "")
}

// Of a physical twin the very blocks are read that the other has in its
// buffers, before anything else.
func TestWarmATwinBlockByBlock(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Older, nil)
	name := databaseOf(t, testenv.Database(t, srv))
	db := srv.DSN(name, "")
	once(t, db, `create extension pg_buffercache; create extension pg_prewarm;
		create table big (id int, v text); insert into big select i, repeat('x', 700) from generate_series(1, 20000) i;
		create table rewritten (a int); insert into rewritten values (1)`)
	twin := cloneServer(t, srv)
	restart(t, srv, map[string]string{"shared_buffers": "16MB", "autovacuum": "off"})
	once(t, db, `vacuum full rewritten`)
	once(t, db, `select pg_prewarm('big', 'buffer', 'main', 1000, 1009); select pg_prewarm('big', 'buffer', 'main', 300, 304); select pg_prewarm('rewritten')`)
	once(t, db, `select count(*) from big where ctid in ('(300,1)', '(301,1)', '(302,1)', '(303,1)', '(304,1)')`)

	o := warming(twin.DSN(name, ""))
	o.From = db
	w, err := openWarmer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.conn.Close(t.Context()) }()
	var got []string
	for p := range w.pieces(w.way, 0, nil) {
		if p.hot && p.relation.Schema == "public" {
			got = append(got, fmt.Sprint(p.relation.Name, p.ranges))
		}
	}
	want := []string{"public.big[{300 305}]", "public.big[{1000 1010}]"}
	if diff := cmp.Diff(want, got); diff != "" || !strings.Contains(w.Heat, "block by block") {
		t.Errorf("hot pieces by %s (-want +got):\n%s", w.Heat, diff)
	}
	o.Until = time.Now() // nothing but a look
	late, err := Warm(t.Context(), o)
	if err != nil || late.Complete || late.HotPercent > 0 {
		t.Errorf("too late: %+v, %v", late, err)
	}
	o.Until = time.Time{}
	r, err := Warm(t.Context(), o)
	if err != nil || r.HotPercent != 100 || r.Percent != 100 || r.Now.Pages != samplePages {
		t.Errorf("result %+v, %v", r, err)
	}
	for physical, want := range map[Layout]string{LayoutLogical: "relation by relation", LayoutPhysical: "block by block"} {
		o.Physical = physical
		if plan, err := PlanWarm(t.Context(), o); err != nil || !strings.Contains(plan.Heat, want) {
			t.Errorf("physical %q: %+v, %v", physical, plan, err)
		}
	}
}

// cloneServer stops a server, copies its files, and starts the copy alone.
func cloneServer(t *testing.T, srv *servers.Postgres) *servers.Postgres {
	t.Helper()
	if err := srv.Stop(t.Context(), servers.Fast); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "twin")
	if out, err := exec.Command("cp", "-a", srv.Dir, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the server's files: %v: %s", err, out)
	}
	twin, err := servers.StartPostgres(t.Context(), servers.Options{
		Install: srv.Install, Dir: dir, DieWithParent: true, Settings: map[string]string{"fsync": "off", "autovacuum": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = twin.Stop(context.WithoutCancel(t.Context()), servers.Immediate) })
	return twin
}

// Cut off, a warming goes on where it was, at the rate that it is given; a
// restart of the server makes it begin anew.
func TestWarmGoesOn(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Older, nil)
	db := testenv.Database(t, srv)
	once(t, db, `create extension pg_prewarm; create table big (v text); alter table big alter v set storage plain;
		insert into big select repeat('x', 7000) from generate_series(1, 2000)`)
	const size = 2000 * 8192
	o := warming(db)
	var saved WarmState
	o.Save = func(_ context.Context, s WarmState) error { saved = s; return nil }
	o.MaxRate = size
	ctx, cut := context.WithCancel(t.Context())
	var total, read atomic.Int64
	o.Total = total.Store
	o.Read = func(n int64) {
		if read.Add(n) > total.Load()-size/4 {
			cut()
		}
	}
	began := time.Now()
	if _, err := Warm(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cut off warming: %v", err)
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("%d bytes took %s at %d bytes a second", read.Load(), took, o.MaxRate)
	}
	before := saved
	var passed int64
	o.State, o.MaxRate, o.Read = before, 0, func(n int64) {
		if passed == 0 {
			passed = n // what need not be read again is told first
		}
	}
	r, err := Warm(t.Context(), o)
	if err != nil || r.Percent != 100 || r.HotPercent != 100 || !r.Complete {
		t.Errorf("resumed: %+v, %v", r, err)
	}
	if again := saved.Bytes - before.Bytes; passed < size/4 || again != total.Load()-passed || before.ColdUS == 0 {
		t.Errorf("of %d bytes %d were read, then %d, saved %+v", total.Load(), passed, again, before)
	}
	restart(t, srv, nil)
	o.State = saved
	if r, err = Warm(t.Context(), o); err != nil || r.Bytes < size {
		t.Errorf("after a restart of the server: %+v, %v", r, err)
	}
}

// A table that is locked is left out, and so is one that goes away; the rest
// is read.
func TestWarmPassesOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	once(t, db, `create table a (v int); insert into a values (1); create table b (v int); insert into b values (1)`)
	w, err := openWarmer(t.Context(), warming(db))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.conn.Close(t.Context()) }()
	once(t, db, "drop table b")
	if err := w.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if complete, err := w.readAll(t.Context()); !complete || err != nil {
		t.Fatal(complete, err)
	}
	r := w.meter.result()
	if len(r.LeftOut) != 1 || !strings.HasPrefix(r.LeftOut[0], "public.b: ") || r.Relations != 1 || r.HotPercent >= 100 {
		t.Errorf("result %+v", r)
	}
}
