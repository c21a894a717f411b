package kinds_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/engine"
	"github.com/evac-io/evac/internal/kinds/cockroach"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// cockroachCases try the kinds on the stores of a small real cluster.
func cockroachCases() []testenv.Case {
	return []testenv.Case{
		{Kind: "cockroach_load", New: loadWorld},
		{Kind: "cockroach_salvage", Name: "to", Cuts: 1, New: salvageToWorld},
		{Kind: "cockroach_survey", Name: "stores", New: func(t testing.TB) testenv.Subject {
			stores := deadCluster(t)
			return testenv.Subject{
				Step:  func() step.Step { return &cockroach.Survey{Stores: stores} },
				Probe: func(t testing.TB) any { return filesBelow(t, stores...) },
			}
		}},
		{Kind: "cockroach_salvage", Name: "stores", New: func(t testing.TB) testenv.Subject {
			stores, out := deadCluster(t), filepath.Join(t.TempDir(), "out")
			return testenv.Subject{
				Step:  func() step.Step { return &cockroach.Salvage{Stores: stores, Out: out, Jobs: 2} },
				Probe: func(t testing.TB) any { return filesBelow(t, stores...) },
			}
		}},
	}
}

// salvageToWorld is a dead cluster and an empty database for its rows.
func salvageToWorld(t testing.TB) testenv.Subject {
	stores, out := deadCluster(t), filepath.Join(t.TempDir(), "out")
	to := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	return testenv.Subject{
		Step: func() step.Step {
			return &cockroach.Salvage{Stores: stores, Out: out, Jobs: 2, To: to}
		},
		Probe: func(t testing.TB) any {
			seen := map[string]string{}
			for _, sql := range []string{
				"select sum(hashtext(u::text)) from public.users u", "select count(*) from pg_class where relkind in ('i', 'r', 'S') and relnamespace = 'public'::regnamespace",
				"select count(*) from pg_constraint", "select string_agg(nspname, ',' order by nspname) from pg_namespace where nspname !~ '^pg_'",
			} {
				seen[sql] = plainSQL(t, to, sql)
			}
			return seen
		},
	}
}

// deadCluster unpacks the stores.
func deadCluster(t testing.TB) []string {
	t.Helper()
	var dirs []string
	for n := 1; n <= 3; n++ {
		got, _, err := store.Unpack(t.Context(), filepath.Join("..", "crdb", "testdata", "tiny", fmt.Sprintf("n%d.tar.zst", n)), filepath.Join(t.TempDir(), "stores"))
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, got...)
	}
	return dirs
}

// filesBelow are the names and sizes of the files in folders: stores are only read.
func filesBelow(t testing.TB, dirs ...string) []string {
	t.Helper()
	var list []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Stat(name)
			if err == nil && !info.IsDir() {
				list = append(list, fmt.Sprintf("%s %d %s", strings.TrimPrefix(name, dir), info.Size(), info.ModTime()))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// loadWorld is a folder of two salvaged tables and an empty database.
func loadWorld(t testing.TB) testenv.Subject {
	dir, to := t.TempDir(), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	for path, text := range map[string]string{
		"schema.sql": "-- database shop\n\n-- before the rows\n\n" +
			"CREATE SEQUENCE public.ids;\n\n" +
			"CREATE TABLE public.t (\n\ta bigint NOT NULL,\n\tb text,\n\tCONSTRAINT t_pkey PRIMARY KEY (a)\n);\n\n" +
			"CREATE TABLE public.u (\n\ta bigint\n);\n\n" +
			"-- after the rows\n\n" +
			"CREATE INDEX t_b ON public.t (b);\n\n" +
			"ALTER TABLE public.u ADD CONSTRAINT u_a FOREIGN KEY (a) REFERENCES public.t (a);\n\n" +
			"SELECT pg_catalog.setval('public.ids', 7, true);\n",
		"data/shop/public.t/part-00000.csv": "a,b\n1,\n2,\"\"\n",
		"data/shop/public.t/part-00001.csv": "a,b\n3,\"x,y\"\n",
		"data/shop/public.u/part-00000.csv": "a\n1\n\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return testenv.Subject{
		Step: func() step.Step {
			return &cockroach.Load{Dir: dir, To: to, Jobs: 2, Memory: 1 << 20, MaxDifferences: 20}
		},
		Probe: func(t testing.TB) any {
			seen := map[string]string{}
			for _, sql := range strings.Split(`select string_agg(t::text, ';' order by a) from public.t
				select string_agg(u::text, ';' order by a) from public.u
				select last_value from public.ids
				select string_agg(indexrelid::regclass::text, ',' order by indexrelid::regclass::text) from pg_index where indrelid = to_regclass('public.t')
				select string_agg(conname, ',' order by conname) from pg_constraint where conrelid in (to_regclass('public.t'), to_regclass('public.u'))
				select string_agg(nspname, ',' order by nspname) from pg_namespace where nspname !~ '^pg_'`, "\n") {
				seen[strings.TrimSpace(sql)] = plainSQL(t, to, sql)
			}
			return seen
		},
	}
}

// TestSalvageShards has the tasks of a salvage go as lines of text to two others
// that have it open too, each doing every second one, and merges their results:
// files and output are those of Run.
func TestSalvageShards(t *testing.T) {
	stores := deadCluster(t)
	world := func() (*cockroach.Salvage, *step.Env) {
		dir := t.TempDir()
		return &cockroach.Salvage{Stores: stores, Out: "out"}, &step.Env{Dir: dir, Progress: noProgress{}}
	}
	alone, env := world()
	plan, err := alone.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	want, err := alone.Run(t.Context(), env, plan)
	if err != nil {
		t.Fatal(err)
	}
	wantFiles := textsBelow(t, filepath.Join(env.Dir, "out"))
	var _ step.Sharder = alone
	shared, env := world()
	var open [3]step.Shards
	for i := range open {
		if open[i], err = shared.Shards(t.Context(), env, plan); err != nil {
			t.Fatal(err)
		}
	}
	list, err := open[0].Split()
	if err != nil {
		t.Fatal(err)
	}
	results := make([]json.RawMessage, len(list))
	for i, task := range list {
		line, err := json.Marshal(task)
		if err != nil {
			t.Fatal(err)
		}
		var there engine.Task
		if err := json.Unmarshal(line, &there); err != nil {
			t.Fatal(err)
		}
		if results[i], err = open[1+i%2].Do(t.Context(), there); err != nil {
			t.Fatal(err)
		}
	}
	got, err := open[0].Merge(t.Context(), results)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range open {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	same := cmpopts.IgnoreFields(cockroach.SalvageOutput{}, "Report") // another folder
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantFiles, textsBelow(t, filepath.Join(env.Dir, "out"))); diff != "" {
		t.Error(diff)
	}
}

// textsBelow are the files in a salvaged folder, but the state of Run.
func textsBelow(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || name == "state.jsonl" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// noProgress is nobody who looks on.
type noProgress struct{}

func (noProgress) Total(string, int64) {}
func (noProgress) Add(int64)           {}
func (noProgress) Note(string)         {}
