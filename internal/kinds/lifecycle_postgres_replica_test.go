package kinds_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// promoteWorld is a primary and its standby.
func promoteWorld(t testing.TB) testenv.Subject {
	primary := testenv.OwnPostgres(t, testenv.Newer, nil)
	old := primary.DSN("postgres", "")
	plainSQL(t, old, "create table t as select 1 as a")
	standby := testenv.NewStandby(t, primary, "")
	return testenv.Subject{
		Step: func() step.Step {
			return &postgres.Promote{Database: standby.DSN, From: old, Fence: "connections", Settle: 20 * time.Millisecond}
		},
		Probe: func(t testing.TB) any {
			return map[string]string{
				"rows":     plainSQL(t, standby.DSN, "select count(*) from t"),
				"write":    plainSQL(t, standby.DSN, "create temp table x (a int)"),
				"timeline": plainSQL(t, standby.DSN, "select case when pg_is_in_recovery() then 'a standby' else left(pg_walfile_name(pg_current_wal_lsn()), 8) end"),
				"old":      answer(t, old),
			}
		},
	}
}

// answer is what a server says to a client that comes now.
func answer(t testing.TB, db secret.DSN) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.Reveal())
	if err != nil {
		return "refused"
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return "welcome"
}
