package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

func TestCopyEverything(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, everything)
	empty := outside(t, tr.To)

	first := tr.copy(t)
	tr.same(t)
	if len(first.Warnings) > 0 || first.Rows == 0 || first.LargeObjects != 33 {
		t.Errorf("result is %+v", first)
	}
	if tr.notes.over || tr.notes.done != tr.notes.total || tr.notes.total == 0 {
		t.Errorf("progress says %d of %d, over: %v", tr.notes.done, tr.notes.total, tr.notes.over)
	}
	if err := VerifyCopy(t.Context(), tr.From, tr.To, 2); err != nil {
		t.Error(err)
	}
	if again := tr.copy(t); !cmp.Equal(first, again) {
		t.Errorf("a second call gave another result: %s", cmp.Diff(first, again))
	}
	tr.same(t)

	tr.undo(t)
	if diff := cmp.Diff(empty, outside(t, tr.To)); diff != "" {
		t.Fatalf("undo left another target:\n%s", diff)
	}
	tr.undo(t) // of nothing
	tr.copy(t)
	tr.same(t)
}

// The target may hold a frozen source's rows: what refuses writes there must
// not come along.
func TestCopyOfAFrozenSource(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, "create table t (a int primary key); insert into t values (1)")
	_, err := Freeze(t.Context(), tr.From, FreezeOptions{
		Strict: true, Note: func(string) {}, Change: func(context.Context, FreezeChange) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	tr.copy(t)
	once(t, tr.To, "insert into t values (2)")
}

// Both servers are of one major version, and extensions have tables with rows
// of the user's own.
func TestCopyExtensions(t *testing.T) {
	t.Parallel()
	extension(t)
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			tr := newTrip(t, which, which, contrib)
			empty := outside(t, tr.To)
			tr.copy(t)
			tr.same(t)
			tr.undo(t)
			if diff := cmp.Diff(empty, outside(t, tr.To)); diff != "" {
				t.Fatalf("undo left another target:\n%s", diff)
			}
		})
	}
}

// contrib uses the extensions that a server has.
const contrib = `
do $$ declare e text; begin
	for e in select name from pg_available_extensions where name in ('hstore', 'citext', 'pg_trgm', 'btree_gist', 'postgres_fdw', 'unaccent') loop
		execute format('create extension %I', e);
		execute format('comment on extension %I is %L', e, 'my ' || e);
	end loop;
	if exists (select from pg_extension where extname = 'hstore') then
		create table tags (id int, h hstore, primary key (id));
		insert into tags values (1, 'a=>1,b=>NULL'), (2, '');
		create index on tags using gin (h);
	end if;
	if exists (select from pg_extension where extname = 'citext') then
		create domain email as citext check (value ~ '@');
		create table people (mail email unique);
		insert into people values ('A@b'), ('c@D');
	end if;
	if exists (select from pg_extension where extname = 'pg_trgm') then
		create table words (w text);
		insert into words select md5(g::text) from generate_series(1, 200) g;
		create index on words using gin (w gin_trgm_ops);
	end if;
	if exists (select from pg_extension where extname = 'postgres_fdw') then
		create server far foreign data wrapper postgres_fdw options (host 'nowhere');
		create user mapping for current_user server far options (user 'u', password 'p');
		create foreign table away (a int) server far;
	end if;
	begin
		create table xmls (x xml);
		insert into xmls values ('<a>&amp;</a>'), ('<?xml version="1.0"?><b/>'), ('a<b/>c');
	exception when feature_not_supported then drop table if exists xmls;
	end;
	if exists (select from pg_collation where collname = 'und-x-icu') then
		create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		create table cased (t text collate nocase unique);
		insert into cased values ('a'), ('B');
	end if;
end $$`

// An extension of the test's own declares that some of its rows are the user's.
// Servers of PostgreSQL 18 look for extensions where a setting says.
func TestCopyExtensionRows(t *testing.T) {
	t.Parallel()
	dir := extension(t)
	db := func() secret.DSN {
		srv := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { o.Settings["extension_control_path"] = dir + ":$system" })
		if srv.Install.Major < 18 {
			t.Fatalf("the newer server is PostgreSQL %d; this needs 18, whose extensions can stand anywhere", srv.Install.Major)
		}
		return testenv.Database(t, srv)
	}
	tr := newTripOn(t, db(), db(), `
		create schema own; create extension evac_test schema own;
		insert into own.config values ('mine', false); update own.config set value = 'x' where builtin;
		insert into own.plain values (1);
		select setval('own.counter', 42)`)
	tr.copy(t)
	got := psql(t, tr.To, "-Atc", "select name, builtin from own.config order by 1; select count(*) from own.plain; select last_value from own.counter")
	if want := "builtin|t\nmine|f\n0\n42\n"; got != want {
		t.Errorf("rows of the extension are %q, want %q", got, want)
	}
}

