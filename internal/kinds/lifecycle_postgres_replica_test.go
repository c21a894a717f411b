package kinds_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// replicaWorld is a primary, and a directory that is not there yet.
func replicaWorld(t testing.TB) testenv.Subject {
	primary := testenv.Postgres(t, testenv.Older)
	from := primary.DSN("postgres", "")
	dir, port := filepath.Join(testenv.ServerDir(t), "replica"), testenv.FreePort(t)
	t.Cleanup(func() {
		testenv.StopServer(t, primary.Install.Bin, dir)
		dropPhysicalSlots(t, from)
	})
	return testenv.Subject{
		Step: func() step.Step {
			return &postgres.Replica{From: from, Dir: dir, Port: port, Bin: primary.Install.Bin, User: "postgres",
				Settings: map[string]string{"unix_socket_directories": "", "fsync": "off", "shared_buffers": "16MB"}}
		},
		Probe: func(t testing.TB) any {
			_, missing := os.Stat(dir)
			return map[string]string{
				"slots":     plainSQL(t, from, "select count(*) from pg_replication_slots where slot_type = 'physical'"),
				"directory": fmt.Sprint(missing == nil),
				"replica":   answer(t, testenv.AtPort(t, from, port)),
			}
		},
	}
}

// dropPhysicalSlots drops what a world has left at its end, as soon as nobody uses it.
func dropPhysicalSlots(t testing.TB, db secret.DSN) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for left := 1; left > 0; {
		err := conn.QueryRow(ctx, `
			select count(*) - count(case when not active then pg_drop_replication_slot(slot_name) is null end)
			from pg_replication_slots where slot_type = 'physical'`).Scan(&left)
		if err != nil {
			t.Fatal(err)
		}
	}
}

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
