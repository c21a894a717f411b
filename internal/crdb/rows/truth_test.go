package rows

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"testing"
)

func newTar(r io.Reader) *tar.Reader { return tar.NewReader(r) }

// TestTruth holds every row of the fixtures against what the database showed,
// and every index against the rows.
func TestTruth(t *testing.T) {
	for _, name := range []string{"tiny", "crash"} {
		c := open(t, name)
		want := truth(t, name)
		for _, table := range c.tables() {
			t.Run(name+"/"+table.Name, func(t *testing.T) {
				d, err := New(table, Options{})
				if err != nil {
					t.Fatal(err)
				}
				var text bytes.Buffer
				it := c.reader.Iter(d.Span())
				res, err := d.Read(context.Background(), it, Output{Rows: NewCSV(&text, "<<NULL>>")})
				if err != nil {
					t.Fatal(err)
				}
				if err := it.Close(); err != nil {
					t.Fatal(err)
				}
				for _, doubt := range res.Doubts {
					t.Errorf("%v", doubt)
				}
				compare(t, text.Bytes(), want[table.Name])
				manyEach := map[uint32]bool{}
				for _, ix := range d.Indexes() {
					if ix.Check != BothWays {
						t.Errorf("index %s is checked %s: %s", ix.Name, ix.Check, ix.Why)
						continue
					}
					manyEach[ix.ID] = ix.inverted >= 0
					it := c.reader.Iter(ix.Span())
					entries, err := d.ReadEntries(context.Background(), ix.ID, it)
					if err != nil {
						t.Fatal(err)
					}
					for _, doubt := range entries.Doubts {
						t.Errorf("%v", doubt)
					}
					res.Add(entries)
				}
				for _, e := range res.Entries {
					if e.Want != e.Have || e.WantSum != e.HaveSum || e.Have != res.Rows && !manyEach[e.Index] || e.Have == 0 && res.Rows > 0 {
						t.Errorf("index %d: rows ask for %d entries (%x), there are %d (%x)", e.Index, e.Want, e.WantSum, e.Have, e.HaveSum)
					}
				}
			})
		}
	}
}

// compare holds text against records, both with their header lines.
func compare(t *testing.T, text []byte, want [][]string) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	got, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	bad := 0
	for i := range min(len(got), len(want)) {
		for j := range want[i] {
			if len(got[i]) != len(want[i]) || got[i][j] != escapes.Replace(want[i][j]) {
				t.Errorf("line %d: got %q, want %q", i+1, got[i], want[i])
				bad++
				break
			}
		}
		if bad == 5 {
			break
		}
	}
}
