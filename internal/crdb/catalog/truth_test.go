package catalog

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// shown is what users see of a table, in words: what SHOW CREATE shows.
type shown struct {
	Columns, Indexes, Families, Foreign, Checks []string
	Primary, View, Interleave                   string
}

// shownOf describes a table without ids.
func shownOf(c *Catalog, t *Table) shown {
	w := &cockroach{catalog: c, namer: c.namer(t.Tenant), Script: &Script{Tenant: t.Tenant}}
	if t.Sequence != nil {
		return shown{Primary: sequenceOptions(t.Sequence)}
	}
	out := shown{View: t.View}
	for i := range t.Columns {
		switch col := &t.Columns[i]; {
		case t.View != "":
			out.Columns = append(out.Columns, col.Name)
		case !t.isShard(col):
			out.Columns = append(out.Columns, w.column(col))
		}
	}
	if t.View != "" {
		return out
	}
	out.Primary = ident(t.Primary.Name) + w.indexBody(t, &t.Primary)
	if n := len(t.Primary.Ancestors); n > 0 {
		out.Interleave = c.Table(t.Tenant, t.Primary.Ancestors[n-1].Table).Name
	}
	for i := range t.Indexes {
		out.Indexes = append(out.Indexes, indexKind(&t.Indexes[i])+" "+t.Indexes[i].Name+extraComment.ReplaceAllString(w.indexBody(t, &t.Indexes[i]), ""))
	}
	for _, f := range t.Families {
		out.Families = append(out.Families, f.Name+" "+t.list(f.Columns))
	}
	for _, fk := range t.Foreign {
		if st, ok := foreignKey(c, t, fk, w.Script); ok {
			out.Foreign = append(out.Foreign, st.SQL)
		}
	}
	for _, ch := range t.Checks {
		if !ch.Hidden {
			out.Checks = append(out.Checks, ch.Name+" "+ch.Expr)
		}
	}
	slices.Sort(out.Indexes)
	return out
}

// extraComment is what SHOW CREATE does not say of an old index.
var extraComment = regexp.MustCompile(` /\* EXTRA .* \*/`)

// TestTruth compares each table with what SHOW CREATE of the living database
// said of it.
func TestTruth(t *testing.T) {
	for _, name := range []string{"tiny-v20.2a", "crash-v20.2a"} {
		t.Run(name, func(t *testing.T) {
			c := fixture(t, name)
			sql, err := os.ReadFile(fixtureFile(t, name, "truth", "schema.sql"))
			if err != nil {
				t.Fatal(err)
			}
			want, doubts, err := ParseSchema(withIDs(c, string(sql)))
			if err != nil {
				t.Fatal(err)
			}
			if len(doubts) > 0 {
				t.Error(doubts)
			}
			if n := len(c.tablesOf(1, 52)); n != len(want.Tables) || n != 28 {
				t.Errorf("%d tables, SHOW CREATE shows %d", n, len(want.Tables))
			}
			for _, w := range want.Tables {
				got := c.Table(w.Tenant, w.ID)
				if got == nil || got.Name != w.Name {
					t.Errorf("table %q is not there", w.Name)
					continue
				}
				if diff := gocmp.Diff(shownOf(want, w), shownOf(c, got)); diff != "" {
					t.Errorf("%s: shown (-), ours (+):\n%s", w.Name, diff)
				}
			}
		})
	}
}

// withIDs puts the id of each table before its statement, as a user would who
// knows them.
func withIDs(c *Catalog, sql string) string {
	out := "-- id 78\nCREATE TYPE kingdom.public.rarity AS ENUM ('common', 'rare', 'epic', '전설');\nUSE kingdom;\n"
	for _, st := range strings.Split(sql, "\n\n") {
		words := strings.Fields(st)
		for _, t := range c.tablesOf(1, 52) {
			if len(words) > 2 && words[2] == t.Name {
				out += "-- id " + strconv.FormatUint(uint64(t.ID), 10) + "\n"
			}
		}
		out += st + "\n\n"
	}
	return out
}
