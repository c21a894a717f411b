package rows

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
)

// indexed is a table with an index of each kind.
func indexed() *catalog.Table {
	asc := func(n int) []bool { return make([]bool, n) }
	return &catalog.Table{ID: 60, Name: "indexed", DatabaseID: 50, Columns: []catalog.Column{
		column(1, "id", enc.IntFamily), column(2, "s", enc.StringFamily), column(3, "d", enc.DecimalFamily), column(4, "n", enc.IntFamily), column(5, "j", enc.JSONFamily)},
		Families: []catalog.Family{{ID: 0, Columns: []uint32{1, 2, 3, 4, 5}}},
		Primary:  catalog.Index{ID: 1, Columns: []uint32{1}, Desc: asc(1)},
		Indexes: []catalog.Index{
			{ID: 2, Name: "unique", Unique: true, Columns: []uint32{2}, Desc: asc(1), Extra: []uint32{1}},
			{ID: 3, Name: "storing", Columns: []uint32{3}, Desc: []bool{true}, Extra: []uint32{1}, Store: []uint32{4}, Composite: []uint32{3}},
			{ID: 4, Name: "old storing", Unique: true, Columns: []uint32{1}, Desc: []bool{true}, Extra: []uint32{4}, OldStoring: []uint32{4}},
			{ID: 5, Name: "partial", Columns: []uint32{4}, Desc: asc(1), Extra: []uint32{1}, Predicate: "n > 5"},
			{ID: 6, Name: "inverted", Kind: catalog.Inverted, Columns: []uint32{5}, Desc: asc(1), Extra: []uint32{1}},
			{ID: 7, Name: "lost", Columns: []uint32{9}, Desc: asc(1), Extra: []uint32{1}},
		}}
}

// indexedRows are the rows of that table, and entries the keys of its indexes as
// they must be.
func indexedRows(t testing.TB) (rows []pair, entries map[uint32][]pair) {
	rows = []pair{
		put(t, "c489 89 88", enc.TagTuple, "260161 15 03 348982 13 0e 1f0f 0d 80000002 10000001 40000000 61"), // 1, a, 1.30, 7, ["a", true]
		put(t, "c489 8a 88", enc.TagTuple, ""),                    // 2
		put(t, "c489 8b 88", enc.TagTuple, "260162 15 03 34890d"), // 3, b, 1.3
	}
	return rows, map[uint32][]pair{
		2: {put(t, "c48a 00 8a 88", enc.TagBytes, "8a"), put(t, "c48a 12610001 88", enc.TagBytes, "89"), put(t, "c48a 12620001 88", enc.TagBytes, "8b")},
		3: {put(t, "c48b 24fcc300 89 88", enc.TagBytes, "35 03 348982 13 0e"), put(t, "c48b 24fcc300 8b 88", enc.TagBytes, ""), put(t, "c48b ff 8a 88", enc.TagBytes, "")},
		4: {put(t, "c48c 86fc 88", enc.TagBytes, "00"), put(t, "c48c 87fd 88", enc.TagBytes, "00"), put(t, "c48c 87fe 88", enc.TagBytes, "8f")},
		5: {put(t, "c48d 8f 89 88", enc.TagBytes, "")},
		6: {put(t, "c48e 37 00030001 0a 89 88", enc.TagBytes, ""), put(t, "c48e 37 00030001 12610001 89 88", enc.TagBytes, "")},
	}
}

// headcount adds up rows and all entries of the table.
func headcount(t testing.TB, d *Decoder, rows []pair, entries map[uint32][]pair) Result {
	t.Helper()
	res, err := d.Read(context.Background(), &pairs{list: rows}, Output{})
	if err != nil {
		t.Fatal(err)
	}
	for _, ix := range d.Indexes() {
		if ix.Check == No {
			continue
		}
		more, err := d.ReadEntries(context.Background(), ix.ID, &pairs{list: entries[ix.ID]})
		if err != nil {
			t.Fatal(err)
		}
		res.Add(more)
	}
	return res
}

