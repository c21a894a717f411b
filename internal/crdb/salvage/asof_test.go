package salvage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/synth"
	"github.com/evac-io/evac/internal/fault"
)

// TestAsOfTruth reads crash and divergent at the moment at which the database
// showed its rows: what was committed after that is not there.
func TestAsOfTruth(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder(t, "crash"), "truth", "as_of.txt"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := ParseMoment(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	want := shown(t, "crash") // without the late commit
	for _, name := range []string{"crash", "divergent"} {
		dir := filepath.Join(t.TempDir(), "out")
		opt := Options{Null: "<<NULL>>", AsOf: at}
		if name == "divergent" {
			opt.Tables = []string{"kingdom.public.late_commit", "kingdom.public.hashed", "kingdom.public.users"}
			want = map[string][][]string{"late_commit": want["late_commit"], "hashed": want["hashed"], "users": want["users"]}
		}
		rep, err := Run(t.Context(), fixture(t, name), dir, opt, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if len(want["late_commit"])-1 != 30 {
			t.Fatalf("the truth has %d rows of late_commit", len(want["late_commit"])-1)
		}
		hold(t, dir, rep, want)
		if rep.AsOf != at.String() || name == "crash" && !rep.Complete {
			t.Errorf("%s: as of %s, complete is %v: %s", name, rep.AsOf, rep.Complete, rep.Problems)
		}
	}
}

// TestAsOfTooEarly refuses a moment at which there was no table: an empty salvage
// would look complete.
func TestAsOfTooEarly(t *testing.T) {
	at, err := ParseMoment("2019-01-01T00:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := Run(t.Context(), shared(t, "crash"), dir, Options{AsOf: at}, quiet); fault.Code(err) != 10 {
		t.Errorf("got error %v", err)
	}
}

// TestAsOfUndoes reads crash before tables were dropped and truncated: they are
// there under their names, with the very rows that --dropped finds.
func TestAsOfUndoes(t *testing.T) {
	stores := shared(t, "crash")
	now := filepath.Join(t.TempDir(), "now")
	rep, err := Run(t.Context(), stores, now, Options{Dropped: true, Tables: []string{"kingdom.public.old_events", "kingdom.public.daily_quests"}}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rep.Dropped {
		since, err := ParseMoment(g.Since)
		if err != nil {
			t.Fatal(err)
		}
		then := filepath.Join(t.TempDir(), "then")
		before := keys.Timestamp{Wall: since.Wall - 1}
		old, err := Run(t.Context(), stores, then, Options{AsOf: before, Tables: []string{g.Name}}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if len(old.Tables) != 1 || old.Tables[0].ID != g.ID || old.Tables[0].State != "public" {
			t.Fatalf("%s as of %s: %+v", g.Name, before, old.Tables)
		}
		if diff := cmp.Diff(salvaged(t, now, &g.Table), salvaged(t, then, old.Tables[0])); diff != "" || g.Rows == 0 {
			t.Errorf("%s: %d rows: %.300s", g.Name, g.Rows, diff)
		}
	}
	if len(rep.Dropped) != 2 {
		t.Errorf("%d dropped tables", len(rep.Dropped))
	}
}

// TestEngines salvages stores of the engines that no fixture has, with rows that
// came to be in every way there is.
func TestEngines(t *testing.T) {
	for _, engine := range []synth.Engine{synth.RocksDB, synth.Pebble16, synth.Pebble24} {
		made, _ := synthetic(t, synth.Spec{Engine: engine, Fates: synth.AllFates(engine), Seed: 3})
		before := sums(t, made.Stores...)
		dir := filepath.Join(t.TempDir(), "out")
		rep, err := Run(t.Context(), made.Stores, dir, Options{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		rep.Problems = slices.DeleteFunc(rep.Problems, func(s string) bool { return strings.Contains(s, "only 2 of 3 voters are here") }) // a replica was moved to a store that is not there
		rep.Complete = len(rep.Problems) == 0
		holdSynthetic(t, rep, made, nil)
		if diff := cmp.Diff(before, sums(t, made.Stores...)); diff != "" {
			t.Errorf("the stores were written to: %s", diff)
		}
		if facts := rep.Stores[0].Facts; engine == synth.RocksDB && facts.Engine != "rocksdb" {
			t.Errorf("the engine is %q", facts.Engine)
		}
	}
}
