package salvage

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/fault"
)

// TestDropped finds the rows of tables that were dropped and truncated, in folders
// of their own, and gives everything else as without them.
func TestDropped(t *testing.T) {
	for name, want := range map[string][]string{
		"tiny": {"68 data/kingdom/public.daily_quests@dropped-68 truncated 300", "69 data/kingdom/public.old_events@dropped-69 dropped 300"},
		"crash": {
			"68 data/kingdom/public.daily_quests@dropped-68 truncated 2000", "69 data/kingdom/public.old_events@dropped-69 dropped 2000",
			"76 data/kingdom/public.edge_cases@dropped-76 truncated 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, stores := filepath.Join(t.TempDir(), "out"), fixture(t, name)
			opt := Options{Null: "<<NULL>>", Dropped: true}
			if name == "crash" {
				for _, table := range []string{"daily_quests", "edge_cases", "old_events", "hashed"} {
					opt.Tables = append(opt.Tables, "kingdom.public."+table)
				}
			}
			rep, err := Run(t.Context(), stores, dir, opt, quiet)
			if err != nil {
				t.Fatal(err)
			}
			right := truth(t, name)
			for table := range right {
				if len(opt.Tables) > 0 && !slices.Contains(opt.Tables, "kingdom.public."+table) {
					delete(right, table)
				}
			}
			hold(t, dir, rep, right)
			if !rep.Complete {
				t.Errorf("not complete: %s", rep.Problems)
			}
			var got []string
			for _, g := range rep.Dropped {
				got = append(got, fmt.Sprintf("%d %s %s %d", g.ID, g.Dir, g.State, g.Rows))
				lines := salvaged(t, dir, &g.Table)
				if len(lines)-1 != int(g.Rows) || g.DoubtCount > 0 || g.Since == "" || len(g.Rests) == 0 {
					t.Errorf("%+v: %d lines", g, len(lines))
				}
				if !slices.ContainsFunc(rep.Notes, func(s string) bool { return strings.Contains(s, g.Dir) }) {
					t.Errorf("%s is not named in the notes", g.Dir)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if _, err := Verify(t.Context(), dir); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Run(t.Context(), []string{filepath.Join(backups(t), "restore_old_versions", "exports", "v2.1.8")}, t.TempDir(), Options{Dropped: true}, quiet); fault.Code(err) != 10 {
		t.Errorf("dropped tables of a backup: %v", err)
	}
}

// TestGoneDir tells a dropped table's folder from that of a live one.
func TestGoneDir(t *testing.T) {
	c := &Cluster{Catalog: &catalog.Catalog{}}
	old := &catalog.Table{ID: 68, Tenant: 1, Database: "a@b", Schema: "public", Name: "t@dropped-1", Primary: catalog.Index{ID: 1}}
	if got := c.goneDir(old); got != "data/a%40b/public.t%40dropped-1@dropped-68" {
		t.Error(got)
	}
	c.Catalog.Add(&catalog.Table{ID: 68, Tenant: 1})
	if got := c.goneDir(old); got != "data/a%40b/public.t%40dropped-1@dropped-68-1" {
		t.Error(got)
	}
}
