package kinds_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// dropRole forgets the role of a copyWorld.
func dropRole(t testing.TB, db secret.DSN) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.Reveal())
	if err != nil {
		t.Error(err)
		return
	}
	_, err = conn.Exec(ctx, "drop role if exists evac_life")
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Error(err)
	}
}

// copyWorld is a database with a role of its own, and an empty one on a server
// that does not know the role.
func copyWorld(t testing.TB) testenv.Subject {
	older, newer := testenv.Postgres(t, testenv.Older), testenv.Postgres(t, testenv.Newer)
	t.Cleanup(func() { // after the databases are gone
		for _, srv := range []*servers.Postgres{older, newer} {
			dropRole(t, srv.DSN("postgres", ""))
		}
	})
	from, to := testenv.Database(t, older), testenv.Database(t, newer)
	for _, sql := range []string{
		`create role evac_life`,
		`create schema s authorization evac_life`,
		`create table s.t (id int generated always as identity primary key, a text)`,
		`insert into s.t (a) select md5(i::text) from generate_series(1, 200) i`,
		`select lo_from_bytea(900001, 'large')`,
		`do $$ begin execute format('comment on database %I is %L', current_database(), 'shop'); end $$`,
	} {
		plainSQL(t, from, sql)
	}
	return testenv.Subject{
		Step: func() step.Step { return &postgres.Copy{From: from, To: to, Jobs: 2, PgDump: testenv.PgDump(t)} },
		Probe: func(t testing.TB) any {
			return map[string]string{
				"rows":     plainSQL(t, to, `select md5(string_agg(t::text, ',' order by id)) from s.t`),
				"schemas":  plainSQL(t, to, `select string_agg(nspname, ',' order by nspname) from pg_namespace where nspname !~ '^pg_'`),
				"keys":     plainSQL(t, to, `select count(*) from pg_constraint where conname = 't_pkey'`),
				"sequence": plainSQL(t, to, `select last_value from s.t_id_seq`),
				"large":    plainSQL(t, to, `select string_agg(lo_get(oid)::text, ',') from pg_largeobject_metadata`),
				"comment":  plainSQL(t, to, `select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()`),
				"role":     plainSQL(t, to, `select count(*) from pg_roles where rolname = 'evac_life'`),
			}
		},
	}
}
