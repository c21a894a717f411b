package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

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
	if err := VerifyCopy(t.Context(), tr.From, tr.To, 2, Selection{}); err != nil {
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

// Without a superuser the copy is whole but for what it says.
func TestCopyWithoutASuperuser(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, ordinary)
	once(t, tr.To, "create role evac_lead login createrole createdb; alter database "+Quote(databaseOf(t, tr.To))+" owner to evac_lead")
	admin := tr.To
	tr.From, tr.To = as(tr.From, "evac_reads"), as(tr.To, "evac_lead")

	before := psql(t, admin, "-Atc", "select rolname from pg_roles order by 1")
	result := tr.copy(t)
	if err := VerifyCopy(t.Context(), tr.From, tr.To, 2, Selection{}); err != nil {
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

// appTables are what an application makes in its schema.
const appTables = `
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
create view app.v as select * from app.t;
create materialized view app.m as select count(*) from app.t;
comment on table app.t is 'comment';
`

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
` + appTables + `
alter table app.t enable row level security;
create policy p on app.t to evac_reader using (b > 0);
grant select on app.t to evac_reader with grant option;
grant usage on schema app to evac_reader;
select lo_from_bytea(900001, 'text'), lo_from_bytea(900002, '');
grant select on large object 900001 to evac_reads;
grant select on large object 900002 to evac_reads;
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

// Texts arrive whatever the encodings; without an encoding, bytes do.
func TestCopyEncodings(t *testing.T) {
	t.Parallel()
	older, newer := testenv.Postgres(t, testenv.Older), testenv.Postgres(t, testenv.Newer)
	for _, c := range []struct{ from, to, table, insert string }{
		{"LATIN1", "UTF8", "müller", `insert into "müller" values ('é', 'ÿ')`},
		{"EUC_KR", "UTF8", "주문", `insert into "주문" values ('서울', '부산')`},
		{"LATIN1", "LATIN1", "é", `insert into "é" values ('é', 'ÿ')`},
		{"SQL_ASCII", "SQL_ASCII", "t", `insert into t values (E'\\xe9', E'\\xec\\x84 \\377')`},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			source, target := encoded(t, older, c.from), encoded(t, newer, c.to)
			tr := newTripOn(t, source, target, fmt.Sprintf("set client_encoding = 'UTF8'; create table %[1]q (a text, %[1]q text); comment on table %[1]q is '%[1]s'; create index on %[1]q (a);", c.table))
			client := "UTF8"
			if c.from == "SQL_ASCII" {
				client = "SQL_ASCII"
			}
			load(t, source, fmt.Sprintf("set client_encoding = '%s'; %s", client, c.insert))
			tr.copy(t)
			ask := []string{"-Atc", fmt.Sprintf("set client_encoding = '%s'", client), "-c", fmt.Sprintf("select x::text, obj_description('%[1]q'::regclass) from %[1]q x", c.table)}
			here, there := psql(t, source, ask...), psql(t, target, ask...)
			if here != there || !strings.Contains(here, c.table) {
				t.Errorf("source has %q, target %q", here, there)
			}
			if err := VerifyCopy(t.Context(), tr.From, tr.To, 1, Selection{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// encoded makes a database of an encoding.
func encoded(t testing.TB, srv *servers.Postgres, encoding string) secret.DSN {
	t.Helper()
	name := strings.ToLower(fmt.Sprintf("evac_%s_%d", encoding, time.Now().UnixNano()))
	once(t, srv.DSN("postgres", ""), fmt.Sprintf("create database %s template template0 encoding '%s' locale 'C'", name, encoding))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), srv.DSN("postgres", "").Reveal())
		if err == nil {
			_, err = conn.Exec(context.Background(), "drop database "+name+" with (force)")
			err = errors.Join(err, conn.Close(context.Background()))
		}
		if err != nil {
			t.Error(err)
		}
	})
	return srv.DSN(name, "")
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
			from, err := Connect(t.Context(), source, ConnOptions{Side: Source, Tap: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = hangUp(t.Context(), from) }()
			l := &lane{source: from, target: dial(t, target)}
			execSQL(t, l.source, beginSnapshot+"; savepoint unlocked")
			engine := &copier{CopyOptions: CopyOptions{Progress: &noted{}}}
			err = engine.moveChunk(t.Context(), l, chunk{What: chunkTable, Schema: "public", Table: "t", Columns: []string{"a"}, Past: -1})
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
