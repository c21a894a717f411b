package salvage

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/crdb/wire"
	"github.com/evac-io/evac/internal/fault"
)

// cutView is a store that has lost some spans: in silence, or as damage.
type cutView struct {
	engine.View
	cut    func(user []byte) bool
	damage []engine.Damage
}

func (v cutView) Iter(span keys.Span) engine.Iter {
	it := &cutIter{Iter: v.View.Iter(span), cut: v.cut}
	for _, d := range v.damage {
		if d.Span.Overlaps(span) {
			it.damage = append(it.damage, d)
		}
	}
	return it
}

type cutIter struct {
	engine.Iter
	cut    func(user []byte) bool
	damage []engine.Damage
}

func (it *cutIter) Next() bool {
	for it.Iter.Next() {
		if user, _, err := keys.Split(it.Key()); err != nil || !it.cut(user) {
			return true
		}
	}
	return false
}

func (it *cutIter) Damage() []engine.Damage { return append(it.damage, it.Iter.Damage()...) }

// withoutDescriptors salvages stores that have lost the descriptors of some
// tables, or of all.
func withoutDescriptors(t *testing.T, dirs []string, dir string, opt Options, named bool, ids ...uint64) *Report {
	t.Helper()
	prefix := keys.IndexPrefix(1, descriptorTable, 1)
	lost := func(user []byte) bool {
		rest, ok := strings.CutPrefix(string(user), string(prefix))
		id, _, fine := keys.TakeUvarint([]byte(rest))
		return ok && (len(ids) == 0 || fine && slices.Contains(ids, id))
	}
	c := &Cluster{opt: opt, given: map[*catalog.Table]string{}}
	t.Cleanup(func() { _ = c.Close() })
	var sources []*ranges.Source
	for _, from := range dirs {
		s, err := store.Open(t.Context(), from, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.Stores = append(c.Stores, s)
		one := source(s)
		v := cutView{View: one.View, cut: lost}
		if named {
			v.damage = []engine.Damage{{Store: from, File: "000001.sst", Offset: 7, Size: 9, Span: keys.PrefixSpan(prefix), Why: "cut out"}}
		}
		one.View = v
		sources = append(sources, one)
	}
	if err := c.chart(t.Context(), sources); err != nil {
		t.Fatal(err)
	}
	p, err := c.Plan(t.Context(), opt.Tables)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := (&Job{Cluster: c, Plan: p, dir: dir, opt: opt}).run(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// schemaOf is the schema of the whole stores, as a salvage before the loss wrote it.
func schemaOf(t *testing.T, dirs []string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "before")
	if _, err := Run(t.Context(), dirs, dir, Options{}, quiet); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "schema.cockroach.sql")
}

// TestLostDescriptors salvages stores without any descriptor: with the schema in
// SQL all rows are there, without it all keys and values.
func TestLostDescriptors(t *testing.T) {
	dirs, want := fixture(t, "tiny"), truth(t, "tiny")
	schema := schemaOf(t, dirs)
	for _, named := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "out")
		rep := withoutDescriptors(t, dirs, dir, Options{Null: "<<NULL>>", Schema: schema}, named)
		hold(t, dir, rep, want)
		text := strings.Join(rep.Problems, "\n")
		for _, r := range rep.Raw { // truncated and dropped tables, which the schema has no more
			if r.ID != 68 && r.ID != 69 {
				t.Errorf("raw: %v", r)
			}
		}
		if rep.Complete || !strings.Contains(text, `table "kingdom.public.users": its descriptor is lost in every store`) {
			t.Errorf("complete is %v, %d raw: %s", rep.Complete, len(rep.Raw), text)
		}
		for _, table := range rep.Tables {
			for _, ix := range table.Indexes {
				if ix.Check != "not" && !ix.Equal {
					t.Errorf("table %s: index %+v", table.Name, ix)
				}
			}
			if table.Withheld > 0 || table.DoubtCount > 0 {
				t.Errorf("table %s: %d withheld, doubts %v", table.Name, table.Withheld, table.Doubts)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "raw")
	rep := withoutDescriptors(t, dirs, dir, Options{}, true)
	text := strings.Join(rep.Problems, "\n")
	if rep.Complete || len(rep.Tables) > 0 || !strings.Contains(text, "table 54: its descriptor is lost in every store, and no --schema describes it") {
		t.Errorf("complete is %v, %d tables: %s", rep.Complete, len(rep.Tables), text)
	}
	holdRaw(t, dir, dirs, rep)
	if _, err := Verify(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

// holdRaw holds the raw files against the keys of all tables of whole stores.
func holdRaw(t *testing.T, dir string, dirs []string, rep *Report) {
	t.Helper()
	c, err := Open(t.Context(), dirs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ids, err := c.tableIDs(context.Background(), 1)
	if err != nil {
		t.Fatal(err)
	}
	raw := map[uint32]Raw{}
	for _, r := range rep.Raw {
		raw[r.ID] = r
	}
	for _, id := range ids {
		var want [][]string
		it := c.Reader().Iter(keys.PrefixSpan(keys.TablePrefix(1, id)))
		for it.Next() {
			want = append(want, []string{hex.EncodeToString(it.Key()), it.Timestamp().String(), hex.EncodeToString(it.Value())})
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if r, there := raw[id]; there != (id >= firstUserID && len(want) > 0) || int(r.Pairs) != len(want) && there {
			t.Errorf("table %d: %d keys, raw %+v", id, len(want), r)
		}
		var got [][]string
		for _, p := range raw[id].Parts {
			f, err := os.Open(filepath.Join(dir, p.Name))
			if err != nil {
				t.Fatal(err)
			}
			lines, err := csv.NewReader(f).ReadAll()
			if err != nil || strings.Join(lines[0], ",") != "key,moment,value" {
				t.Fatalf("%v, %v", lines[0], err)
			}
			_ = f.Close()
			got = append(got, lines[1:]...)
		}
		if id >= firstUserID && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("table %d: %d lines, want %d, or they differ", id, len(got), len(want))
		}
	}
}

// TestSomeDescriptorsLost loses those of an ordinary table, of an interleaved one
// and of a sequence. A schema that describes more than is lost decides nothing.
func TestSomeDescriptorsLost(t *testing.T) {
	dirs, want := fixture(t, "tiny"), truth(t, "tiny")
	schema := schemaOf(t, dirs)
	c, err := Open(t.Context(), dirs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lost []uint64
	for _, table := range c.Catalog.Tables {
		if table.System() {
			continue
		}
		if table.Name == "users" || table.Name == "guild_members" || table.Sequence != nil {
			lost = append(lost, uint64(table.ID))
		}
	}
	if err := c.Close(); err != nil || len(lost) < 3 {
		t.Fatal(lost, err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	rep := withoutDescriptors(t, dirs, dir, Options{Null: "<<NULL>>", Schema: schema}, false, lost...)
	hold(t, dir, rep, want)
	given := 0
	for _, table := range rep.Tables {
		if table.Given != "" {
			given++
		}
	}
	if rep.Complete || given != 2 || len(rep.Sequences) == 0 || len(rep.Raw) > 0 {
		t.Errorf("complete is %v, %d given, sequences %v: %s", rep.Complete, given, rep.Sequences, rep.Problems)
	}
	dir = filepath.Join(t.TempDir(), "out")
	rep = withoutDescriptors(t, dirs, dir, Options{Null: "<<NULL>>"}, false, lost...)
	text := strings.Join(rep.Problems, "\n")
	raw := map[string]int64{}
	for _, r := range rep.Raw {
		raw[fmt.Sprintf("%d keys, %d bad", r.Pairs, r.Checksums.Bad)]++
		for _, part := range r.Parts {
			lines, err := os.ReadFile(filepath.Join(dir, part.Name))
			if err != nil || strings.Count(string(lines), "\n") != int(part.Rows)+1 {
				t.Errorf("%s: %d keys: %v", part.Name, part.Rows, err)
			}
		}
	}
	if n := len(want["guild_members"]) - 1; raw[fmt.Sprintf("%d keys, 0 bad", n)] != 1 || n == 0 {
		t.Errorf("the %d rows that lie among those of guilds are not written: %v", n, raw)
	}
	for _, id := range lost {
		if !strings.Contains(text, fmt.Sprintf("table %d", id)) {
			t.Errorf("table %d is not named: %s", id, text)
		}
	}
	if rep.Complete {
		t.Error("complete")
	}
}

// TestSchemaOfBackup describes stores without descriptors by a backup's.
func TestSchemaOfBackup(t *testing.T) {
	dirs, want := fixture(t, "tiny"), truth(t, "tiny")
	c, err := Open(t.Context(), dirs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := wire.Message(nil).Bytes(2, wire.Message(nil).Int(1, 1795236017194658085))
	raws, err := c.versions(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint32]bool{}
	for _, raw := range raws { // the newest version of each comes first
		if !seen[raw.ID] && len(raw.Bytes) > 0 && raw.ID >= firstUserID {
			m = m.Bytes(5, raw.Bytes)
		}
		seen[raw.ID] = true
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	backup := t.TempDir()
	if err := os.WriteFile(filepath.Join(backup, "BACKUP"), m, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	rep := withoutDescriptors(t, dirs, dir, Options{Null: "<<NULL>>", Schema: backup}, true)
	hold(t, dir, rep, want)
	if rep.Complete || len(rep.Raw) > 0 {
		t.Errorf("complete is %v, raw %v", rep.Complete, rep.Raw)
	}
	for _, table := range rep.Tables {
		if table.Given != backup || table.DoubtCount > 0 {
			t.Errorf("table %s: given by %q, doubts %v", table.Name, table.Given, table.Doubts)
		}
	}
}

// TestSchemaRefused names what is no schema.
func TestSchemaRefused(t *testing.T) {
	dirs := fixture(t, "tiny")
	file := filepath.Join(t.TempDir(), "schema.sql")
	if err := os.WriteFile(file, []byte("CREATE TABLE t (a INT8 PRIMARY KEY);"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, schema := range map[string]string{"no table with its id": file, "no such file": file + "2", "no manifest": t.TempDir()} {
		_, err := Run(t.Context(), dirs, filepath.Join(t.TempDir(), "out"), Options{Schema: schema}, quiet)
		if fault.Code(err) != 10 || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
	}
}
