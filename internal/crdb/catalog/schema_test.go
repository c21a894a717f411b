package catalog

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// TestRoundTrip writes the schema of the real databases down and reads it back:
// the rows are found and read by what comes back as by the descriptors.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"tiny-v20.2a", "crash-v20.2a"} {
		c := fixture(t, name)
		var out strings.Builder
		if _, err := WriteCockroach(&out, c); err != nil {
			t.Fatal(err)
		}
		back, doubts, err := ParseSchema(out.String())
		if err != nil || len(doubts) > 0 {
			t.Fatal(err, doubts)
		}
		for _, want := range c.tablesOf(1, 52) {
			got := back.Table(1, want.ID)
			if got == nil {
				t.Errorf("table %q did not come back", want.Name)
				continue
			}
			if want.View != "" || want.Sequence != nil {
				continue
			}
			if diff := gocmp.Diff(layoutOf(want), layoutOf(got), cmpopts.EquateEmpty(), cmpopts.IgnoreTypes(&enc.Collator{})); diff != "" {
				t.Errorf("%s: descriptor (-), file (+):\n%s", want.Name, diff)
			}
		}
	}
}

// layout is what the rows of a table are read by.
type layout struct {
	Columns  []columnLayout
	Families []Family
	Indexes  []indexLayout
}

type columnLayout struct {
	ID       uint32
	Name     string
	Type     enc.Type
	Nullable bool
	Hidden   bool
}

type indexLayout struct {
	ID                              uint32
	Name                            string
	Columns, Extra, Store, Composed []uint32
	Desc                            []bool
	Ancestors                       []Ancestor
}

func layoutOf(t *Table) layout {
	var out layout
	for _, c := range t.Columns {
		one := columnLayout{c.ID, c.Name, c.Type, c.Nullable, c.Hidden}
		withoutOIDs(&one.Type)
		out.Columns = append(out.Columns, one)
	}
	for _, f := range t.Families {
		if f.ID == 0 {
			f.Default = 0 // family 0 is always a tuple
		}
		slices.Sort(f.Columns)
		out.Families = append(out.Families, f)
	}
	for _, ix := range append([]Index{t.Primary}, t.Indexes...) {
		out.Indexes = append(out.Indexes, indexLayout{ix.ID, ix.Name, ix.Columns, ix.Extra, ix.Store, compositeOf(t, ix), ix.Desc, ix.Ancestors})
	}
	return out
}

// compositeOf are the composite columns of a secondary index: of a primary one
// the types tell.
func compositeOf(t *Table, ix Index) []uint32 {
	if ix.ID == t.Primary.ID {
		return nil
	}
	return ix.Composite
}

// withoutOIDs takes the OIDs of arrays out, which no value needs.
func withoutOIDs(t *enc.Type) {
	if t.Family == enc.ArrayFamily {
		t.OID = 0
	}
}

