package kinds_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// followCases try what follows, and the switch to it.
func followCases() []testenv.Case {
	return []testenv.Case{
		{Kind: "postgres_follow", New: followWorld, Cuts: 2},
		{Kind: "postgres_switch", New: switchWorld, Cuts: 2},
		{Kind: "postgres_settle", New: settleWorld},
	}
}

// pair makes two databases, the first with something in it. At the end all
// replication between them goes.
func pair(t testing.TB) (from, to secret.DSN) {
	from, to = testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	for _, sql := range []string{
		`create table t (id int generated always as identity primary key, a text)`,
		`create table loose (a text)`,
		`create unlogged table cache (a int)`,
		`create materialized view sum as select count(*) from t`,
		`insert into t (a) select md5(i::text) from generate_series(1, 200) i`,
		`insert into loose select 'x'`,
		`insert into cache values (1)`,
		`select lo_from_bytea(900002, 'large')`,
	} {
		plainSQL(t, from, sql)
	}
	t.Cleanup(func() {
		for _, db := range []secret.DSN{from, to} {
			unfollow(t, db)
		}
		for _, db := range []secret.DSN{from, to} {
			dropSlots(t, db)
		}
	})
	return from, to
}

func unfollow(t testing.TB, db secret.DSN) {
	execute(t, db, `do $$ declare s text; begin for s in select subname from pg_subscription join pg_database d on d.oid = subdbid where datname = current_database() loop
		execute format('alter subscription %I disable', s); execute format('alter subscription %I set (slot_name = none)', s); execute format('drop subscription %I', s);
	end loop; end $$`)
}

func dropSlots(t testing.TB, db secret.DSN) {
	execute(t, db, `do $$ begin
		perform pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active;
		while exists (select from pg_replication_slots where database = current_database() and active) loop perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); end loop;
		perform pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database();
	end $$`)
}

// execute runs a statement also where transactions are read-only by default.
func execute(t testing.TB, db secret.DSN, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.Reveal())
	if err != nil {
		t.Error(err)
		return
	}
	if _, err = conn.Exec(ctx, "set default_transaction_read_only = off"); err == nil {
		_, err = conn.Exec(ctx, sql)
	}
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
}

// stream says who sends to whom, and whether the database takes writes.
func stream(t testing.TB, db secret.DSN) string {
	return fmt.Sprint(
		" publications ", plainSQL(t, db, `select string_agg(left(pubname, 9), ',' order by 1) from pg_publication`),
		" slots ", plainSQL(t, db, `select string_agg(left(slot_name, 9), ',' order by 1) from pg_replication_slots where database = current_database()`),
		" subscriptions ", plainSQL(t, db, `select string_agg(left(subname, 9), ',' order by 1) from pg_subscription join pg_database d on d.oid = subdbid where datname = current_database()`),
		" write ", plainSQL(t, db, `insert into loose select 'w' where false`),
		" default ", plainSQL(t, db, `select string_agg(setconfig::text, ',') from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase where datname = current_database()`),
		" identity ", plainSQL(t, db, `select relreplident::text from pg_class where relname = 'loose'`),
		" rows ", plainSQL(t, db, `select md5(string_agg(t::text, ',' order by id)) from t`),
		" sequence ", plainSQL(t, db, `select last_value from t_id_seq`),
		" cache ", plainSQL(t, db, `select string_agg(a::text, ',' order by a) from cache`),
		" sum ", plainSQL(t, db, `select count::text from sum`),
		" large ", plainSQL(t, db, `select string_agg(lo_get(oid)::text, ',') from pg_largeobject_metadata`),
	)
}

func followWorld(t testing.TB) testenv.Subject {
	from, to := pair(t)
	return testenv.Subject{
		Step: func() step.Step {
			return &postgres.Follow{From: from, To: to, Jobs: 2, PgDump: testenv.PgDump(t), MaxLag: 1 << 20, MaxSlot: 1 << 30, Identity: "full"}
		},
		Probe: func(t testing.TB) any { return []string{stream(t, from), stream(t, to)} },
	}
}

// switchWorld is a database that is followed, written to, and frozen.
func switchWorld(t testing.TB) testenv.Subject {
	from, to := pair(t)
	ready(t, &postgres.Follow{From: from, To: to, Jobs: 2, PgDump: testenv.PgDump(t), MaxLag: 1 << 20, Identity: "full"})
	// Only what is replicated: the rest, which a switch brings over, does not go back.
	plainSQL(t, from, `insert into t overriding system value select i, 'later' from generate_series(201, 300) i`)
	plainSQL(t, from, `update loose set a = 'y'`)
	ready(t, &postgres.Freeze{Database: from, Settle: time.Millisecond})
	awaitRows(t, to, 300)
	for _, db := range []secret.DSN{from, to} {
		execute(t, db, `refresh materialized view sum`)
	}
	s := &postgres.Switch{From: from, To: to, WayHome: true, Count: true, CountHome: true, Drain: time.Minute, Jobs: 2}
	return testenv.Subject{
		Step:  func() step.Step { c := *s; return &c },
		Probe: func(t testing.TB) any { return []string{stream(t, from), stream(t, to)} },
	}
}

// settleWorld is a database that was switched to.
func settleWorld(t testing.TB) testenv.Subject {
	world := switchWorld(t)
	s := world.Step().(*postgres.Switch)
	ready(t, s)
	world.Step = func() step.Step { return &postgres.Settle{Database: s.To, From: s.From} }
	return world
}

// awaitRows waits until the table t has n rows.
func awaitRows(t testing.TB, db secret.DSN, n int) {
	t.Helper()
	execute(t, db, fmt.Sprintf(`do $$ begin while (select count(*) from t) < %d loop perform pg_sleep(0.01); end loop; end $$`, n))
}

// ready runs a step that comes before the one under test.
func ready(t testing.TB, s step.Step) {
	t.Helper()
	if _, err := s.Run(t.Context(), testenv.Env(t), step.Plan{}); err != nil {
		t.Fatal(err)
	}
}
