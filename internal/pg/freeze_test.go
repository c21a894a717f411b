package pg

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/testenv"
)

func TestFreezeUnderFire(t *testing.T) {
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			freezeUnderFire(t, which)
		})
	}
}

func freezeUnderFire(t *testing.T, which testenv.Which) {
	srv := quietCluster(t, which)
	z := &frozen{dsn: testenv.Database(t, srv)}
	once(t, z.dsn, "create table orders (n bigint primary key)")
	c := newCrowd(t, 50, z.dsn, "")
	eventually(t, "writers at work", func() bool { return c.sent.Load() > 1000 })

	got, err := z.freeze(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if got.Terminated < 50 || !strings.HasPrefix(got.Proof.Method, "no transaction ended") {
		t.Errorf("result %+v", got)
	}
	reader := dial(t, z.dsn)
	before := numbers(t, reader)
	already := c.refused.Load()
	eventually(t, "writers back and refused", func() bool { return c.refused.Load() > already+500 })
	c.stop()
	c.done.Wait()
	after := numbers(t, reader)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("written after the freeze had returned:\n%s", diff)
	}
	c.acked.Range(func(n, _ any) bool {
		if !after[n.(int64)] {
			t.Errorf("order %d was acknowledged and is not there", n)
		}
		return true
	})
	if _, err := ProveFrozen(t.Context(), z.dsn, FreezeOptions{}, got.Proof.Mark); err != nil {
		t.Error(err)
	}

	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	once(t, z.dsn, "insert into orders values (-1)")
	if _, err := ProveFrozen(t.Context(), z.dsn, FreezeOptions{}, got.Proof.Mark); err == nil {
		t.Error("an open database was proved frozen")
	}
}

func TestFreezeNamesWhoWritesAllTheSame(t *testing.T) {
	t.Parallel()
	srv := quietCluster(t, testenv.Newer)
	z := &frozen{dsn: testenv.Database(t, srv)}
	once(t, z.dsn, "create table orders (n bigint primary key); create role evader login; grant all on orders to evader")
	name := databaseOf(t, z.dsn)
	evader := srv.DSN(name, "evader")
	c := newCrowd(t, 3, evader, "set default_transaction_read_only = off; set application_name = 'night batch'")
	eventually(t, "evaders at work", func() bool { return c.sent.Load() > 10 })

	_, err := z.freeze(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), `user "evader" from 127.0.0.1, application "night batch"`) || len(fault.Hints(err)) == 0 {
		t.Fatalf("freeze with evaders: %v, want them named", err)
	}
	if _, err := z.freeze(t.Context(), true); err != nil {
		t.Fatalf("strict freeze with evaders: %v", err)
	}
	reader := dial(t, z.dsn)
	before, tries := numbers(t, reader), c.sent.Load()
	if err := writeRefused(t.Context(), z.dsn); err != nil {
		t.Error(err)
	}
	if _, err := pgx.Connect(t.Context(), evader.Reveal()); err == nil {
		t.Error("an ordinary role came in under a strict freeze")
	}
	if diff := cmp.Diff(before, numbers(t, reader)); diff != "" || c.sent.Load() != tries {
		t.Errorf("written under a strict freeze: %s", diff)
	}
	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "evaders back at work", func() bool { return c.sent.Load() > tries })
}

func TestProveFrozenFindsALateWriter(t *testing.T) {
	t.Parallel()
	findsALateWriter(t, testenv.Older)
}

