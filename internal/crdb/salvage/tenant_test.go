package salvage

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/store"
)

// listView is a view of entries in the order of their keys.
type listView []entry

type entry struct{ key, value []byte }

func (v listView) Iter(span keys.Span) engine.Iter { return &listIter{list: v, span: span} }
func (v listView) RangeTombstones(keys.Span) ([]engine.RangeTombstone, error) {
	return nil, nil
}
func (v listView) Split(keys.Span, int64) [][]byte { return nil }
func (v listView) Size(keys.Span) int64            { return int64(len(v)) }

type listIter struct {
	list listView
	span keys.Span
	from []byte
	on   entry
}

func (it *listIter) Next() bool {
	for len(it.list) > 0 {
		it.on, it.list = it.list[0], it.list[1:]
		if user, _, err := keys.Split(it.on.key); err == nil && it.span.Contains(user) && bytes.Compare(user, it.from) >= 0 {
			return true
		}
	}
	return false
}
func (it *listIter) SeekGE(user []byte)      { it.from = bytes.Clone(user) }
func (it *listIter) Key() []byte             { return it.on.key }
func (it *listIter) Value() []byte           { return it.on.value }
func (it *listIter) Err() error              { return nil }
func (it *listIter) Damage() []engine.Damage { return nil }
func (it *listIter) Close() error            { return nil }

// rented is all committed keys of tables once more, as a tenant has them: behind
// its prefix, with the checksums that belong to it.
func rented(t *testing.T, c *Cluster, tenant uint64) listView {
	t.Helper()
	var out listView
	it := c.Reader().Iter(keys.Span{From: []byte{0x88}, To: []byte{0xfe}})
	for it.Next() {
		user := append(keys.TenantPrefix(tenant), it.Key()...)
		value := bytes.Clone(it.Value())
		if len(value) >= 5 && !bytes.Equal(value[:4], make([]byte, 4)) {
			enc.SetChecksum(user, value)
		}
		out = append(out, entry{keys.Append(nil, user, it.Timestamp()), value})
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTenants salvages a cluster with two tenants beside the system's: each has the
// same tables, under the same ids, in folders of its own.
func TestTenants(t *testing.T) {
	dirs, want := fixture(t, "tiny"), truth(t, "tiny")
	whole, err := Open(t.Context(), dirs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	extra := append(rented(t, whole, 2), rented(t, whole, 300)...)
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	c := &Cluster{given: map[*catalog.Table]string{}}
	t.Cleanup(func() { _ = c.Close() })
	var sources []*ranges.Source
	for _, from := range dirs {
		s, err := store.Open(t.Context(), from, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c.Stores = append(c.Stores, s)
		one := source(s)
		one.View = engine.Union{one.View, extra}
		sources = append(sources, one)
	}
	if err := c.chart(t.Context(), sources); err != nil {
		t.Fatal(err)
	}
	p, err := c.Plan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	rep, err := (&Job{Cluster: c, Plan: p, dir: dir, opt: Options{Null: "<<NULL>>"}}).run(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Complete {
		t.Errorf("not complete: %s", strings.Join(rep.Problems, "\n"))
	}
	for prefix, folder := range map[string]string{"": "data/kingdom/", "tenant 2: ": "data/kingdom@2/", "tenant 300: ": "data/kingdom@300/"} {
		part := &Report{}
		for _, table := range rep.Tables {
			if strings.HasPrefix(table.Name, prefix+"kingdom.") {
				part.Tables = append(part.Tables, table)
				if !strings.HasPrefix(table.Dir, folder) {
					t.Errorf("table %s lies in %s", table.Name, table.Dir)
				}
			}
		}
		hold(t, dir, part, want)
	}
	schema, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	for _, mark := range []string{"-- database kingdom\n", "-- database kingdom@2\n", "-- database kingdom@300\n"} {
		if err != nil || strings.Count(string(schema), mark) != 1 {
			t.Errorf("schema.sql has %q %d times, %v", mark, strings.Count(string(schema), mark), err)
		}
	}
	users := []string{"kingdom/public.users", "kingdom@2/public.users", "kingdom@300/public.users"}
	var got []string
	for _, name := range users {
		text, err := os.ReadFile(filepath.Join(dir, "data", name, "part-00000.csv"))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	if diff := cmp.Diff(got[:2], got[1:]); diff != "" {
		t.Errorf("the users of tenants differ: %.300s", diff)
	}
}
