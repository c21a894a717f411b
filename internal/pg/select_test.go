package pg

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/testenv"
)

// Each selection is asked of Go and of a server: both must mean the same.
func TestSelection(t *testing.T) {
	conn := dial(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)))
	relations := [][2]string{{"app", "orders"}, {"app", "orders_2025"}, {"app", "order%"}, {"App", "orders"}, {"public", "t"}, {"odd.schema", `Ta"b*le`}, {`a\b`, "x"}}
	for _, c := range []struct {
		name     string
		s        Selection
		want     string // a digit for each relation that is meant
		schemas  string // and for each whose schema is
		wantsAll bool
	}{
		{"all", Selection{}, "0123456", "0123456", true},
		{"schema", Selection{Schemas: []string{"app"}}, "012", "012", false},
		{"schemas by star", Selection{Schemas: []string{"*p*"}}, "01234", "01234", false},
		{"table", Selection{Tables: []string{"app.orders"}}, "0", "", false},
		{"schema or table", Selection{Schemas: []string{"public"}, Tables: []string{"app.orders*"}}, "014", "4", false},
		{"any schema", Selection{Tables: []string{"*.orders"}}, "03", "", false},
		{"but a schema", Selection{NotSchemas: []string{"app"}}, "3456", "3456", false},
		{"but a table", Selection{Schemas: []string{"app"}, NotTables: []string{"app.*_*"}}, "02", "012", false},
		{"sql wildcards are plain", Selection{Tables: []string{"app.order%", "app.orders_202_"}}, "2", "", false},
		{"quoted", Selection{Tables: []string{`"odd.schema"."Ta""b*le"`}}, "5", "", false},
		{"star within", Selection{Tables: []string{"a*p.o*r*s"}}, "0", "", false},
		{"backslash", Selection{Schemas: []string{`a\b`}}, "6", "6", false},
		{"overlap", Selection{Tables: []string{"app.orders*orders"}}, "", "", false},
	} {
		f, err := c.s.Filter()
		if err != nil {
			t.Fatal(err)
		}
		var inGo, schemasInGo, inSQL, schemasInSQL string
		for i, r := range relations {
			var meant, schema bool
			err := conn.QueryRow(t.Context(), "select "+f.SQL("s", "n")+", "+f.SchemaSQL("s")+" from (select $1::text as s, $2::text as n) r", r[0], r[1]).Scan(&meant, &schema)
			if err != nil {
				t.Fatal(err)
			}
			for list, is := range map[*string]bool{&inGo: f.Has(r[0], r[1]), &schemasInGo: f.HasSchema(r[0]), &inSQL: meant, &schemasInSQL: schema} {
				if is {
					*list += fmt.Sprint(i)
				}
			}
		}
		want := []string{c.want, c.schemas, c.want, c.schemas}
		if diff := cmp.Diff(want, []string{inGo, schemasInGo, inSQL, schemasInSQL}); diff != "" || f.All() != c.wantsAll {
			t.Errorf("%s: all is %v; Go, then SQL: %s", c.name, f.All(), diff)
		}
	}
}

func TestSelectionRefusesWhatItCannotRead(t *testing.T) {
	for _, s := range []Selection{
		{Tables: []string{"orders"}}, {Schemas: []string{"a.b"}}, {NotTables: []string{"a."}}, {NotSchemas: []string{""}}, {Tables: []string{`"a.b`}},
	} {
		if _, err := s.Filter(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v: %v", s, err)
		}
	}
}