// extension writes an extension with tables to a directory that servers can read.
func extension(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "evac-extension-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range map[string]string{
		"evac_test.control": "default_version = '1'\nrelocatable = true\n",
		"evac_test--1.sql": `
			create table config (name text, builtin bool, value text);
			insert into config values ('builtin', true);
			create table plain (a int);
			create sequence counter;
			select pg_extension_config_dump('config', 'where not builtin');
			select pg_extension_config_dump('counter', '');`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, "extension"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "extension", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Without a superuser the copy is whole but for what it says.
func TestCopyWithoutASuperuser(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, ordinary)
	once(t, tr.To, "create role evac_lead login createrole createdb; alter database "+Quote(databaseOf(t, tr.To))+" owner to evac_lead")
	admin := tr.To
	tr.From, tr.To = as(tr.From, "evac_reads"), as(tr.To, "evac_lead")

	before := psql(t, admin, "-Atc", "select rolname from pg_roles order by 1")
	result := tr.copy(t)
	if err := VerifyCopy(t.Context(), tr.From, tr.To, 2); err != nil {
		t.Error(err)
	}
	rows := func(lines []string) (list []string) {
		for _, line := range lines {
			if strings.HasPrefix(line, "rows|") || strings.HasPrefix(line, "seq|") {
				list = append(list, line)
			}
		}
		return list
	}
	if diff := cmp.Diff(rows(fingerprint(t, as(tr.From, "postgres"))), rows(fingerprint(t, admin))); diff != "" {
		t.Errorf("rows of source (-) and target (+):\n%s", diff)
	}
	for _, want := range []string{`left out event trigger "on_ddl"`, `role "evac_owner" is made without superuser`} {
		if !strings.Contains(strings.Join(result.Warnings, "\n"), want) {
			t.Errorf("no warning says %q:\n%s", want, strings.Join(result.Warnings, "\n"))
		}
	}
	tr.undo(t)
	if after := psql(t, admin, "-Atc", "select rolname from pg_roles order by 1"); after != before {
		t.Errorf("roles after undo are %s, want %s", after, before)
	}
}

// ordinary is what applications use whose users are no superusers, and an event
// trigger.
const ordinary = `
create role evac_owner login superuser password 'pw';
create role evac_reader noinherit;
create role evac_reads login in role pg_read_all_data bypassrls;
grant evac_reader to evac_owner with admin option;
alter role evac_owner set search_path = app;
create schema app authorization evac_owner;
set role evac_owner;
create table app.t (id int generated always as identity primary key, a text, b int check (b > 0));
insert into app.t (a, b) select md5(g::text), g from generate_series(1, 4000) g;
create index on app.t (lower(a));
create table app.p (t int references app.t, d date) partition by range (d);
create table app.p1 partition of app.p for values from ('2025-01-01') to ('2026-01-01');
insert into app.p select g, date '2025-01-01' + g % 300 from generate_series(1, 300) g;
create unlogged table app.u (a int);
insert into app.u values (1), (2);
create function app.f() returns trigger language plpgsql as 'begin return new; end';
create trigger f before insert on app.t for each row execute function app.f();
alter table app.t enable row level security;
create policy p on app.t to evac_reader using (b > 0);
create view app.v as select * from app.t;
create materialized view app.m as select count(*) from app.t;
grant select on app.t to evac_reader with grant option;
grant usage on schema app to evac_reader;
select lo_from_bytea(900001, 'text'), lo_from_bytea(900002, '');
grant select on large object 900001 to evac_reads;
grant select on large object 900002 to evac_reads;
comment on table app.t is 'comment';
reset role;
create table outside (a int);
create publication pub for table app.t;
create function ddl() returns event_trigger language plpgsql as 'begin end';
create event trigger on_ddl on ddl_command_end execute function ddl();
do $$ begin execute format('comment on database %I is %L', current_database(), 'shop'); end $$;
`

// as is the same database for another user.
func as(dsn secret.DSN, user string) secret.DSN {
	before, after, _ := strings.Cut(dsn.Reveal(), "://")
	_, host, _ := strings.Cut(after, "@")
	return secret.NewDSN(before + "://" + user + "@" + host)
}

