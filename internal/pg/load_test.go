package pg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// haul is a load into a database, with what a caller keeps for it.
type haul struct {
	LoadOptions
	plan  LoadPlan
	saved LoadState
}

func newHaul(t testing.TB, dir string, to secret.DSN) *haul {
	t.Helper()
	plan, err := ReadLoadPlan(dir, "", "")
	if err != nil {
		t.Fatal(err)
	}
	h := &haul{plan: plan}
	h.LoadOptions = LoadOptions{
		To: to, Jobs: 2, Token: "token", Progress: &noted{},
		Save: func(_ context.Context, s LoadState) error { h.saved = s; return nil },
	}
	return h
}

func (h *haul) load(t testing.TB) LoadResult {
	t.Helper()
	h.State = h.saved
	result, err := Load(t.Context(), h.plan, h.LoadOptions)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (h *haul) verify(t testing.TB) VerifyLoadResult {
	t.Helper()
	result, err := VerifyLoad(t.Context(), h.plan, VerifyLoadOptions{To: h.To, Jobs: 2, MaxDifferences: 20, Read: func(int64) {}})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (h *haul) undo(t testing.TB) {
	t.Helper()
	h.State = h.saved
	if err := UndoLoad(t.Context(), h.LoadOptions); err != nil {
		t.Fatal(err)
	}
}

// asked is what psql says.
func asked(t testing.TB, dsn secret.DSN, sql string) string {
	t.Helper()
	return strings.TrimSpace(psql(t, dsn, "-AtXq", "-c", sql))
}

// objectsOf is what another reader sees in the database.
func objectsOf(t testing.TB, dsn secret.DSN) string {
	t.Helper()
	return asked(t, dsn, `select relkind, relname from pg_class c join pg_namespace n on n.oid = relnamespace
		where nspname !~ '^pg_' and nspname <> 'information_schema' union all
		select 't', typname from pg_type t join pg_namespace n on n.oid = typnamespace where nspname = 'public' and typtype = 'e' union all
		select 'f', proname from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname = 'public' union all
		select 'n', nspname from pg_namespace where nspname !~ '^pg_' order by 1, 2`)
}

// TestLoadTruth loads what a salvage of the real stores gives, in parts, and
// compares it with the truth by other ways.
func TestLoadTruth(t *testing.T) {
	t.Parallel()
	h := newHaul(t, salvaged(t, 500), testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	before := objectsOf(t, h.To)
	result := h.load(t)
	if len(result.LeftOut)+len(result.Notes) > 0 {
		t.Errorf("left out %q, notes %q", result.LeftOut, result.Notes)
	}
	got := h.verify(t)
	if !got.Equal() || got.Rows != result.Rows {
		t.Errorf("loaded %d rows, verified %+v", result.Rows, got)
	}
	for _, row := range truthRows(t, "counts.csv") {
		name := row[0][strings.LastIndexByte(row[0], '.')+1:]
		if have := asked(t, h.To, "select count(*) from public."+Quote(name)); have != row[1] {
			t.Errorf("table %s has %s rows, the truth %s", name, have, row[1])
		}
	}
	for sql, want := range map[string]string{
		`select last_value from mail_seq`:                                          "1897",
		`select string_agg(conname, ',') from pg_constraint where contype = 'f'`:   "fk_g",
		`select count(*) from pg_index i where not indisvalid`:                     "0",
		`select count(*) from pg_namespace where nspname = 'evac_ledger'`:          "0",
		`select count(*) from pg_constraint where conname = 'users_pkey'`:          "1",
		`select count(*) > 0 from pg_statistic where starelid = 'users'::regclass`: "t",
	} {
		if have := asked(t, h.To, sql); have != want {
			t.Errorf("%s: %q, want %q", sql, have, want)
		}
	}
	if again := h.load(t); cmp.Diff(result, again) != "" {
		t.Errorf("loaded again: %s", cmp.Diff(result, again))
	}
	h.undo(t)
	if after := objectsOf(t, h.To); after != before {
		t.Errorf("after undo:\n%s", cmp.Diff(before, after))
	}
}

// little is a small folder with what is odd in files.
func little(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "schema.sql"), `-- database shop

-- before the rows

CREATE TYPE public.mood AS ENUM ('glad', 'so; so');

CREATE TABLE public.parents (
	id bigint NOT NULL,
	f double precision,
	n numeric,
	at timestamp with time zone,
	m public.mood,
	s text,
	twice bigint GENERATED ALWAYS AS (id * 2) STORED,
	CONSTRAINT parents_pkey PRIMARY KEY (id)
);

CREATE TABLE public."Kids.of" (
	id bigint NOT NULL,
	parent bigint,
	CONSTRAINT kids_pkey PRIMARY KEY (id)
);

-- after the rows

CREATE UNIQUE INDEX kids_parent ON public."Kids.of" (parent);

ALTER TABLE public."Kids.of" ADD CONSTRAINT kids_fk FOREIGN KEY (parent) REFERENCES public.parents (id);

ALTER TABLE public.parents ADD CONSTRAINT positive CHECK (id > 0);

CREATE VIEW public.v (id) AS SELECT no_such_function(id) FROM public.parents;
`)
	put(t, filepath.Join(dir, "data", "shop", "public.parents", "part-00000.csv"),
		"id,f,n,at,m,s,twice\n"+
			"1,9.9e+08,1E+2,2020-01-02 03:04:05+00:00,glad,\"a\"\"b,\nc\",2\n"+
			"2,+Inf,-0,2020-01-02 12:04:05+09,\"so; so\",\"\",4\n")
	put(t, filepath.Join(dir, "data", "shop", "public.parents", "part-00001.csv"),
		"id,f,n,at,m,s,twice\n3,,,,,,6\n4,NaN,NaN,infinity,glad,\"\\.\",8\n")
	put(t, filepath.Join(dir, "data", "shop", "public.Kids%2Eof", "part-00000.csv"), "id,parent\n1,1\n2,1\n3,77\n")
	return dir
}

// TestLoadForms loads values in other forms than PostgreSQL's; constraints that
// the rows break are left out by name.
func TestLoadForms(t *testing.T) {
	t.Parallel()
	h := newHaul(t, little(t), testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	result := h.load(t)
	if got := h.verify(t); !got.Equal() || got.Rows != 7 || got.Tables != 2 {
		t.Errorf("verified %+v", got)
	}
	left := strings.Join(result.LeftOut, "\n")
	if len(result.LeftOut) != 2 || !strings.Contains(left, "kids_parent") || !strings.Contains(left, "kids_fk") {
		t.Errorf("left out:\n%s", left)
	}
	if len(result.Notes) != 1 || !strings.Contains(result.Notes[0], "no_such_function") {
		t.Errorf("notes %q", result.Notes)
	}
	want := "1|990000000|100|a\"b,\nc|2\n2|Infinity|0||4\n3||||6\n4|NaN|NaN|\\.|8"
	if got := asked(t, h.To, `select id, f, n, s, twice from parents order by id`); got != want {
		t.Errorf("rows:\n%s", got)
	}
	if got := asked(t, h.To, `select count(*) from parents where s = ''`); got != "1" {
		t.Errorf("%s empty texts", got)
	}
}

// TestLoadDifferences names what is not the same.
func TestLoadDifferences(t *testing.T) {
	t.Parallel()
	h := newHaul(t, little(t), testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	h.load(t)
	psql(t, h.To, "-qc", `update parents set s = 'x' where id = 1; delete from "Kids.of" where id = 2; insert into "Kids.of" values (9, null); create table new (a int); insert into new values (5)`)
	got := h.verify(t)
	var said []string
	for _, d := range got.Differences {
		said = append(said, d.String())
	}
	slices.Sort(said)
	want := []string{
		`different: "public"."parents" 1; s is "x", was "a\"b,\nc"`,
		`extra: "public"."Kids.of" 9`,
		`extra: "public"."new"`,
		`missing: "public"."Kids.of" 2`,
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if got.Missing != 1 || got.Extra != 2 || got.Different != 1 || got.AtLeast {
		t.Errorf("%+v", got)
	}
	h.State = h.saved
	if err := UndoLoad(t.Context(), h.LoadOptions); err == nil {
		t.Error("undo dropped what was written after the load")
	}
}

// TestLoadRefuses looks at what cannot be loaded.
func TestLoadRefuses(t *testing.T) {
	srv := testenv.Postgres(t, testenv.Newer)
	t.Run("full target", func(t *testing.T) {
		h := newHaul(t, little(t), testenv.Database(t, srv))
		psql(t, h.To, "-qc", "create table mine (a int)")
		if _, err := Load(t.Context(), h.plan, h.LoadOptions); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("loaded: %v", err)
		}
		h.undo(t)
		if asked(t, h.To, "select count(*) from mine") != "0" {
			t.Error("undo dropped what was not the load's")
		}
	})
	for name, change := range map[string]func(dir string) error{
		"table without schema": func(dir string) error {
			return os.Rename(filepath.Join(dir, "data/shop/public.parents"), filepath.Join(dir, "data/shop/public.others"))
		},
		"short row": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "data/shop/public.parents/part-00001.csv"), []byte("id,f,n,at,m,s,twice\n3,,\n"), 0o600)
		},
		"unknown column": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "data/shop/public.Kids%2Eof/part-00000.csv"), []byte("id,parent,more\n"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := little(t)
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
			h := newHaul(t, dir, testenv.Database(t, srv))
			before := objectsOf(t, h.To)
			if _, err := Load(t.Context(), h.plan, h.LoadOptions); err == nil {
				t.Error("loaded")
			}
			h.undo(t)
			if diff := cmp.Diff(before, objectsOf(t, h.To)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("two databases", func(t *testing.T) {
		dir := little(t)
		put(t, filepath.Join(dir, "data/other/public.t/part-00000.csv"), "a\n")
		if _, err := ReadLoadPlan(dir, "", ""); fault.KindOf(err) != fault.Invalid {
			t.Error(fmt.Sprint(err))
		}
	})
}
