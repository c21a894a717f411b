package pg

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// The move that evac exists for: a server of 9.4, frozen, to 9.5 and to 17,
// complete and proved. 9.4 is offered for this platform alone.
func TestMoveFrom94(t *testing.T) {
	t.Parallel()
	source := testenv.Database(t, quietServer(t, "9.4"))
	load(t, source, oldContrib+oldEverything)
	for _, to := range []testenv.Which{"9.5", "17"} {
		t.Run("to "+string(to), func(t *testing.T) {
			moveOld(t, source, testenv.Database(t, quietServer(t, to)))
		})
	}
}

// Between 9.4 and 17 the text of floating-point numbers differs; equal ones are
// found equal, and one that differs in its last bit is named, wherever it is.
func TestVerifyFloatsBetweenMajors(t *testing.T) {
	t.Parallel()
	source, target := testenv.Database(t, testenv.Postgres(t, "9.4")), testenv.Database(t, testenv.Postgres(t, "17"))
	for _, side := range []secret.DSN{source, target} {
		load(t, side, `
			create type inner_type as (x float8, n text);
			create type outer_type as (i inner_type, a float4[]);
			create domain ratio as float8 check (value > 0);
			create type span as range (subtype = float8);
			create table f (id int primary key, plain float8, list float8[], place point, part outer_type, parts inner_type[], ratio ratio, span span);
			insert into f select g, g / 3::float8, array[g / 3::float8, null], point(g / 3::float8, 1), row(row(g / 3::float8, 'n'), array[g / 3::float4])::outer_type,
				array[row(g / 3::float8, null)::inner_type, null], g / 3::float8, span(g / 3::float8, null) from generate_series(1, 8) g;
			insert into f (id, list, part, parts, span) values (9, '{}', row(null, null), '{}', 'empty'), (10, null, null, null, null);
			insert into f (id, part, parts) values (11, row(row(null, null), '{}')::outer_type, '[2:3]={"(,)","(0.1,x)"}')`)
	}
	if got := headcount(t, source, target, enough); !got.Data.Equal() || got.Data.Rows != 11 {
		t.Fatalf("equal sides: %+v %v", got.Data, got.Differences)
	}
	once(t, target, `
		update f set plain = 0.33333333333333337 where id = 1;
		update f set list[1] = 0.66666666666666674 where id = 2;
		update f set place = point(1.0000000000000002, 1) where id = 3;
		update f set part.i.x = 1.3333333333333335 where id = 4;
		update f set parts[1].x = 1.6666666666666665 where id = 5;
		update f set ratio = 2.0000000000000004 where id = 6;
		update f set span = span(2.3333333333333339, null) where id = 7;
		update f set part.a[1] = 2.666667 where id = 8;
		update f set part = row(row(null, null), null) where id = 9;
		update f set parts = '{}' where id = 10;
		update f set parts = '[1:2]={"(,)","(0.1,x)"}' where id = 11`)
	if got := headcount(t, source, target, enough); got.Data.Different != 11 {
		t.Errorf("unequal sides: %+v %v", got.Data, got.Differences)
	}
}

func TestFreeze94(t *testing.T) {
	t.Run("under fire", func(t *testing.T) { t.Parallel(); freezeUnderFire(t, "9.4") })
	t.Run("a late writer", func(t *testing.T) { t.Parallel(); findsALateWriter(t, "9.4") })
	t.Run("by an owner", func(t *testing.T) {
		t.Parallel()
		srv := testenv.OwnPostgres(t, "9.4", nil)
		db := testenv.Database(t, srv)
		name := databaseOf(t, db)
		once(t, db, "create role app login; create role owner login; grant app to owner; alter database "+Quote(name)+" owner to owner")
		_, err := PlanFreeze(t.Context(), srv.DSN(name, "owner"), FreezeOptions{})
		if err == nil || !strings.Contains(err.Error(), `may not see the sessions of "app"`) || fault.Hints(err)[0] != "connect as a superuser" {
			t.Errorf("refusal %v with hints %q", err, fault.Hints(err))
		}
	})
}