func TestCopyStartsOver(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, "create table t (a int primary key, b text default 'x'); insert into t select generate_series(1, 20000)")
	cut := errors.New("cut off")
	ctx, cancel := context.WithCancelCause(t.Context())
	tr.Save = func(context.Context, CopyState) error { cancel(cut); return cut }
	if _, err := Copy(ctx, tr.CopyOptions); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	once(t, tr.From, "update t set b = 'written meanwhile' where a = 7")
	tr.Save = func(_ context.Context, s CopyState) error { tr.saved = s; return nil }
	result := tr.copy(t)
	tr.same(t)
	const says = "started over: the source was written since the copy was cut off"
	if !tr.notes.noting(says) || !strings.Contains(strings.Join(result.Warnings, "\n"), says) {
		t.Errorf("nothing says %q: notes %q, warnings %q", says, tr.notes.notes, result.Warnings)
	}
}

func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, "create table t (a int primary key); insert into t select generate_series(1, 20000)")
	cut := errors.New("cut off")
	tr.Save = func(context.Context, CopyState) error { return cut }
	if _, err := Copy(t.Context(), tr.CopyOptions); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	once(t, tr.From, "select count(*) from t")
	oid := psql(t, tr.To, "-Atc", "select 't'::regclass::oid, (select sum(xmin::text::bigint) from t)")
	tr.Save = func(_ context.Context, s CopyState) error { tr.saved = s; return nil }
	tr.copy(t)
	tr.same(t)
	if now := psql(t, tr.To, "-Atc", "select 't'::regclass::oid, (select sum(xmin::text::bigint) from t)"); now != oid {
		t.Errorf("rows were copied again: table and writers are %s, were %s", now, oid)
	}
	if !tr.notes.noting("going on where the copy was cut off") {
		t.Errorf("notes do not say that it goes on: %q", tr.notes.notes)
	}
}

// An unlogged table is emptied by a crash of the target; the copy fills it again.
func TestCopyAfterACrashOfTheTarget(t *testing.T) {
	t.Parallel()
	target := quietServer(t, testenv.Newer)
	tr := newTripOn(t, testenv.Database(t, quietServer(t, testenv.Older)), testenv.Database(t, target), `
		create unlogged table u (a int); insert into u select generate_series(1, 5000);
		create table t (a int); insert into t select generate_series(1, 5000)`)
	cut := errors.New("cut off")
	tr.Save = func(context.Context, CopyState) error { return cut }
	if _, err := Copy(t.Context(), tr.CopyOptions); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	once(t, tr.To, "checkpoint")
	if err := target.Stop(t.Context(), servers.Immediate); err != nil {
		t.Fatal(err)
	}
	again, err := servers.StartPostgres(t.Context(), servers.Options{
		Install: target.Install, Dir: target.Dir, Port: target.Port, DieWithParent: true, Settings: map[string]string{"fsync": "off", "autovacuum": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	*target = *again
	tr.Save = func(_ context.Context, s CopyState) error { tr.saved = s; return nil }
	tr.copy(t)
	tr.same(t)
}

func TestCheckCopyRefuses(t *testing.T) {
	t.Parallel()
	older, newer := quietServer(t, testenv.Older), quietServer(t, testenv.Newer)
	fresh := func(srv *servers.Postgres, sql string) secret.DSN {
		db := testenv.Database(t, srv)
		once(t, db, sql)
		return db
	}
	plain := fresh(older, "create table t (a int)")
	full := fresh(newer, `create table "odd ""table" (a int); create schema s; select lo_from_bytea(0, 'x')`)
	once(t, plain, "create role evac_nobody login")
	once(t, full, "create role evac_nobody login")
	latin := newer.DSN("evac_latin", "")
	once(t, newer.DSN("postgres", ""), "create database evac_latin template template0 encoding 'LATIN1' locale 'C'")
	begun := fresh(newer, "")
	half := newTripOn(t, plain, begun, "")
	half.Token = "somebody else's"
	half.Save = func(context.Context, CopyState) error { return errors.New("cut off") }
	if _, err := Copy(t.Context(), half.CopyOptions); err == nil {
		t.Fatal("the copy was not cut off")
	}
	secured := fresh(older, "create table r (a int); alter table r enable row level security; grant select on r to evac_nobody; create sequence hidden; create table kept (a int)")

	for _, c := range []struct {
		name     string
		from, to secret.DSN
		dump     string
		kind     fault.Kind
		says     []string
	}{
		{"full target", plain, full, "", fault.Failed, []string{`target is not empty: table "public.odd \"table"`, `schema "s"`, `large objects "1"`}},
		{"older target", fresh(newer, ""), fresh(older, ""), "", fault.Failed, []string{"older than the source's"}},
		{"one database", plain, plain, "", fault.Invalid, []string{"source and target are the same database", "target is not empty"}},
		{"no such databases", older.DSN("nowhere", ""), newer.DSN("nowhere", ""), "", fault.Failed, []string{"connect to source postgres@", "connect to target postgres@", `database "nowhere" does not exist`}},
		{"no server", secret.NewDSN("postgres://u:hidden@127.0.0.1:1/x"), fresh(newer, ""), "", fault.Failed, []string{"connect to source u@127.0.0.1:1/x", "connection refused"}},
		{"no pg_dump there", plain, fresh(newer, ""), "/nowhere/pg_dump", fault.Invalid, []string{"/nowhere/pg_dump"}},
		{"rights on the source", as(secured, "evac_nobody"), fresh(newer, ""), "", fault.Denied, []string{"does not let the user read public.hidden, public.kept", "hides rows from the user in public.r"}},
		{"rights on the target", plain, as(fresh(newer, ""), "evac_nobody"), "", fault.Denied, []string{"does not let the user make schemas"}},
		{"encoding", plain, latin, "", fault.Failed, []string{"encoded in UTF8, the target in LATIN1"}},
		{"another's copy", plain, begun, "", fault.Busy, []string{"unfinished copy of another run", "somebody else's"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := CopyOptions{From: c.from, To: c.to, Token: "token", PgDump: c.dump}
			if o.PgDump == "" {
				o.PgDump = testenv.PgDump(t)
			}
			_, err := CheckCopy(t.Context(), o)
			if err == nil {
				t.Fatal("nothing was refused")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hidden@") || fault.KindOf(err) != c.kind {
				t.Errorf("kind is %v, want %v: %v", fault.KindOf(err), c.kind, err)
			}
		})
	}
	once(t, newer.DSN("postgres", ""), "drop database evac_latin")
}

// Copy refuses by itself what a check would have, and changes nothing then.
func TestCopyRefusesAFullTarget(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, "create table t (a int)")
	once(t, tr.To, "create table mine (a int)")
	before := outside(t, tr.To)
	if _, err := Copy(t.Context(), tr.CopyOptions); err == nil || !strings.Contains(err.Error(), `table "public.mine"`) {
		t.Fatal(err)
	}
	tr.undo(t)
	if diff := cmp.Diff(before, outside(t, tr.To)); diff != "" {
		t.Fatalf("the target was changed:\n%s", diff)
	}
}

func TestCopyIsAlone(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, "create table t (a int)")
	first, err := openTarget(t.Context(), tr.To, "first", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), tr.CopyOptions); fault.KindOf(err) != fault.Busy {
		t.Errorf("a second copy was let in: %v", err)
	}
	tr.Token = "first" // the same copy, taken over: the old session is ended
	tr.copy(t)
	if err := run(t.Context(), first.conn, "select 1"); err == nil {
		t.Error("the session of the copy that was taken over still lives")
	}
}

