package synth

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
	crdbstore "github.com/evac-io/evac/internal/crdb/store"
)

// TestCluster reads whole clusters as a salvage does: every engine, encrypted and
// not, every fate.
func TestCluster(t *testing.T) {
	specs := map[string]Spec{
		"pebble1":             {Engine: Pebble1},
		"pebble1, aes-128":    {Engine: Pebble1, StoreKey: bytes.Repeat([]byte{1}, 16)},
		"rocksdb":             {Engine: RocksDB},
		"rocksdb, aes-192":    {Engine: RocksDB, StoreKey: bytes.Repeat([]byte{2}, 24)},
		"pebble13":            {Engine: Pebble13},
		"pebble16":            {Engine: Pebble16},
		"pebble19":            {Engine: Pebble19},
		"pebble24":            {Engine: Pebble24},
		"pebble24, aes-256":   {Engine: Pebble24, StoreKey: bytes.Repeat([]byte{3}, 32)},
		"pebble19, 80 ranges": {Engine: Pebble19, Ranges: 80},
		"pebble1, plain":      {Engine: Pebble1, Plain: true, LogShare: -1},
	}
	for name, spec := range specs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec.Seed, spec.Fates, spec.TableSize = 11, AllFates(spec.Engine), 256<<10
			truth := write(t, spec)
			m := survey(t, truth, spec)
			if len(m.Holes) > 0 || len(m.Overlaps) > 0 || len(m.Notes) > 0 || len(m.Ranges) != truth.Ranges {
				t.Errorf("holes %v, overlaps %v, notes %v, %d ranges of %d", m.Holes, m.Overlaps, m.Notes, len(m.Ranges), truth.Ranges)
			}
			r := m.Reader(keys.Timestamp{})
			n := 0
			for i := range truth.Tables {
				n += compare(t, r, &truth.Tables[i], truth.Tables[i].Shows)
			}
			if int64(n) != truth.KVs || n < 10000 {
				t.Errorf("%d entries, the truth has %d", n, truth.KVs)
			}
			cat := tables(t, r, truth)
			if name == "pebble1" || name == "pebble24" {
				headcount(t, r, cat, truth)
			}
		})
	}
}

func survey(t *testing.T, truth *Truth, spec Spec) *ranges.Map {
	t.Helper()
	var sources []*ranges.Source
	for i, dir := range truth.Stores {
		o := crdbstore.Options{Name: fmt.Sprintf("n%d", i+1)}
		if len(spec.StoreKey) > 0 {
			o.StoreKeys = [][]byte{StoreKeyFile(spec.StoreKey)}
		}
		s, err := crdbstore.Open(context.Background(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		for _, d := range s.Damage() {
			t.Errorf("damage in a whole store: %v", d)
		}
		id := s.Ident()
		if id.Cluster != crdbstore.UUID(truth.Cluster) || int(id.Store) != i+1 {
			t.Errorf("%s: ident %v", dir, id)
		}
		sources = append(sources, &ranges.Source{Name: o.Name, View: s.View(), Damage: s.Damage(), ReadFile: sideloads(s)})
	}
	m, err := ranges.Survey(context.Background(), sources, ranges.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sideloads reads the tables beside a store's logs.
func sideloads(s *crdbstore.Store) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		var group, index, term uint64
		var id int64
		if _, err := fmt.Sscanf(name, "auxiliary/sideloading/r%dXXXX/r%d/i%d.t%d", &group, &id, &index, &term); err != nil {
			return nil, err
		}
		return s.Sideloaded(id, index, term)
	}
}

// tables checks that the descriptors describe the tables.
func tables(t *testing.T, r *mvcc.Reader, truth *Truth) *catalog.Catalog {
	t.Helper()
	raws, err := descriptors(r)
	if err != nil {
		t.Fatal(err)
	}
	cat, doubts := catalog.Load(raws, nil)
	for _, d := range doubts {
		t.Errorf("doubt: %v", d)
	}
	names := map[uint32]string{}
	for _, c := range cat.Tables {
		names[c.ID] = c.Name
	}
	for _, table := range truth.Tables {
		if names[table.ID] != table.Name {
			t.Errorf("table %d is %q, want %q", table.ID, names[table.ID], table.Name)
		}
	}
	return cat
}

// headcount reads the rows of all tables, and holds their indexes against them.
func headcount(t *testing.T, r *mvcc.Reader, cat *catalog.Catalog, truth *Truth) {
	t.Helper()
	want := map[uint32]int{}
	for _, table := range truth.Tables {
		if want[table.ID] = 0; table.Shows {
			want[table.ID] = table.Source.Rows
		}
	}
	for _, table := range cat.Tables {
		n, ours := want[table.ID]
		if !ours {
			continue
		}
		d, err := rows.New(table, rows.Options{})
		if err != nil {
			t.Fatal(err)
		}
		it := r.Iter(d.Span())
		res, err := d.Read(context.Background(), it, rows.Output{})
		if err != nil || res.Rows != int64(n) || res.DoubtCount > 0 {
			t.Errorf("%s: %d rows, want %d; %v, doubts %v", table.Name, res.Rows, n, err, res.Doubts)
		}
		if err := it.Close(); err != nil {
			t.Error(err)
		}
		for _, ix := range d.Indexes() {
			if ix.Check != rows.BothWays {
				continue
			}
			it := r.Iter(ix.Span())
			have, err := d.ReadEntries(context.Background(), ix.ID, it)
			if err != nil {
				t.Fatal(err)
			}
			if err := it.Close(); err != nil {
				t.Error(err)
			}
			res.Add(have)
		}
		for _, e := range res.Entries {
			if e.Want != e.Have || e.WantSum != e.HaveSum {
				t.Errorf("%s: %+v", table.Name, e)
			}
		}
	}
}
