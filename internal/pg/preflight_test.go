package pg

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// What a move trips over is refused, and what its people must know is said,
// by name.
func TestCheckCopyNamesOddities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql     string
		wrong, warned string
	}{
		{name: "invalid index", sql: `create table t (a int); create index broken on t (a); update pg_index set indisvalid = false where indexrelid = 'broken'::regclass`,
			warned: "indexes are invalid and are left out: public.broken on public.t"},
		{name: "unchecked constraint", sql: `create table t (a int); insert into t values (-1); alter table t add constraint later check (a > 0) not valid`,
			warned: "constraints are NOT VALID, and stay so: public.t later"},
		{name: "unlogged", sql: `create unlogged table "odd ""table" (a int)`, warned: `unlogged tables: public."odd ""table"`},
		{name: "foreign", sql: `create foreign data wrapper w; create server s foreign data wrapper w options (host 'far', password 'hidden'); create foreign table f (a int) server s`,
			warned: "the target's host must reach: s (host=far)"},
		{name: "sequences", sql: `create table t (small smallserial, a serial, big bigserial, circle serial); select setval('t_small_seq', 32000), setval('t_a_seq', 100), setval('t_circle_seq', 2147483000);
			alter sequence t_circle_seq cycle; create sequence down increment -1 minvalue -100; select setval('down', -95)`,
			warned: "sequences come to their end: public.t_small_seq (97 % of 32767), public.down (95 % of -100);"},
		{name: "reordered child", sql: `create table p (a int, b int); create table c (b int, own int, a int); alter table c inherit p; create table same (a int, b int, own int); alter table same inherit p`,
			warned: "columns in another order than a dump makes: public.c;"},
		{name: "looser child", sql: `create table p (a int not null); create table c () inherits (p); alter table c alter a drop not null`,
			wrong: "columns may be null where their parent's may not, which a dump cannot say: public.c.a"},
		{name: "unknown settings", sql: `create function f() returns int language sql as 'select 1'; update pg_proc set proconfig = '{gone=1,own.made=2}' where oid = 'f()'::regprocedure;
			do $$ begin execute format('alter database %I set work_mem = ''1MB''', current_database()); end $$;
			update pg_db_role_setting set setconfig = '{gone=2}' where setdatabase = (select oid from pg_database where datname = current_database())`,
			wrong: "functions set what the target does not know: public.f(): gone", warned: "settings that the target does not know are left out: database: gone"},
		{name: "prepared", sql: `create table t (a int); begin; insert into t values (1); prepare transaction 'night batch'`, warned: "prepared transactions on the source: 'night batch' of postgres since "},
		{name: "library", sql: `create function f() returns int language c as '$libdir/plpgsql', 'plpgsql_call_handler'; update pg_proc set probin = '$libdir/own_code' where oid = 'f()'::regprocedure`,
			wrong: "lacks libraries of functions written in C: $libdir/own_code"},
		{name: "ledger", sql: `create schema evac_ledger`, wrong: "schema evac_ledger on the source is the ledger of a copy into it that was never finished"},
		{name: "search path", sql: `create table r (id int); create function f(i int) returns bool language sql as 'select exists (select from r where id = i)';
			create function g(d date) returns int language sql as 'select extract(year from d)::int'; create table t (a int check (f(a)), d date check (g(d) > 0))`,
			warned: "name tables without a schema: public.f(integer);"},
		{name: "nothing", sql: `create table t (a serial primary key)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source, target := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
			load(t, source, c.sql)
			if c.name == "prepared" { // a database with one cannot be dropped
				t.Cleanup(func() { once(t, source, "rollback prepared 'night batch'") })
			}
			seen, err := CheckCopy(t.Context(), CopyOptions{From: source, To: target, PgDump: testenv.PgDump(t), Token: "token"})
			expect(t, "error", c.wrong, err)
			warnings := strings.Join(seen.Warnings, "\n")
			if !strings.Contains(warnings, c.warned) || c.name == "nothing" && warnings != "" || strings.Contains(warnings, "hidden") {
				t.Errorf("warnings are %q, want %q", warnings, c.warned)
			}
		})
	}
}

// expect fails unless the error says what it should, and has a hint.
func expect(t testing.TB, what, says string, err error) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
		t.Errorf("%s is %v, want %q", what, err, says)
	case says != "" && hintsOf(err) == "":
		t.Errorf("%s has no hint: %v", what, err)
	}
}

// hintsOf is all hints of a joined error.
func hintsOf(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, hintsOf(e))
		}
		return strings.Join(all, "\n")
	}
	return strings.Join(fault.Hints(err), "\n")
}

// Settings of the servers' own files are compared, and what a follow lacks is
// named with the line that sets it.
func TestCheckComparesServers(t *testing.T) {
	t.Parallel()
	source := testenv.OwnPostgres(t, testenv.Older, func(o *servers.Options) {
		o.Settings["work_mem"], o.Settings["timezone"], o.Settings["statement_timeout"] = "64MB", "Asia/Seoul", "90s"
		o.Settings["wal_level"], o.Settings["max_replication_slots"], o.Settings["max_wal_senders"] = "replica", "0", "0"
	})
	target := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { o.Settings["max_logical_replication_workers"] = "0" })
	from, to := testenv.Database(t, source), testenv.Database(t, target)
	once(t, from, `do $$ begin execute format('alter database %I set random_page_cost = 9', current_database()); end $$; create table t (a int)`)
	o := CopyOptions{From: from, To: to, PgDump: testenv.PgDump(t), Token: "token"}
	seen, err := CheckCopy(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	warnings := strings.Join(seen.Warnings, "\n")
	for _, want := range []string{`statement_timeout (source 1m30s, target "0")`, `TimeZone (source "Asia/Seoul", target "`, `work_mem (source 64 MiB, target 4.0 MiB)`} {
		if !strings.Contains(warnings, want) {
			t.Errorf("warnings do not say %q:\n%s", want, warnings)
		}
	}
	if strings.Contains(warnings, "random_page_cost") {
		t.Errorf("warnings name what comes along with the database: %s", warnings)
	}
	facts := map[string]string{}
	for _, f := range seen.Facts {
		facts[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"move": "upward", "disk": "; free: ", "way: copy": "no writes for about 10 s", "way: copy and follow": "closed: the source's wal_level is replica",
		"way: upgrade in place": "no writes for about 30 s",
	} {
		if !strings.Contains(facts[name], want) {
			t.Errorf("fact %q is %q, want %q", name, facts[name], want)
		}
	}
	_, err = CheckFollow(t.Context(), o)
	for says, hint := range map[string]string{
		"the source's wal_level is replica, want logical":                                            "alter system set wal_level = logical; then restart the server",
		"the source's max_replication_slots is 0, of which 0 are taken, and 1 more needed":           "alter system set max_replication_slots = 1",
		"the source's max_wal_senders is 0, of which 0 are taken":                                    "alter system set max_wal_senders = 1",
		"the target's max_logical_replication_workers is 0, of which 0 are taken, and 1 more needed": "alter system set max_logical_replication_workers = 1",
	} {
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(hintsOf(err), hint) {
			t.Errorf("error does not say %q with hint %q: %v\n%s", says, hint, err, hintsOf(err))
		}
	}
}

// On a managed server the hints are lines of its provider, and what its owner
// could not make is refused before anything is.
func TestCheckOnManagedServers(t *testing.T) {
	t.Parallel()
	source := testenv.OwnPostgres(t, testenv.Older, func(o *servers.Options) { o.Settings["wal_level"] = "replica" })
	target := testenv.OwnPostgres(t, testenv.Newer, nil)
	from, to := testenv.Managed(t, source), testenv.Managed(t, target)
	load(t, as(from, "postgres"), `
		create role app_role; create table owned_elsewhere (a int);
		create table t (a int); alter table t owner to app_role; grant app_role to managed_owner; grant select on owned_elsewhere to managed_owner;
		create function untrusted() returns int language internal as 'int4pl';
		create function sure() returns int language sql leakproof as 'select 1';
		create function replicating() returns int language sql set session_replication_role = replica as 'select 1';
		create operator class own_class for type int using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int, int);
		create cast (oid as xid) without function;
		select lo_from_bytea(70001, 'x')`)
	once(t, as(to, "postgres"), "alter role managed_owner nocreaterole; revoke rds_replication from managed_owner")
	once(t, as(from, "postgres"), "revoke rds_replication from managed_owner; alter role managed_owner connection limit 2")
	o := CopyOptions{From: from, To: to, Jobs: 4, PgDump: testenv.PgDump(t), Token: "token"}
	_, err := CheckFollow(t.Context(), o)
	for says, hint := range map[string]string{
		"the target lacks roles that the user may not make: app_role": `alter role "managed_owner" createrole`,
		"only a superuser of the target could make: cast (oid as xid), function public.untrusted() (internal), leakproof function public.sure(), operator class own_class": "connect to the target as a superuser",
		"function public.replicating() sets session_replication_role":                      "connect to the target as a superuser",
		"source does not let the user read large objects 70001":                            `grant select on large object OID to "managed_owner"`,
		`the source's user "managed_owner" has room for 1 more sessions, and 4 are needed`: `alter role "managed_owner" connection limit -1`,
		"wal_level is replica":                                 "in the DB parameter group (of Aurora: of the cluster) set rds.logical_replication = 1 and reboot",
		`user "managed_owner" of the source may not replicate`: `grant rds_replication to "managed_owner"`,
	} {
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(hintsOf(err), hint) {
			t.Errorf("error does not say %q with hint %q:\n%v\n%s", says, hint, err, hintsOf(err))
		}
	}
	if fault.KindOf(err) != fault.Denied {
		t.Errorf("kind is %v", fault.KindOf(err))
	}
}

// An extension that the target's host lacks is refused by name, one that it has
// in an older version is told. Servers of PostgreSQL 18 look for extensions
// where a setting says.
func TestCheckExtensions(t *testing.T) {
	t.Parallel()
	has := func(extensions map[string]string) *servers.Postgres {
		dir := testenv.ServerDir(t)
		if err := os.MkdirAll(filepath.Join(dir, "extension"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, version := range extensions {
			for file, text := range map[string]string{name + ".control": "default_version = '" + version + "'\n", name + "--" + version + ".sql": "select 1;"} {
				if err := os.WriteFile(filepath.Join(dir, "extension", file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		return testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { o.Settings["extension_control_path"] = dir + ":$system" })
	}
	source := has(map[string]string{"evac_gone": "1", "evac_back": "1.10", "evac_ahead": "1.9"})
	target := has(map[string]string{"evac_back": "1.9", "evac_ahead": "1.10"})
	from, to := testenv.Database(t, source), testenv.Managed(t, target)
	once(t, from, "create extension evac_gone; create extension evac_back; create extension evac_ahead")
	seen, err := CheckCopy(t.Context(), CopyOptions{From: from, To: as(to, "postgres"), PgDump: testenv.PgDump(t), Token: "token"})
	expect(t, "missing", "the target's host lacks extensions of the source: evac_gone", err)
	if warnings := strings.Join(seen.Warnings, "\n"); !strings.Contains(warnings, "in an older version: evac_back 1.10 → 1.9;") {
		t.Errorf("warnings are %q", warnings)
	}
	once(t, as(to, "postgres"), "drop owned by rds_superuser; drop role rds_superuser")
	_, err = CheckCopy(t.Context(), CopyOptions{From: from, To: to, PgDump: testenv.PgDump(t), Token: "token"})
	expect(t, "barred", "only a superuser of the target can create the extensions evac_ahead, evac_back", err)
}

// A physical copy of the source as target is no mistake that may pass in silence.
func TestCheckKnowsClones(t *testing.T) {
	t.Parallel()
	source := testenv.OwnPostgres(t, testenv.Older, nil)
	from := testenv.Database(t, source)
	standby := testenv.NewStandby(t, source, "")
	replica := secret.NewDSN(strings.Replace(standby.DSN.Reveal(), "/postgres?", "/"+databaseOf(t, from)+"?", 1))
	o := CopyOptions{From: from, To: replica, PgDump: testenv.PgDump(t), Token: "token"}
	seen, err := CheckCopy(t.Context(), o)
	expect(t, "standby", "the target is a standby, which takes no writes", err)
	if warnings := strings.Join(seen.Warnings, "\n"); !strings.Contains(warnings, "a physical clone of the source's") {
		t.Errorf("warnings are %q", warnings)
	}
	o.To = testenv.Database(t, source)
	seen, err = CheckCopy(t.Context(), o)
	if err != nil || !strings.Contains(strings.Join(seen.Warnings, "\n"), "databases of one server") {
		t.Errorf("warnings are %q, %v", seen.Warnings, err)
	}
	o.To = from
	_, err = CheckCopy(t.Context(), o)
	expect(t, "one database", "source and target are the same database", err)
	if errors.Is(err, os.ErrNotExist) || fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind is %v", fault.KindOf(err))
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"1.9", "1.10", -1}, {"1.10", "1.9", 1}, {"2", "2", 0}, {"2.0", "2", 1}, {"1.3dev", "1.3", 1}, {"", "1", -1}} {
		if got := compareVersions(c.a, c.b); got != c.want {
			t.Errorf("compare %q with %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// What is wrong outside of the part that is copied refuses nothing.
func TestCheckOfAPart(t *testing.T) {
	t.Parallel()
	source, target := testenv.Postgres(t, testenv.Older), testenv.Postgres(t, testenv.Newer)
	from, to := testenv.Database(t, source), testenv.Database(t, target)
	load(t, from, `create schema app; create schema other; create table app.t (a int); create table other.hidden (a int); insert into other.hidden select generate_series(1, 5000);
		create role evac_part login; grant usage on schema app to evac_part; grant select on app.t to evac_part; select lo_from_bytea(70002, 'x');
		create function other.f() returns int language c as '$libdir/plpgsql', 'plpgsql_call_handler'; update pg_proc set probin = '$libdir/own_code' where oid = 'other.f()'::regprocedure`)
	t.Cleanup(func() { once(t, from, "drop owned by evac_part; drop role evac_part") })
	o := CopyOptions{From: as(from, "evac_part"), To: to, PgDump: testenv.PgDump(t), Token: "token", Select: Selection{Schemas: []string{"app"}}, MaxRate: 1 << 20}
	seen, err := CheckCopy(t.Context(), o)
	if err != nil || seen.Tables != 1 || seen.Bytes > 8192 || seen.LargeObjects != 0 {
		t.Errorf("survey is %+v, %v", seen, err)
	}
	if warnings := strings.Join(seen.Warnings, "\n"); !strings.Contains(warnings, "unless it is left out: the target's host lacks libraries") {
		t.Errorf("warnings are %q", warnings)
	}
	o.Select = Selection{}
	_, err = CheckCopy(t.Context(), o)
	expect(t, "whole", "source does not let the user read other.hidden", err)
}