func TestCopyErrorsNameSideAndTable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, source, target string
		says                 string
	}{
		{"source", `create view t as select 1 / (g - 3000) as a from generate_series(1, 9000) g; create table u (a int)`, `create table t (a int)`, "read source: ERROR: "},
		{"target", `create table t as select generate_series(1, 900000) as a`, `create table t (a int check (a <> 1000))`, `write target: ERROR: new row for relation "t" violates check constraint`},
		{"missing", `create table t (a int)`, ``, `write target: ERROR: relation "public.t" does not exist`},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := testenv.Database(t, testenv.Postgres(t, testenv.Older))
			target := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
			once(t, source, c.source)
			once(t, target, c.target)
			l := &lane{dial(t, source), dial(t, target)}
			err := l.move(t.Context(), chunk{What: chunkTable, Schema: "public", Table: "t", Columns: []string{"a"}, Past: -1}, func(int64) {})
			if err == nil || !strings.HasPrefix(err.Error(), `copy table "public.t": `+c.says) {
				t.Errorf("error is %v, want … %s", err, c.says)
			}
		})
	}
}

func TestChunksCoverATable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ weight, pages, size int64 }{{0, 0, 10}, {100, 7, 10}, {1000, 3, 10}, {1000, 1000, 10}, {19, 2, 10}, {20, 2, 10}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			parts := chunk{Weight: c.weight, Past: -1}.cut(c.pages, c.size)
			next := int64(0)
			for i, p := range parts {
				if p.First != next || (p.Past < 0) != (i == len(parts)-1) || p.Past >= 0 && p.Past <= p.First {
					t.Fatalf("parts leave a gap or overlap: %+v", parts)
				}
				next = p.Past
			}
		})
	}
}