// Before 9.6 no role stands for the right to see and end sessions: the owner
// must be a member of the roles that connect.
func TestFreezeByAnOwner95(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, "9.5", nil)
	db := testenv.Database(t, srv)
	name := databaseOf(t, db)
	once(t, db, "create table orders (n int); create role owner login; create role app login; alter database "+Quote(name)+" owner to owner")
	z := &frozen{dsn: srv.DSN(name, "owner")}
	_, err := PlanFreeze(t.Context(), z.dsn, FreezeOptions{})
	if err == nil || !strings.Contains(err.Error(), `may not see the sessions of "app"`) || fault.Hints(err)[0] != `grant "app" to "owner"` {
		t.Errorf("refusal %v with hints %q", err, fault.Hints(err))
	}
	once(t, db, "grant app to owner")
	app := dial(t, srv.DSN(name, "app"))
	z.ends(t, app)
}

// A copy from 9.4 that was cut off goes on with what it has, and starts over
// once the source was written.
func TestResumeFrom94(t *testing.T) {
	t.Parallel()
	tr := newTripOn(t, testenv.Database(t, quietServer(t, "9.4")), testenv.Database(t, quietServer(t, "9.5")), oldEverything)
	cut := errors.New("cut off")
	keep := tr.Save
	tr.Save = func(context.Context, CopyState) error { return cut }
	again := func(want string) {
		t.Helper()
		if _, err := Copy(t.Context(), tr.CopyOptions); !errors.Is(err, cut) {
			t.Fatal(err)
		}
		if want != "" && !tr.notes.noting(want) {
			t.Errorf("notes do not say %q: %q", want, tr.notes.notes)
		}
	}
	again("")
	again("going on where the copy was cut off")
	once(t, tr.From, "update app.no_key set b = 'written meanwhile'")
	tr.Save = keep
	tr.copy(t)
	if !tr.notes.noting("started over: the source was written") {
		t.Errorf("notes do not say that it starts over: %q", tr.notes.notes)
	}
	if diff := cmp.Diff(oldFingerprint(t, tr.From), oldFingerprint(t, tr.To)); diff != "" {
		t.Errorf("source (-) and target (+):\n%s", diff)
	}
	got, err := Warm(t.Context(), warming(tr.To))
	if err != nil || got.HotPercent != 100 {
		t.Errorf("warm: %+v, %v", got, err)
	}
}