func findsALateWriter(t *testing.T, which testenv.Which) {
	z := &frozen{dsn: testenv.Database(t, testenv.OwnPostgres(t, which, nil))}
	once(t, z.dsn, "create table orders (n bigint primary key)")
	got, err := z.freeze(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	once(t, z.dsn, "set transaction_read_only = off; begin read write; insert into orders values (1); commit")
	_, err = ProveFrozen(t.Context(), z.dsn, FreezeOptions{}, got.Proof.Mark)
	if err == nil || !strings.Contains(err.Error(), "rows were written") {
		t.Errorf("proof after a late write: %v", err)
	}
}

func TestFreezeInABusyCluster(t *testing.T) {
	t.Parallel()
	srv := quietCluster(t, testenv.Older)
	z := &frozen{dsn: testenv.Database(t, srv)}
	neighbour := testenv.Database(t, srv)
	once(t, neighbour, "create table orders (n bigint primary key)")
	c := newCrowd(t, 2, neighbour, "")
	eventually(t, "neighbour at work", func() bool { return c.sent.Load() > 10 })
	got, err := z.freeze(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Proof.Method, "no row counter") || got.Proof.XidAfter <= got.Proof.Mark.Xmax {
		t.Errorf("proof %+v", got.Proof)
	}
}

func TestUnfreezeLeavesSettingsAsTheyWere(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Newer, nil)
	z := &frozen{dsn: testenv.Database(t, srv)}
	name := Quote(databaseOf(t, z.dsn))
	once(t, z.dsn, fmt.Sprintf(`
		create role plain; create role "Odd ""one"""; create role everywhere; create role reader;
		alter database %[1]s set work_mem = '5MB';
		alter database %[1]s set default_transaction_read_only = off;
		alter database %[1]s connection limit 42;
		alter role plain in database %[1]s set default_transaction_read_only = 'f';
		alter role plain in database %[1]s set work_mem = '6MB';
		alter role "Odd ""one""" in database %[1]s set default_transaction_read_only = off;
		alter role everywhere set default_transaction_read_only = off;
		alter role reader set default_transaction_read_only = on`, name))
	conn := dial(t, srv.DSN("postgres", ""))
	state := func() (lines []string) {
		rows, err := conn.Query(t.Context(), `
			select format('%s in %s: %s', setrole::regrole, setdatabase, setconfig) from pg_db_role_setting
			union all select format('%s: %s', datname, datconnlimit) from pg_database order by 1`)
		if err != nil {
			t.Fatal(err)
		}
		if lines, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	before := state()
	if _, err := z.freeze(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"plain", `Odd "one"`, "everywhere", "reader"} {
		once(t, z.dsn, "set session authorization "+Quote(role)) // exists
	}
	if got := len(z.changes); got != 5 { // database, three roles, connection limit
		t.Errorf("%d changes, want 5: %v", got, z.changes)
	}
	if cmp.Equal(before, state()) {
		t.Error("the freeze changed nothing")
	}
	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("settings before the freeze and after its undo:\n%s", diff)
	}
}

func TestPlanFreezeRefuses(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Older, nil)
	db := testenv.Database(t, srv)
	name := databaseOf(t, db)
	once(t, db, "create table t (a int); create role weak login; create role owner login; grant pg_read_all_stats, pg_signal_backend to owner")
	refusal := func(user string, strict bool) string {
		_, err := PlanFreeze(t.Context(), srv.DSN(name, user), FreezeOptions{Strict: strict})
		if err == nil {
			return ""
		}
		return err.Error()
	}
	wants := func(got string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(got, text) {
				t.Errorf("refusal %q does not say %q", got, text)
			}
		}
	}
	wants(refusal("weak", true), "does not own the database", "may not see", "may not end", "is no superuser")

	once(t, db, `alter database `+Quote(name)+` owner to owner`)
	eventually(t, "an owner with rights, once superusers have left", func() bool { return refusal("owner", false) == "" })
	once(t, db, `alter role weak set default_transaction_read_only = off`)
	admin := dial(t, db)
	wants(refusal("owner", false), `role "weak" has default_transaction_read_only = off`, "session of the superuser")
	_ = admin.Close(t.Context())

	once(t, db, `begin; insert into t values (1); prepare transaction 'it''s two'`)
	once(t, db, `create subscription s connection 'dbname=nowhere' publication p with (connect = false, slot_name = 'x')`)
	once(t, db, `alter subscription s enable`)
	wants(refusal("", false), `transaction "it's two" of user "postgres" is prepared`, `subscription "s" writes`)
	once(t, db, `rollback prepared 'it''s two'`)
	once(t, db, `alter subscription s disable; alter subscription s set (slot_name = none)`)
	once(t, db, `drop subscription s`)
}

func TestFreezeByAnOwner(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Newer, nil)
	db := testenv.Database(t, srv)
	name := databaseOf(t, db)
	once(t, db, "create role owner login; grant pg_read_all_stats, pg_signal_backend to owner; create role app login; alter database "+Quote(name)+" owner to owner")
	app := dial(t, srv.DSN(name, "app"))
	z := &frozen{dsn: srv.DSN(name, "owner")}
	z.ends(t, app)
}
