package pg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoachIsKnownByItsVersion(t *testing.T) {
	for version, want := range map[string]*roach{
		"CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.10)": {major: 23, minor: 1},
		"CockroachDB OSS v22.2.0 (x86_64-unknown-linux-gnu, built 2022/12/05, go1.19.1)":       {major: 22, minor: 2},
		"PostgreSQL 15.4 on x86_64-pc-linux-gnu, compiled by gcc":                              nil,
	} {
		got := readRoach(version)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%s is %+v", version, got)
		}
	}
	for _, c := range []struct {
		major, minor int
		copies       bool
	}{{22, 2, false}, {23, 1, true}, {23, 2, true}, {24, 0, true}} {
		if r := (&roach{major: c.major, minor: c.minor}); r.copies() != c.copies {
			t.Errorf("v%d.%d copies: %v", c.major, c.minor, r.copies())
		}
	}
}

// What only PostgreSQL has is not asked of a CockroachDB.
func TestRoachIsAskedWhatItDocuments(t *testing.T) {
	table := &relation{columns: []string{"id", "Odd"}, key: []string{"id"}, parts: []part{{from: Quote("public", "t")}}, portable: true}
	asked := map[string]string{
		roachMoment("1700000000000000000.0000000000"): "begin transaction as of system time '1700000000000000000.0000000000'",
		table.selects(table.columns, table.parts[0]):  `select "id", "Odd" from "public"."t"`,
		table.orderedSQL(table.columns, 1): `select r.* from (select "id", "Odd" from "public"."t") r` +
			` order by convert_to(coalesce(r."id"::text, ''), 'UTF8')`,
		table.orderedSQL(table.columns, 0): `select concat_ws(chr(31), coalesce(r."id"::text, chr(30)), coalesce(r."Odd"::text, chr(30))), r.*` +
			` from (select "id", "Odd" from "public"."t") r` +
			` order by convert_to(coalesce(concat_ws(chr(31), coalesce(r."id"::text, chr(30)), coalesce(r."Odd"::text, chr(30)))::text, ''), 'UTF8')`,
	}
	for got, want := range asked {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	f, err := Selection{Schemas: []string{"app"}}.Filter()
	if err != nil {
		t.Fatal(err)
	}
	all := roachTables + f.SQL("t.schema_name", "t.table_name")
	for sql := range asked {
		all += sql
	}
	for _, foreign := range []string{"ctid", "pg_export_snapshot", " only ", "pg_catalog", "textsend", "format("} {
		if strings.Contains(all, foreign) {
			t.Errorf("%q is asked of a CockroachDB", foreign)
		}
	}
}

// A server that cannot copy gives the same lines by SELECT.
func TestCopyLine(t *testing.T) {
	got := string(copyLine(nil, [][]byte{[]byte("a\tb"), nil, []byte(`\N`), {}, []byte("\n\r\b\f\v\\é")}))
	if want := `a\tb` + "\t" + `\N` + "\t" + `\\N` + "\t\t" + `\n\r\b\f\v\\é`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if values := fields([]byte(got), 5); values[1] != nil || string(values[2]) != `\N` || string(values[4]) != "\n\r\b\f\v\\é" {
		t.Errorf("read back as %q", values)
	}
	long := &gathered{}
	if err := takeLine(long, make([]byte, 2*copyWindow+1)); err != nil || long.pieces != 2 || len(long.rows) != 1 {
		t.Errorf("a long line: %v, %d pieces", err, long.pieces)
	}
}
