package pg

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// TestVerifyRandomTables makes random tables with random rows, changes the
// target at random, and wants exactly what a plain reading of both sides into
// maps finds different.
func TestVerifyRandomTables(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := &roulette{rand.New(rand.NewPCG(seed, 0))}
			tables := make([]randomTable, 6)
			var script []string
			for i := range tables {
				tables[i] = r.table(fmt.Sprintf("t%d", i))
				script = append(script, tables[i].create()...)
			}
			source, target := twoSides(t, strings.Join(script, ";\n"))
			var changes []string
			for _, table := range tables {
				changes = append(changes, r.changes(table)...)
			}
			once(t, target, strings.Join(changes, ";\n"))

			var want []string
			for _, table := range tables {
				want = append(want, table.compare(t, source, target)...)
			}
			slices.Sort(want)
			for _, memory := range []int64{enough, 1} {
				got := said(slices.DeleteFunc(headcount(t, source, target, memory).Differences, isObject))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("memory %d: wanted (-), said (+):\n%s", memory, diff)
				}
			}
		})
	}
}

// roulette makes random things.
type roulette struct{ *rand.Rand }

// randomTable has a key of some columns, or none.
type randomTable struct {
	name  string
	types []string
	keys  int
	rows  [][]string // SQL literals
}

var someTypes = []string{"int", "bigint", "text", "uuid", "numeric", "float8", "timestamptz", "bytea", "boolean", "int[]", "jsonb", "char(8)"}

func (r *roulette) table(name string) randomTable {
	table := randomTable{name: name, keys: r.IntN(4)}
	for range max(table.keys, 1) + r.IntN(4) {
		table.types = append(table.types, someTypes[r.IntN(len(someTypes))])
	}
	for range r.IntN(300) {
		table.rows = append(table.rows, r.row(table))
	}
	return table
}

func (r *roulette) row(table randomTable) []string {
	row := make([]string, len(table.types))
	for i, typ := range table.types {
		if row[i] = "null"; i < table.keys || r.IntN(6) > 0 {
			row[i] = r.value(typ) + "::" + typ
		}
	}
	return row
}

func (r *roulette) value(typ string) string {
	n := r.IntN(2000) - 1000
	switch typ {
	case "int", "bigint":
		return fmt.Sprintf("(%d)", n)
	case "numeric":
		return fmt.Sprintf("(%d.%0*d)", n, 1+r.IntN(3), r.IntN(10))
	case "float8":
		return []string{"'NaN'", "'-0'", "'0'", "'inf'", fmt.Sprintf("(%g)", r.NormFloat64())}[r.IntN(5)]
	case "uuid":
		return fmt.Sprintf("md5('%d')", n)
	case "timestamptz":
		return fmt.Sprintf("(timestamptz '2024-01-01Z' + %d * interval '1.000001 s')", n)
	case "bytea":
		return fmt.Sprintf(`'\x%04x'`, n+1000)
	case "boolean":
		return fmt.Sprint(n > 0)
	case "int[]":
		return fmt.Sprintf("array[%d, null, %d]", n, n%7)
	case "jsonb":
		return fmt.Sprintf(`'{"n": %d, "t": "a\\tb"}'`, n)
	}
	const letters = `aAbBzZ äÄéß\"',	_-日𝄞`
	runes := []rune(letters)
	word := make([]rune, r.IntN(6))
	for i := range word {
		word[i] = runes[r.IntN(len(runes))]
	}
	return Literal(string(word))
}

func (t randomTable) create() []string {
	columns := make([]string, len(t.types))
	for i, typ := range t.types {
		columns[i] = fmt.Sprintf("c%d %s", i, typ)
	}
	key := ""
	if t.keys > 0 {
		key = ", primary key (" + strings.Join(t.columns()[:t.keys], ", ") + ")"
	}
	script := []string{"create table " + t.name + " (" + strings.Join(columns, ", ") + key + ")"}
	for _, row := range t.rows {
		script = append(script, t.insert(row))
	}
	return script
}

func (t randomTable) insert(row []string) string {
	return "insert into " + t.name + " values (" + strings.Join(row, ", ") + ") on conflict do nothing"
}

func (t randomTable) columns() []string {
	names := make([]string, len(t.types))
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	return names
}

// changes are random deletes, inserts and updates of single rows.
func (r *roulette) changes(t randomTable) (script []string) {
	some := fmt.Sprintf("ctid in (select ctid from %s order by md5(%s::text || '%d') limit %d)", t.name, t.name, r.IntN(1000), r.IntN(4))
	script = append(script, "delete from "+t.name+" where "+some)
	for range r.IntN(4) {
		script = append(script, t.insert(r.row(t)))
	}
	if last := len(t.types) - 1; last >= t.keys {
		script = append(script, fmt.Sprintf("update %s set c%d = %s where %s", t.name, last, r.row(t)[last], some))
	}
	return script
}

// compare is the independent judge: both sides as text in maps.
func (t randomTable) compare(tb testing.TB, source, target secret.DSN) (differences []string) {
	a, b := t.read(tb, source), t.read(tb, target)
	tell := func(kind, key string) {
		differences = append(differences, strings.TrimSpace(kind+" public."+t.name+" "+key))
	}
	if t.keys == 0 {
		for row, n := range a.count {
			for range max(n-b.count[row], 0) {
				tell(Missing, "")
			}
		}
		for row, n := range b.count {
			for range max(n-a.count[row], 0) {
				tell(Extra, "")
			}
		}
		return differences
	}
	for key, row := range a.byKey {
		switch other, there := b.byKey[key]; {
		case !there:
			tell(Missing, key)
		case row != other:
			tell(Different, key)
		}
	}
	for key := range b.byKey {
		if _, there := a.byKey[key]; !there {
			tell(Extra, key)
		}
	}
	return differences
}

type side struct {
	byKey map[string]string
	count map[string]int
}

func (t randomTable) read(tb testing.TB, dsn secret.DSN) side {
	tb.Helper()
	conn := dial(tb, dsn)
	execSQL(tb, conn, "set timezone = 'UTC'; set extra_float_digits = 3")
	names := t.columns()
	key := "''"
	switch t.keys {
	case 0:
	case 1:
		key = "format('%s', c0)"
	default:
		key = "row(" + strings.Join(names[:t.keys], ", ") + ")::text"
	}
	rows, err := conn.Query(tb.Context(), "select "+key+", row("+strings.Join(names, ", ")+")::text from "+t.name)
	if err != nil {
		tb.Fatal(err)
	}
	s := side{map[string]string{}, map[string]int{}}
	var k, row string
	if _, err := pgx.ForEachRow(rows, []any{&k, &row}, func() error {
		s.byKey[k] = row
		s.count[row]++
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return s
}
