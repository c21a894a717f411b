package kinds_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// postgresCases try the PostgreSQL kinds on real servers.
func postgresCases() []testenv.Case {
	return []testenv.Case{
		{Kind: "postgres_freeze", New: func(t testing.TB) testenv.Subject { return freezeWorld(t, false, nil) }},
		{Kind: "postgres_freeze", Name: "strict", New: func(t testing.TB) testenv.Subject { return freezeWorld(t, true, nil) }},
		{Kind: "postgres_freeze", Name: "refuse", New: func(t testing.TB) testenv.Subject { return freezeWorld(t, false, []string{"lifecycle_app"}) }, Cuts: 2},
		{Kind: "postgres_copy", New: copyWorld},
		{Kind: "postgres_verify", New: verifyWorld},
		{Kind: "postgres_replica", New: replicaWorld},
		{Kind: "postgres_promote", New: promoteWorld, Cuts: 4},
		{Kind: "postgres_warm", New: warmWorld},
	}
}

// freezeWorld is a database whose owner has set its default before.
func freezeWorld(t testing.TB, strict bool, refuse []string) testenv.Subject {
	db := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	plainSQL(t, db, `create table t (a int)`)
	plainSQL(t, db, `create role lifecycle_app login`) // or it is there from the world before
	plainSQL(t, db, `alter role lifecycle_app connection limit 5`)
	plainSQL(t, db, `do $$ begin execute format('alter database %I set default_transaction_read_only = off', current_database()); end $$`)
	return testenv.Subject{
		Step: func() step.Step {
			return &postgres.Freeze{Database: db, Settle: 20 * time.Millisecond, Strict: strict, Refuse: refuse}
		},
		Probe: func(t testing.TB) any {
			return map[string]string{
				"write":   plainSQL(t, db, `insert into t values (1) returning 'written'`),
				"read":    plainSQL(t, db, `select count(*) >= 0 from t`),
				"setting": plainSQL(t, db, `select string_agg(setconfig::text, ',') from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase where datname = current_database()`),
				"role":    plainSQL(t, db, `select rolconnlimit from pg_roles where rolname = 'lifecycle_app'`),
				"limit":   plainSQL(t, db, `select datconnlimit from pg_database where datname = current_database()`),
			}
		},
	}
}

// verifyWorld is two databases that hold the same.
func verifyWorld(t testing.TB) testenv.Subject {
	var sides []secret.DSN
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		db := testenv.Database(t, testenv.Postgres(t, which))
		plainSQL(t, db, `create table t (a int primary key, b text)`)
		plainSQL(t, db, `insert into t select i, 'row ' || i from generate_series(1, 100) i`)
		sides = append(sides, db)
	}
	return testenv.Subject{
		Step: func() step.Step {
			return &postgres.Verify{From: sides[0], To: sides[1], Jobs: 2, MaxDifferences: 20, Memory: 1 << 20}
		},
		Probe: func(t testing.TB) any {
			const all = `select md5(string_agg(t::text, ',' order by a)) from t`
			return []string{plainSQL(t, sides[0], all), plainSQL(t, sides[1], all)}
		},
	}
}

// warmWorld is two databases; that one is read must not show in it.
func warmWorld(t testing.TB) testenv.Subject {
	from, db := testenv.Database(t, testenv.Postgres(t, testenv.Newer)), testenv.Database(t, testenv.Postgres(t, testenv.Older))
	for _, side := range []secret.DSN{from, db} {
		plainSQL(t, side, `create table t (a int primary key, b text)`)
		plainSQL(t, side, `insert into t select i, repeat('x', 500) from generate_series(1, 5000) i`)
	}
	return testenv.Subject{
		Step: func() step.Step {
			return &postgres.Warm{Database: db, From: from, Jobs: 2, WarmEnough: 100, MaxLatency: 100, Physical: "auto"}
		},
		Probe: func(t testing.TB) any {
			return []string{
				plainSQL(t, db, `select md5(string_agg(t::text, ',' order by a)) from t`),
				plainSQL(t, db, `select concat_ws(' ', (select count(*) from pg_class), (select count(*) from pg_proc), (select count(*) from pg_extension))`),
			}
		},
	}
}

// plainSQL gives the first value of what a statement says in a session of its
// own, or the SQLSTATE of its refusal.
func plainSQL(t testing.TB, db secret.DSN, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var value any
	err = conn.QueryRow(t.Context(), sql).Scan(&value)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		t.Fatal(err)
	}
	return fmt.Sprint(value)
}
