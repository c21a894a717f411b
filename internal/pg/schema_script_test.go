package pg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const script = `--
-- PostgreSQL database dump
--

\restrict abc

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

--
-- TOC entry 11 (class 2615 OID 17404)
-- Name: app; Type: SCHEMA; Schema: -; Owner: app_owner
--

CREATE SCHEMA app;


ALTER SCHEMA app OWNER TO app_owner;

SET default_tablespace = fast;

SET default_table_access_method = heap;

--
-- TOC entry 12 (class 1255 OID 5)
-- Dependencies: 11
-- Name: f(); Type: FUNCTION; Schema: app; Owner: app_owner
--

CREATE FUNCTION app.f() RETURNS text
    LANGUAGE sql
    AS $_$
--
-- TOC entry 99 (class 1 OID 1)
SET default_tablespace = slow;
\q it's $$ "half
$_$;


--
-- TOC entry 13 (class 0 OID 0)
-- Dependencies: 12
-- Name: FUNCTION f(); Type: COMMENT; Schema: app; Owner: app_owner
--

COMMENT ON FUNCTION app.f() IS E'back\\slash ''
-- TOC entry 98 (class 1 OID 1)
'' \' end';


SET default_tablespace = '';

--
-- TOC entry 14 (class 1259 OID 77)
-- Name: odd"name; Type: INDEX; Schema: app; Owner: app_owner
--

CREATE INDEX "odd""
-- TOC entry 97 (class 1 OID 1)
name" ON app.t USING btree (a);


-- Completed on 2026-11-21

--
-- PostgreSQL database dump complete
--

\unrestrict abc
`

func TestSplitScript(t *testing.T) {
	entries, err := splitScript(script)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.String())
	}
	want := []string{`schema "app"`, `function "app.f()"`, `comment "app.FUNCTION f()"`, `index "app.odd\"name"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if i := entries[3]; i.Class != 1259 || i.OID != 77 || !strings.HasPrefix(i.SQL, "SET default_table_access_method = heap;\nSET default_tablespace = '';\nCREATE INDEX \"odd\"\"\n-- TOC") {
		t.Errorf("index is %d %d %q", i.Class, i.OID, i.SQL)
	}
	if f := entries[1]; !strings.Contains(f.SQL, "SET default_tablespace = fast;\nCREATE") || !strings.HasSuffix(f.SQL, "\n$_$;") {
		t.Errorf("function is %q", f.SQL)
	}
	if s := entries[0].SQL; strings.Contains(s, "SET") || !strings.HasSuffix(s, "ALTER SCHEMA app OWNER TO app_owner;") {
		t.Errorf("schema is %q", s)
	}
}

func TestSplitScriptKeys(t *testing.T) {
	const twice = "-- TOC entry 1 (class 0 OID 0)\n-- Name: x; Type: ACL; Schema: -; Owner: y\nselect 1;\n"
	entries, err := splitScript(twice + twice)
	if err != nil || len(entries) != 2 || entries[0].Key == entries[1].Key {
		t.Fatalf("entries are %v, %v", entries, err)
	}
	if _, err := splitScript(twice + "select 'open"); err == nil {
		t.Error("a script that ends inside a quote was taken")
	}
}

// No text that stands between quotes can end its entry or begin another.
func FuzzSplitScript(f *testing.F) {
	f.Add("it's \\ $$ -- TOC entry 1 (class 1 OID 1)\n\"")
	f.Add("$a$\nSET default_tablespace = x;\n\\unrestrict")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "$q$") || strings.HasSuffix(text, "$q") || strings.ContainsRune(text, '\r') {
			return // pg_dump takes a dollar quote that the text does not have
		}
		const head = "-- TOC entry 1 (class 0 OID 0)\n-- Name: x; Type: T; Schema: -; Owner: y\n"
		for _, quoted := range []string{
			Literal(text), "E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'", Quote(text), "$q$" + text + "$q$",
		} {
			entries, err := splitScript(head + "x " + quoted + ";\n" + head + "y;\n")
			if err != nil || len(entries) != 2 || entries[0].SQL != "x "+quoted+";" && !strings.Contains(text, "\x00") {
				t.Fatalf("%q is cut into %v, %v", quoted, entries, err)
			}
		}
	})
}

func TestWithoutVersions(t *testing.T) {
	const got = `CREATE TABLE app."o'dd
t" (
    a integer,
    b text DEFAULT 'SET (pg_attver=1);'::text
);
ALTER TABLE ONLY app."o'dd
t" ALTER COLUMN "li""ne
feed" SET (pg_attver=2178893984);
ALTER TABLE ONLY app."o'dd
t" ALTER COLUMN b SET (pg_attver=2178893984, n_distinct=-0.5);
ALTER TABLE ONLY t ALTER COLUMN b SET (n_distinct=-0.5, pg_attver=2178893984, n_distinct_inherited=2);
ALTER TABLE ONLY t ALTER COLUMN c SET (n_distinct=-0.5, pg_attver=2178893984);
ALTER FOREIGN TABLE ONLY app.far ALTER COLUMN a SET (pg_attver=1);`
	const want = `CREATE TABLE app."o'dd
t" (
    a integer,
    b text DEFAULT 'SET (pg_attver=1);'::text
);
ALTER TABLE ONLY app."o'dd
t" ALTER COLUMN b SET (n_distinct=-0.5);
ALTER TABLE ONLY t ALTER COLUMN b SET (n_distinct=-0.5, n_distinct_inherited=2);
ALTER TABLE ONLY t ALTER COLUMN c SET (n_distinct=-0.5);`
	if diff := cmp.Diff(want, withoutVersions(got)); diff != "" {
		t.Error(diff)
	}
}