func TestParseSchema(t *testing.T) {
	c, doubts, err := ParseSchema(`
		-- id 100
		CREATE TYPE shop.public.size AS ENUM ('s', 'm', /* bytes e0 */ 'l');
		USE shop;
		-- table id: 104
		CREATE TABLE parent (id SERIAL PRIMARY KEY, v STRING UNIQUE CHECK (v <> ''), FAMILY f (id), FAMILY g (v));
		table id 105
		CREATE TABLE IF NOT EXISTS public.child (
			id INT8 NOT NULL, n INT4 DEFAULT (1 + 2) NOT NULL, -- a note
			/* id 7 */ size public.size[] NULL, price NUMERIC(10, 2) ON UPDATE 1.5 NULL,
			twice INT8 AS (n * 2) VIRTUAL, j JSONB, parent INT8 REFERENCES parent ON DELETE CASCADE,
			created TIMESTAMP(3) WITH TIME ZONE DEFAULT now():::TIMESTAMPTZ,
			PRIMARY KEY (id ASC, n DESC) USING HASH WITH (bucket_count=8),
			INVERTED INDEX (j), UNIQUE INDEX u (n DESC) STORING (price) WHERE n > 0,
			/* id 9 */ INDEX (price)
		);
		/* 106 */ TABLE ID 106;
		CREATE TABLE inner_ (id INT8, x INT8, y INT8, PRIMARY KEY (id, x)) INTERLEAVE IN PARENT parent (id);
		-- id 107
		CREATE TABLE innermost (id INT8, x INT8, z INT8, CONSTRAINT k PRIMARY KEY (id, x, z) /* INTERLEAVE IN PARENT public.inner_ (id, x) */);
		CREATE TABLE nameless (a INT8);
		DROP TABLE other;
	`)
	if err != nil {
		t.Fatal(err)
	}
	if len(doubts) != 1 || doubts[0].Name != "nameless" {
		t.Errorf("doubts %v", doubts)
	}
	w := &cockroach{catalog: c, namer: c.namer(1), Script: &Script{Tenant: 1}}
	child := c.Table(1, 105)
	var got []string
	for i := range child.Columns {
		got = append(got, fmt.Sprint(child.Columns[i].ID, " ", w.column(&child.Columns[i])))
	}
	want := []string{
		"1 id INT8 NOT NULL", "2 n INT4 NOT NULL DEFAULT (1 + 2)", "7 size public.size[] NULL", "8 price DECIMAL(10,2) NULL ON UPDATE 1.5",
		"9 twice INT8 NULL AS (n * 2) VIRTUAL", "10 j JSONB NULL", "11 parent INT8 NULL", "12 created TIMESTAMPTZ(3) NULL DEFAULT now():::TIMESTAMPTZ",
		"13 crdb_internal_id_n_shard_8 INT4 NOT VISIBLE NOT NULL AS (NULL) STORED",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	child.eachIndex(func(ix *Index) { got = append(got, fmt.Sprint(ix.ID, " ", ix.Name, w.indexBody(child, ix))) })
	want = []string{
		"1 primary(id ASC, n DESC) USING HASH WITH (bucket_count=8)", "2 child_j_idx(j)",
		"3 u(n DESC) STORING (price) WHERE n > 0", "9 child_price_idx(price ASC)",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	parent := c.Table(1, 104)
	if ref := child.Foreign; len(ref) != 1 || ref[0].Table != 104 || !slices.Equal(ref[0].References, []uint32{1}) || ref[0].OnDelete.String() != "CASCADE" {
		t.Errorf("foreign keys %+v", ref)
	}
	innermost := c.Table(1, 107)
	if diff := gocmp.Diff([]Ancestor{{Table: 104, Index: 1, Shared: 1}, {Table: 106, Index: 1, Shared: 1}}, innermost.Primary.Ancestors); diff != "" {
		t.Error(diff)
	}
	if got := w.interleave(innermost, &innermost.Primary); got != " /* INTERLEAVE IN PARENT public.inner_ (id, x) */" {
		t.Error(got)
	}
	if !slices.Equal(parent.Indexes[0].Columns, []uint32{2}) || len(parent.Checks) != 1 || parent.Column(1).Default != "unique_rowid()" || parent.Families[1].Default != 2 {
		t.Errorf("parent %+v", parent)
	}
	members := child.Column(7).Type.Elem.Enum.Members
	if len(members) != 3 || members[1].Physical[0] != 0x80 || members[2].Physical[0] != 0xe0 {
		t.Errorf("members %+v", members)
	}
}

func TestParseSchemaRefuses(t *testing.T) {
	for sql, want := range map[string]string{
		"\nCREATE TABLE t (a 5)":              `line 2: table "t": a name expected, "5" found`,
		"CREATE TABLE t (a INT8":              `a comma expected, "" found`,
		"-- id 5\nCREATE TABLE t AS SELECT 1": `"(" expected, "AS" found`,
		"CREATE TABLE t (INDEX ((a + 1)))":    "an index of an expression is not understood",
	} {
		if _, _, err := ParseSchema(sql); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
}

// TestSpread holds the bytes of a new enum's members to those of a real one.
func TestSpread(t *testing.T) {
	for _, u := range fixture(t, "crash-v20.2a").Types {
		if u.Kind != EnumKind {
			continue
		}
		fresh := slices.Clone(u.Members.Members)
		spread(fresh, nil, nil)
		if diff := gocmp.Diff(u.Members.Members, fresh); diff != "" {
			t.Error(diff)
		}
	}
	many := make([]enc.Member, 1000)
	spread(many, nil, nil)
	for i := 1; i < len(many); i++ {
		if bytes.Compare(many[i-1].Physical, many[i].Physical) >= 0 {
			t.Fatalf("member %d has %x, the one before it %x", i, many[i].Physical, many[i-1].Physical)
		}
	}
}

func FuzzParseSchema(f *testing.F) {
	sql, err := os.ReadFile(fixtureFile(f, "crash-v20.2a", "truth", "schema.sql"))
	if err != nil {
		f.Fatal(err)
	}
	for _, st := range strings.Split(string(sql), "\n\n") {
		f.Add("-- id 60\n" + st)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		c, _, err := ParseSchema(sql)
		if err != nil {
			return
		}
		for _, o := range c.databasesToWrite() {
			Cockroach(c, o.tenant, o.id)
			Postgres(c, o.tenant, o.id)
		}
	})
}