func TestHeadcount(t *testing.T) {
	d, err := New(indexed(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, entries := indexedRows(t)
	entries[4] = slices.Clone(entries[4])
	entries[4][0], entries[4][1] = put(t, "c48c 87fc 88", enc.TagBytes, "00"), put(t, "c48c 87fd 88", enc.TagBytes, "00")
	res := headcount(t, d, rows, entries)
	for _, doubt := range res.Doubts {
		t.Errorf("%v", doubt)
	}
	for _, e := range res.Entries {
		switch {
		case e.Index == 5 && (e.Want != 0 || e.Have != 1):
			t.Errorf("the partial index: %+v", e)
		case e.Index == 6 && (e.Want != 2 || e.Have != 2 || e.WantSum != e.HaveSum):
			t.Errorf("the inverted index: %+v", e)
		case e.Index < 5 && (e.Want != 3 || e.Have != 3 || e.WantSum != e.HaveSum):
			t.Errorf("index %d: %+v", e.Index, e)
		}
	}
	var checks []Check
	for _, ix := range d.Indexes() {
		checks = append(checks, ix.Check)
	}
	if diff := cmp.Diff([]Check{BothWays, BothWays, BothWays, OneWay, BothWays, No}, checks); diff != "" {
		t.Error(diff)
	}
	if _, err := d.ReadEntries(context.Background(), 7, &pairs{}); err == nil {
		t.Error("an index of a column that is not there was counted")
	}
}

// TestMismatches changes one entry at a time: the sums must tell, and Compare
// must name it.
func TestMismatches(t *testing.T) {
	for _, c := range []struct {
		name  string
		index uint32
		alter func(e []pair) []pair
		want  []string
	}{
		{"nothing", 2, func(e []pair) []pair { return e }, nil},
		{"missing", 2, func(e []pair) []pair { return e[1:] }, []string{"missing entry c48a008a"}},
		{"extra", 2, func(e []pair) []pair { return append(e, put(t, "c48a 12630001 88", enc.TagBytes, "8b")) }, []string{"extra entry c48a12630001"}},
		{"another row", 2, func(e []pair) []pair { e[1] = put(t, "c48a 12610001 88", enc.TagBytes, "8b"); return e },
			[]string{`missing value "89" of column "primary key" in entry c48a12610001`, `extra value "8b" of column "primary key" in entry c48a12610001`}},
		{"NULL without primary key", 2, func(e []pair) []pair { e[0] = put(t, "c48a 00 88", enc.TagBytes, "8a"); return e },
			[]string{"extra entry c48a00", "missing entry c48a008a"}},
		{"a stored value", 3, func(e []pair) []pair {
			e[0] = put(t, "c48b 24fcc300 89 88", enc.TagBytes, "35 03 348982 13 10")
			return e
		},
			[]string{`missing value "7" of column "n" in entry c48b24fcc30089`, `extra value "8" of column "n" in entry c48b24fcc30089`}},
		{"the digits of a key", 3, func(e []pair) []pair { e[0] = put(t, "c48b 24fcc300 89 88", enc.TagBytes, "43 0e"); return e },
			[]string{`missing value "1.30" of column "d" in entry c48b24fcc30089`}},
		{"a family of its own", 3, func(e []pair) []pair {
			return append([]pair{put(t, "c48b 24fcc300 89 88", enc.TagBytes, "35 03 348982"), put(t, "c48b 24fcc300 89 8989", enc.TagTuple, "43 0e")}, e[1:]...)
		}, nil},
		{"the same value in another form", 3, func(e []pair) []pair {
			e[0] = put(t, "c48b 24fcc300 89 88", enc.TagBytes, "35 03 348982 13 8e00")
			return e
		}, nil},
		{"missing in an inverted index", 6, func(e []pair) []pair { return e[:1] }, []string{"missing entry c48e37000300011261000189"}},
		{"extra in an inverted index", 6, func(e []pair) []pair { return append(e, put(t, "c48e 37 0001 00 8a 88", enc.TagBytes, "")) }, []string{"extra entry c48e370001008a"}},
		{"a partial index", 5, func(e []pair) []pair { return nil }, nil},
		{"extra in a partial index", 5, func(e []pair) []pair { return append(e, put(t, "c48d 8f 8a 88", enc.TagBytes, "")) }, []string{"extra entry c48d8f8a"}},
	} {
		for _, memory := range []int64{0, 1 << 20, 100} {
			d, err := New(indexed(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			rows, entries := indexedRows(t)
			altered := c.alter(slices.Clone(entries[c.index]))
			entries[c.index] = altered
			for _, e := range headcount(t, d, rows, entries).Entries {
				same := e.WantSum == e.HaveSum
				if e.Index == c.index && e.Index != 5 && same == (len(c.want) > 0) && c.name != "the same value in another form" {
					t.Errorf("%s: the sums are the same: %v", c.name, same)
				}
			}
			open := func(list []pair) Opener { return func() (Source, error) { return &pairs{list: list}, nil } }
			named, count, err := d.Compare(context.Background(), c.index, open(rows), open(altered), Size{Rows: int64(len(rows)), Memory: memory})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range named {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" || count != int64(len(got)) {
				t.Errorf("%s, memory %d: %d (-want +got):\n%s", c.name, memory, count, diff)
			}
		}
	}
}

// TestBadEntries holds that entries which cannot be read are doubts.
func TestBadEntries(t *testing.T) {
	d, err := New(indexed(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pair pair
		want Reason
	}{
		{flipped(put(t, "c48a 12610001 88", enc.TagBytes, "89")), BadChecksum},
		{short(put(t, "c48a 12610001 88", enc.TagBytes, "89")), Undecodable},
		{put(t, "c48a 12610001 88", enc.TagBytes, "12"), Undecodable},
		{put(t, "c48a 12610001 88", enc.TagBytes, "89 2f7f"), Undecodable},
		{put(t, "c48a 12610001 88", enc.TagInt, "02"), Undecodable},
		{put(t, "c48a 12610001", enc.TagBytes, "89"), Undecodable},
		{put(t, "", enc.TagBytes, "89"), Undecodable},
	} {
		res, err := d.ReadEntries(context.Background(), 2, &pairs{list: []pair{c.pair}})
		if err != nil || len(res.Doubts) != 1 || res.Doubts[0].Reason != c.want {
			t.Errorf("%x: %+v, %v, want %s", c.pair.value, res.Doubts, err, c.want)
		}
	}
}

// TestCuts holds that results do not depend on where a table is cut.
func TestCuts(t *testing.T) {
	for _, name := range []string{"inventory", "guild_members", "shop_orders", "nicknames"} {
		def, d, list := load(t, name)
		whole, err := d.Read(context.Background(), &pairs{list: list}, Output{})
		if err != nil {
			t.Fatal(err)
		}
		var sum Result
		for from, n := 0, 1; from < len(list); n = n%97 + 1 {
			to := min(from+n, len(list))
			for to < len(list) && bytes.Equal(d.RowStart(list[to].key), d.RowStart(list[to-1].key)) {
				to++
			}
			res, err := d.Read(context.Background(), &pairs{list: list[from:to]}, Output{})
			if err != nil {
				t.Fatal(err)
			}
			sum.Add(res)
			from = to
		}
		if diff := cmp.Diff(whole, sum); diff != "" {
			t.Errorf("%s in pieces (-whole +pieces):\n%s", def.Name, diff)
		}
	}
}
