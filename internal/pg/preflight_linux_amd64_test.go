package pg

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// What the versions since 9.4 gave up is refused, or told, by name. 9.4 is
// offered for this platform alone.
func TestCheckNamesWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	source, target := testenv.Database(t, testenv.Postgres(t, "9.4")), testenv.Database(t, testenv.Postgres(t, "17"))
	o := CopyOptions{From: source, To: target, PgDump: testenv.PgDump(t), Token: "token"}
	load(t, source, `
		create table nice (id serial primary key); select setval('nice_id_seq', 2147000000);
		create table hidden (a int) with oids;`)
	seen, err := CheckCopy(t.Context(), o)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"the hidden column oid, which PostgreSQL 12 gave up, is left out: public.hidden", "public.nice_id_seq (99 % of 2147483647)", "everybody may make objects in schema public"} {
		if !strings.Contains(strings.Join(seen.Warnings, "\n"), want) {
			t.Errorf("warnings do not say %q: %q", want, seen.Warnings)
		}
	}
	load(t, source, `
		create table times (at abstime, span reltime[]);
		create view loose as select 'x' as word;
		create function half(int) returns int language sql as 'select $1 / 2';
		create operator !!! (leftarg = int, procedure = half);
		create aggregate gathered(anyelement) (sfunc = array_append, stype = anyarray, initcond = '{}');
		create aggregate plain(text) (sfunc = array_append, stype = text[]);`)
	_, err = CheckCopy(t.Context(), o)
	for says, hint := range map[string]string{
		"of types that PostgreSQL 12 gave up: public.times.at (abstime), public.times.span (_reltime)": "alter column COLUMN type timestamptz",
		"of the type unknown, which PostgreSQL 10 gave up: public.loose.word":                          "with ::text",
		"postfix operators, which PostgreSQL 14 gave up: public.!!!(integer,NONE)":                     "drop operator",
		"whose arguments PostgreSQL 14 changed: public.gathered(anyelement)":                           "anycompatiblearray",
	} {
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(hintsOf(err), hint) {
			t.Errorf("error does not say %q with hint %q: %v", says, hint, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "plain(text)") {
		t.Errorf("error names what still works: %v", err)
	}
	_, err = CheckFollow(t.Context(), o)
	expect(t, "follow", "the source is PostgreSQL 9.4.4: logical replication begins at 10", err)
}