// A move from 9.4 to 9.5 works also where nobody is a superuser.
func TestMoveFrom94ByOwners(t *testing.T) {
	t.Parallel()
	source, target := testenv.Database(t, quietServer(t, "9.4")), testenv.Database(t, quietServer(t, "9.5"))
	for _, admin := range []secret.DSN{source, target} {
		name := Quote(databaseOf(t, admin))
		once(t, admin, "create role old_lead login createrole createdb; alter database "+name+" owner to old_lead; revoke connect on database "+name+" from public")
	}
	tr := newTripOn(t, as(source, "old_lead"), as(target, "old_lead"), oldOwned)
	empty := oldFingerprint(t, target)
	if _, err := CheckCopy(t.Context(), tr.CopyOptions); err != nil {
		t.Error(err)
	}
	z := &frozen{dsn: tr.From}
	if _, err := z.freeze(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	result := tr.copy(t)
	if got := headcount(t, tr.From, tr.To, enough); !got.Equal() || got.Data.Rows < 500 {
		t.Errorf("headcount %+v %v, warnings %q", got.Data, got.Differences, result.Warnings)
	}
	if diff := cmp.Diff(oldFingerprint(t, source), oldFingerprint(t, target)); diff != "" {
		t.Errorf("source (-) and target (+), warnings %q:\n%s", result.Warnings, diff)
	}
	tr.saved.Left = nil // as in moveOld
	tr.undo(t)
	if diff := cmp.Diff(empty, oldFingerprint(t, target)); diff != "" {
		t.Errorf("undo left another target:\n%s", diff)
	}
}

// oldOwned is what the owner of a database makes in it.
const oldOwned = `
create role evac_old_reader;
alter role evac_old_reader set statement_timeout = '7s';
create schema app;
comment on schema app is 'of the owner';
create type app.mood as enum ('sad', 'ok');
create table app.t (id serial primary key, a text, b int check (b > 0), m app.mood default 'ok', f float8);
insert into app.t (a, b, f) select md5(g::text), g, g / 3.0 from generate_series(1, 400) g;
create index on app.t (lower(a));
create table app.part (check (b < 1000)) inherits (app.t);
insert into app.part (a, b) select 'part', g from generate_series(1, 100) g;
create table app.refers (t int references app.t deferrable);
insert into app.refers select g from generate_series(1, 50) g;
create unlogged table app.u (a int);
insert into app.u values (1), (2);
create function app.f() returns trigger language plpgsql as 'begin return new; end';
create trigger f before insert on app.t for each row execute procedure app.f();
create view app.v as select * from app.t where b > 10;
create materialized view app.m as select count(*) from app.t;
grant usage on schema app to evac_old_reader;
grant select on app.t, app.m to evac_old_reader with grant option;
alter default privileges in schema app grant select on tables to evac_old_reader;
create table app.files (o oid);
insert into app.files select lo_create(0) from generate_series(1, 3);
select lo_put(o, 0, 'content') from app.files;
do $$ begin
	execute format('comment on database %I is %L', current_database(), 'the owner''s');
	execute format('alter database %I set work_mem = ''5MB''', current_database());
end $$;
`

// Whatever looks before it acts speaks every server's SQL, and says in words
// what an old one cannot do.
func TestOldServersAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, which := range []testenv.Which{"9.4", "9.5"} {
		srv := testenv.OwnPostgres(t, which, func(o *servers.Options) { o.Settings["logging_collector"] = "on" })
		from, to := testenv.Database(t, srv), testenv.Database(t, testenv.Postgres(t, "17"))
		once(t, from, "create table t (id serial primary key, a text); insert into t (a) values ('x'); create table no_key (a int)")
		trip := newTripOn(t, from, to, "")
		follow := FollowOptions{CopyOptions: trip.CopyOptions, Reach: from}
		for name, look := range map[string]func(context.Context) error{
			"freeze":      func(ctx context.Context) error { _, err := PlanFreeze(ctx, from, FreezeOptions{}); return err },
			"who tries":   func(ctx context.Context) error { _, err := whoTries(ctx, from, time.Now()); return err },
			"copy":        func(ctx context.Context) error { _, err := CheckCopy(ctx, trip.CopyOptions); return err },
			"verify":      func(ctx context.Context) error { _, err := PlanVerify(ctx, from, to, VerifyOptions{}); return err },
			"warm":        func(ctx context.Context) error { _, err := PlanWarm(ctx, warming(from)); return err },
			"temperature": func(ctx context.Context) error { _, err := TakeTemperature(ctx, warming(from)); return err },
			"role":        func(ctx context.Context) error { _, err := RoleOf(ctx, from); return err },
		} {
			if err := look(t.Context()); err != nil {
				t.Errorf("%s, %s: %v", which, name, err)
			}
		}
		for name, look := range map[string]func(context.Context) error{
			"check before a follow": func(ctx context.Context) error { _, err := CheckFollow(ctx, trip.CopyOptions); return err },
			"follow":                func(ctx context.Context) error { _, err := PlanFollow(ctx, follow); return err },
			"replica": func(ctx context.Context) error {
				_, err := PlanReplica(ctx, ReplicaOptions{From: from, Local: Local{User: "nobody"}})
				return err
			},
			"promote": func(ctx context.Context) error {
				_, err := PlanPromote(ctx, PromoteOptions{Database: from})
				return err
			},
		} {
			if err := look(t.Context()); err == nil || strings.Contains(err.Error(), "SQLSTATE 42") || !strings.Contains(err.Error(), "10") {
				t.Errorf("%s, %s: %v", which, name, err)
			}
		}
	}
}
