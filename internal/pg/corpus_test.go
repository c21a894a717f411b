package pg

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// Every kind of object that pg_dump knows arrives: a dump of the target is the
// same as one of a database that psql made from a dump of the source, and where
// both servers are of one version, as one of the source.
func TestCorpusRoundTrips(t *testing.T) {
	t.Parallel()
	for _, pair := range []struct{ from, to testenv.Which }{{testenv.Older, testenv.Newer}, {testenv.Newer, testenv.Newer}} {
		t.Run(fmt.Sprintf("%s to %s", pair.from, pair.to), func(t *testing.T) {
			t.Parallel()
			source, target, peer := quietServer(t, pair.from), quietServer(t, pair.to), quietServer(t, pair.to)
			tr := newTripOn(t, corpusDatabase(t, source), corpusDatabase(t, target), corpus(t, source.Install.Major))
			result := tr.copy(t)
			if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "c.remote_part cannot be read") {
				t.Errorf("warnings: %q", result.Warnings)
			}
			copied := schemaOf(t, tr.To)
			compareDumps(t, "restored by psql (-) and copied (+)", schemaOf(t, restore(t, tr.From, peer)), copied)
			if source.Install.Major == target.Install.Major {
				compareDumps(t, "source (-) and copied (+)", unordered(schemaOf(t, tr.From)), unordered(copied))
			}
			if diff := cmp.Diff(dataLines(t, tr.From), dataLines(t, tr.To)); diff != "" {
				t.Errorf("rows of source (-) and target (+):\n%s", diff)
			}
			if got := headcount(t, tr.From, tr.To, enough); !got.Equal() {
				t.Errorf("headcount: %v", got.Differences)
			}
		})
	}
}

// corpus is the script of all objects that a major version has.
func corpus(t testing.TB, major int) string {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("corpus: %v %v", files, err)
	}
	slices.Sort(files)
	var script strings.Builder
	for _, file := range files {
		var since int
		if _, err := fmt.Sscanf(filepath.Base(file), "%d.sql", &since); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if since > major {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script.Write(text)
	}
	return script.String()
}

// corpusDatabase is empty, and has one name on every server: dumps hold it.
func corpusDatabase(t testing.TB, srv *servers.Postgres) secret.DSN {
	t.Helper()
	once(t, srv.DSN("postgres", ""), "create database corpus template template0")
	return srv.DSN("corpus", "")
}

// restore makes the database anew from pg_dumpall and pg_dump, through psql.
func restore(t testing.TB, from secret.DSN, srv *servers.Postgres) secret.DSN {
	t.Helper()
	dir := filepath.Dir(testenv.PgDump(t))
	roles := output(t, filepath.Join(dir, "pg_dumpall"), "--globals-only", "--dbname="+from.Reveal())
	load(t, srv.DSN("postgres", ""), strings.ReplaceAll(roles, "CREATE ROLE postgres;", ""))
	whole := output(t, filepath.Join(dir, "pg_dump"), "--create", "--dbname="+from.Reveal())
	load(t, srv.DSN("postgres", ""), withoutVersions(whole))
	return srv.DSN("corpus", "")
}

func compareDumps(t testing.TB, title string, one, other []string) {
	t.Helper()
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("%s:\n%s", title, diff)
	}
}

// schemaOf is what pg_dumpall and pg_dump say of a database without its rows,
// without headings and a server's own.
func schemaOf(t testing.TB, dsn secret.DSN) []string {
	t.Helper()
	dir := filepath.Dir(testenv.PgDump(t))
	roles := output(t, filepath.Join(dir, "pg_dumpall"), "--globals-only", "--dbname="+dsn.Reveal())
	schema := output(t, filepath.Join(dir, "pg_dump"), "--schema-only", "--create", "--dbname="+dsn.Reveal())
	return slices.DeleteFunc(strings.Split(roles+withoutVersions(schema), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, `\`) || strings.HasPrefix(line, "--") || strings.HasPrefix(line, "ALTER ROLE postgres ")
	})
}

// unordered makes dumps comparable in which the order of lines, and of the
// names in one, follows OIDs: partitions attached late, roles of a policy.
func unordered(lines []string) []string {
	sorted := make([]string, len(lines))
	for i, line := range lines {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ,();", r) })
		slices.Sort(words)
		sorted[i] = strings.Join(words, " ")
	}
	slices.Sort(sorted)
	return sorted
}

// A security label whose provider the target has not loaded is left out by
// name, of an object as of a role and of the database. Providers are libraries
// of their own, so the labels are written into the catalogs.
func TestCopyTellsOfLabels(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, `
		create role labelled; create table t (a int); alter table t owner to labelled;
		set allow_system_table_mods = on;
		insert into pg_seclabel values ('t'::regclass, 'pg_class'::regclass, 0, 'guard', 'table''s');
		insert into pg_shseclabel values ('labelled'::regrole, 'pg_authid'::regclass, 'guard', 'role''s');
		insert into pg_shseclabel select oid, 'pg_database'::regclass, 'guard', 'database''s' from pg_database where datname = current_database()`)
	empty := outside(t, tr.To)
	warnings := strings.Join(tr.copy(t).Warnings, "\n")
	for _, want := range []string{`security label "public.TABLE t"`, `security label for guard on role labelled is 'role''s'`, "security label for \"guard\" on database"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("warnings do not say %q:\n%s", want, warnings)
		}
	}
	tr.undo(t)
	if diff := cmp.Diff(empty, outside(t, tr.To)); diff != "" {
		t.Errorf("undo left another target:\n%s", diff)
	}
}
