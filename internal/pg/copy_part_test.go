package pg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/testenv"
)

// TestCopyOfAPart copies what patterns name, and nothing else.
func TestCopyOfAPart(t *testing.T) {
	t.Parallel()
	const everything = `
		create schema app; create schema "odd.schema"; create schema rest;
		create type app.mood as enum ('sad', 'ok');
		create table app.orders (id serial primary key, mood app.mood); insert into app.orders (mood) select 'ok' from generate_series(1, 100);
		create table app.log (a int); insert into app.log values (1);
		create table "odd.schema"."Ta""ble" (a int generated always as identity); insert into "odd.schema"."Ta""ble" default values;
		create table rest.t (a int); create sequence rest.s; select nextval('rest.s'); select lo_from_bytea(0, 'x')`
	for name, c := range map[string]struct {
		part   Selection
		tables string
	}{
		"schemas":       {Selection{Schemas: []string{"app", `"odd.schema"`}}, `"odd.schema"."Ta""ble" app.log app.orders`},
		"tables":        {Selection{Schemas: []string{"app"}, NotTables: []string{"app.l*"}}, "app.orders"},
		"one table":     {Selection{Tables: []string{`"odd.schema"."Ta""ble"`}}, `"odd.schema"."Ta""ble"`},
		"without a few": {Selection{NotSchemas: []string{"odd*", "re*"}}, "app.log app.orders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTripOn(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer)), everything)
			tr.Select = c.part
			tr.copy(t)
			got := psql(t, tr.To, "-Atc", `select string_agg(c.oid::regclass::text, ' ' order by c.oid::regclass::text collate "C") from pg_class c join pg_namespace n on n.oid = c.relnamespace
				where relkind = 'r' and n.nspname !~ '^pg_|^information_schema'`)
			if diff := cmp.Diff(c.tables, strings.TrimSpace(got)); diff != "" {
				t.Error(diff)
			}
			if err := VerifyCopy(t.Context(), tr.From, tr.To, 2, c.part); err != nil {
				t.Error(err)
			}
		})
	}
}
