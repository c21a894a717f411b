package pg

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// A move works also where nobody is a superuser, on either side or on both:
// check, freeze, copy, verify, undo, unfreeze.
func TestMoveOfManagedServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		source, target bool // managed
		warns          []string
	}{
		{"source", true, false, []string{"user of the source is no superuser"}},
		{"target", false, true, []string{"user of the target is no superuser"}},
		{"both", true, true, []string{"user of the source is no superuser", "user of the target is no superuser"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			older, newer := quietServer(t, testenv.Older), quietServer(t, testenv.Newer)
			from, sourceAdmin := managed(t, older, c.source)
			to, targetAdmin := managed(t, newer, c.target)
			testenv.Furnish(t, older, databaseOf(t, sourceAdmin))
			tr := newTripOn(t, from, to, owned)
			empty := outside(t, targetAdmin)

			seen, err := CheckCopy(t.Context(), tr.CopyOptions)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.warns {
				if !strings.Contains(strings.Join(seen.Warnings, "\n"), want) {
					t.Errorf("no warning says %q:\n%s", want, strings.Join(seen.Warnings, "\n"))
				}
			}
			var changes []FreezeChange
			_, err = Freeze(t.Context(), from, FreezeOptions{Note: func(string) {}, Change: func(_ context.Context, c FreezeChange) error {
				changes = append(changes, c)
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			result := tr.copy(t)
			if diff := cmp.Diff(dataLines(t, sourceAdmin), dataLines(t, targetAdmin)); diff != "" {
				t.Errorf("rows of source (-) and target (+), warnings %q:\n%s", result.Warnings, diff)
			}
			tr.counted(t, result)
			tr.undo(t)
			if diff := cmp.Diff(empty, outside(t, targetAdmin)); diff != "" {
				t.Errorf("undo left another target:\n%s", diff)
			}
			if err := Unfreeze(t.Context(), from, changes, func(context.Context, FreezeChange) error { return nil }); err != nil {
				t.Fatal(err)
			}
			once(t, from, "insert into app.t (a) values ('written again')")
		})
	}
}

// counted fails if the headcount finds more than what the provider's superuser
// made for itself.
func (tr *trip) counted(t testing.TB, result CopyResult) {
	t.Helper()
	got := headcount(t, tr.From, tr.To, enough)
	if !got.Data.Equal() {
		t.Errorf("rows, warnings %q: %v", result.Warnings, got.Differences)
	}
	for _, d := range got.Differences {
		if !strings.Contains(d.String(), "provider") {
			t.Errorf("difference, warnings %q: %v", result.Warnings, d)
		}
	}
}

// managed gives a database as its user and as a superuser reach it; of a server
// of one's own, both are that.
func managed(t testing.TB, srv *servers.Postgres, by bool) (user, admin secret.DSN) {
	t.Helper()
	user = testenv.Managed(t, srv)
	admin = as(user, "postgres")
	if !by {
		user = admin
	}
	return user, admin
}

// dataLines is the data of a database, as psql reads it.
func dataLines(t testing.TB, dsn secret.DSN) (list []string) {
	t.Helper()
	for _, line := range fingerprint(t, dsn) {
		if strings.HasPrefix(line, "rows|") || strings.HasPrefix(line, "seq|") {
			list = append(list, line)
		}
	}
	return list
}

// owned is what the owner of a managed database makes in it.
const owned = `
set role managed_owner;
create role app_owner login password 'pw' connection limit 9;
create role app_reader;
create role app_admin;
grant app_owner, app_reader to managed_owner;
grant app_reader to app_owner;
grant app_reader to app_admin with admin option;
alter role app_owner set search_path = app;
create schema app authorization app_owner;
set role app_owner;
` + appTables + `
create type app.mood as enum ('sad', 'ok');
create table app.typed (m app.mood, s bigserial);
insert into app.typed values ('ok'), ('sad');
create procedure app.n() language sql as 'select 1';
create table app.secured (a int);
insert into app.secured values (1), (2);
alter table app.secured enable row level security;
create policy p on app.secured to app_reader using (a > 1);
grant select on app.t, app.m to app_reader with grant option;
grant usage on schema app to app_reader;
alter default privileges in schema app grant select on tables to app_reader;
select lo_from_bytea(900001, 'text');
grant select on large object 900001 to app_reader;
comment on large object 900001 is 'large';
set role managed_owner;
create table outside (a int);
insert into outside values (7);
create publication pub for table outside;
create extension if not exists plpgsql;
do $$ begin
	execute format('comment on database %I is %L', current_database(), 'shop');
	execute format('alter database %I set search_path = app, public', current_database());
	execute format('alter role app_owner in database %I set work_mem = ''8MB''', current_database());
	execute format('grant connect on database %I to app_reader', current_database());
end $$;
`
