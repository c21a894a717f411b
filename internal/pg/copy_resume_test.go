package pg

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// TestCopyAgain calls a copy again after it ended early. One pair of servers
// serves one test after another: nothing else may move the transaction counter.
func TestCopyAgain(t *testing.T) {
	t.Parallel()
	source, target := quietServer(t, testenv.Older), quietServer(t, testenv.Newer)
	for name, test := range map[string]func(*testing.T, *servers.Postgres, *servers.Postgres){
		"goes on": goesOn, "starts over": startsOver, "interrupted": interrupted, "is alone": isAlone, "full target": refusesAFullTarget,
	} {
		t.Run(name, func(t *testing.T) { test(t, source, target) })
	}
}

func goesOn(t *testing.T, source, target *servers.Postgres) {
	tr := newTripOn(t, testenv.Database(t, source), testenv.Database(t, target), "create table t (a int primary key); insert into t select generate_series(1, 20000)")
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

func startsOver(t *testing.T, source, target *servers.Postgres) {
	tr := newTripOn(t, testenv.Database(t, source), testenv.Database(t, target), "create table t (a int primary key, b text default 'x'); insert into t select generate_series(1, 20000)")
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

// interrupter cancels when a note begins with a text.
type interrupter struct {
	*noted
	at     string
	cancel func()
}

func (i interrupter) Note(text string) {
	i.noted.Note(text)
	if strings.HasPrefix(text, i.at) {
		i.cancel()
	}
}

func interrupted(t *testing.T, source, target *servers.Postgres) {
	tr := newTripOn(t, testenv.Database(t, source), testenv.Database(t, target), small)
	for _, at := range []string{"making tables", `table "public.t"`, "copying rows", `index "public.t_v_idx"`, "filling"} {
		ctx, cancel := context.WithCancel(t.Context())
		o := tr.CopyOptions
		o.Progress = interrupter{tr.notes, at, cancel}
		if _, err := Copy(ctx, o); fault.KindOf(err) != fault.Interrupted || strings.Contains(err.Error(), "\n") {
			t.Errorf("interrupted at %s: %v", at, err)
		}
	}
	tr.copy(t)
	tr.same(t)
}

// Unlogged tables are emptied by a crash of the target; the copy fills them
// again, whoever does it and however they refer to one another.
func TestCopyAfterACrashOfTheTarget(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"superuser": false, "owner": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := quietServer(t, testenv.Newer)
			to, admin := managed(t, target, plain)
			tr := newTripOn(t, testenv.Database(t, quietServer(t, testenv.Older)), to, unloggedTables)
			cut := errors.New("cut off")
			tr.Save = func(context.Context, CopyState) error { return cut }
			if _, err := Copy(t.Context(), tr.CopyOptions); !errors.Is(err, cut) {
				t.Fatal(err)
			}
			once(t, admin, "checkpoint")
			crash(t, target)
			tr.Save = func(_ context.Context, s CopyState) error { tr.saved = s; return nil }
			tr.copy(t)
			want, got := rowsAndKeys(t, tr.From), rowsAndKeys(t, admin)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("source (-) and target (+):\n%s", diff)
			}
		})
	}
}

// unloggedTables refer to themselves, to one another and in a circle.
const unloggedTables = `
	create unlogged table u (a int primary key, before int references u deferrable); insert into u select g, nullif(g - 1, 0) from generate_series(1, 5000) g;
	update u set before = 5001 - a;
	create unlogged table v (a int references u); insert into v select generate_series(1, 500);
	create function no() returns trigger language plpgsql as $$begin raise 'this row must not be seen'; end$$;
	create trigger no before insert on u for each row execute function no();
	create trigger never before insert on v for each row execute function no(); alter table v enable always trigger never;
	create unlogged table x (a int primary key, z int);
	create unlogged table y (a int primary key, x int references x);
	create unlogged table z (a int primary key, y int references y);
	alter table x add constraint "Round" foreign key (z) references z;
	comment on constraint "Round" on x is 'in a circle';
	insert into x select g from generate_series(1, 300) g; insert into y select a, a from x; insert into z select a, a from y; update x set z = a;
	create table t (a int); insert into t select generate_series(1, 5000)`

// rowsAndKeys are rows and foreign keys of a database, as psql reads them.
func rowsAndKeys(t testing.TB, dsn secret.DSN) (list []string) {
	t.Helper()
	list = dataLines(t, dsn)
	return append(list, psql(t, dsn, "-Atc", `
		select conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint')
		from pg_constraint where contype = 'f' order by 1, 2`))
}

// crash ends a server as a power cut would, and starts it again.
func crash(t testing.TB, srv *servers.Postgres) {
	t.Helper()
	if err := srv.Stop(t.Context(), servers.Immediate); err != nil {
		t.Fatal(err)
	}
	again, err := servers.StartPostgres(t.Context(), servers.Options{
		Install: srv.Install, Dir: srv.Dir, Port: srv.Port, DieWithParent: true, Settings: map[string]string{"fsync": "off", "autovacuum": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	*srv = *again
}

// Copy refuses by itself what a check would have, and changes nothing then.
func refusesAFullTarget(t *testing.T, source, target *servers.Postgres) {
	tr := newTripOn(t, testenv.Database(t, source), testenv.Database(t, target), "create table t (a int)")
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

func isAlone(t *testing.T, source, target *servers.Postgres) {
	tr := newTripOn(t, testenv.Database(t, source), testenv.Database(t, target), "create table t (a int)")
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

// A crash of the target takes its counters; undo then looks at the rows.
func TestUndoAfterACrashOfTheTarget(t *testing.T) {
	t.Parallel()
	for name, written := range map[string]string{
		"unused": "", "inserted": "insert into t values (0)", "updated": "update t set b = 1 where a = 7", "deleted": "delete from t where a = 7",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := quietServer(t, testenv.Newer)
			tr := newTripOn(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, target), `
				create table t (a int primary key, b int); insert into t select generate_series(1, 5000);
				create unlogged table u (a int); insert into u values (1)`)
			tr.copy(t)
			if written != "" {
				once(t, tr.To, written)
			}
			once(t, tr.To, "checkpoint")
			crash(t, target)
			tr.State = tr.saved
			err := UndoCopy(t.Context(), tr.CopyOptions)
			if refused := err != nil && strings.Contains(err.Error(), "the target was written to after the copy"); refused != (written != "") {
				t.Errorf("undo after %q: %v", written, err)
			}
		})
	}
}
