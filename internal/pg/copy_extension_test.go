package pg

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// Both databases are on one server, and have what only servers with contrib
// and ICU have; a subscription comes disabled, and undo leaves its publisher alone.
func TestCopyExtensions(t *testing.T) {
	t.Parallel()
	srv := quietServer(t, testenv.Older)
	tr := newTripOn(t, testenv.Database(t, srv), testenv.Database(t, srv), contrib)
	load(t, tr.From, "create subscription evac_sub connection 'host=nowhere.invalid dbname=x' publication p with (connect = false, slot_name = 'evac_slot')")
	empty := outside(t, tr.To)
	tr.copy(t)
	tr.same(t)
	const query = "select subname, subenabled, subslotname, subconninfo from pg_subscription s join pg_database d on d.oid = subdbid where datname = current_database()"
	if here, there := psql(t, tr.From, "-Atc", query), psql(t, tr.To, "-Atc", query); here != there || here == "" {
		t.Errorf("source has subscription %q, target %q", here, there)
	}
	tr.undo(t)
	if diff := cmp.Diff(empty, outside(t, tr.To)); diff != "" {
		t.Fatalf("undo left another target:\n%s", diff)
	}
	once(t, tr.From, "alter subscription evac_sub set (slot_name = none); drop subscription evac_sub")
}

// contrib uses the extensions that a server has.
const contrib = `
do $$ declare e text; begin
	for e in select name from pg_available_extensions where name in ('hstore', 'citext', 'pg_trgm', 'btree_gist', 'postgres_fdw', 'unaccent') loop
		execute format('create extension %I', e);
		execute format('comment on extension %I is %L', e, 'my ' || e);
	end loop;
	if exists (select from pg_extension where extname = 'hstore') then
		create table tags (id int, h hstore, primary key (id));
		insert into tags values (1, 'a=>1,b=>NULL'), (2, '');
		create index on tags using gin (h);
	end if;
	if exists (select from pg_extension where extname = 'citext') then
		create domain email as citext check (value ~ '@');
		create table people (mail email unique);
		insert into people values ('A@b'), ('c@D');
	end if;
	if exists (select from pg_extension where extname = 'pg_trgm') then
		create table words (w text);
		insert into words select md5(g::text) from generate_series(1, 200) g;
		create index on words using gin (w gin_trgm_ops);
	end if;
	if exists (select from pg_extension where extname = 'postgres_fdw') then
		create server far foreign data wrapper postgres_fdw options (host 'nowhere');
		create user mapping for current_user server far options (user 'u', password 'p');
		create foreign table away (a int) server far;
	end if;
	begin
		create table xmls (x xml);
		insert into xmls values ('<a>&amp;</a>'), ('<?xml version="1.0"?><b/>'), ('a<b/>c');
	exception when feature_not_supported then drop table if exists xmls;
	end;
	if exists (select from pg_collation where collname = 'und-x-icu') then
		create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		create table cased (t text collate nocase unique);
		insert into cased values ('a'), ('B');
	end if;
end $$`

// An extension of the test's own declares that some of its rows are the user's.
// Servers of PostgreSQL 18 look for extensions where a setting says.
func TestCopyExtensionRows(t *testing.T) {
	t.Parallel()
	dir := extension(t)
	srv := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { o.Settings["extension_control_path"] = dir + ":$system" })
	if srv.Install.Major < 18 {
		t.Fatalf("the newer server is PostgreSQL %d; this needs 18, whose extensions can stand anywhere", srv.Install.Major)
	}
	tr := newTripOn(t, testenv.Database(t, srv), testenv.Database(t, srv), `
		create schema own; create extension evac_test schema own;
		insert into own.config values ('mine', false); update own.config set value = 'x' where builtin;
		insert into own.plain values (1);
		select setval('own.counter', 42)`)
	tr.copy(t)
	got := psql(t, tr.To, "-Atc", "select name, builtin from own.config order by 1; select count(*) from own.plain; select last_value from own.counter")
	if want := "builtin|t\nmine|f\n0\n42\n"; got != want {
		t.Errorf("rows of the extension are %q, want %q", got, want)
	}
}

// extension writes an extension with tables to a directory that servers can read.
func extension(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "evac-extension-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for name, text := range map[string]string{
		"evac_test.control": "default_version = '1'\nrelocatable = true\n",
		"evac_test--1.sql": `
			create table config (name text, builtin bool, value text);
			insert into config values ('builtin', true);
			create table plain (a int);
			create sequence counter;
			select pg_extension_config_dump('config', 'where not builtin');
			select pg_extension_config_dump('counter', '');`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, "extension"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "extension", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
