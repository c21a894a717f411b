package catalog

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// sample is a catalog with one of each: an enum, a sequence, a function and a
// table.
func sample() (*Catalog, *Table) {
	color := UserType{Tenant: 1, ID: 106, DatabaseID: 52, SchemaID: PublicSchema, Schema: "public", Name: "color", ArrayID: 107,
		Members: enc.Enum{Members: []enc.Member{{Physical: []byte{0x40}, Label: "red"}, {Physical: []byte{0x80}, Label: "it's"}}}}
	for _, m := range color.Members.Members {
		color.members = append(color.members, member{Member: m})
	}
	integer := enc.Type{Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8}
	t := &Table{ID: 110, Tenant: 1, DatabaseID: 52, Database: "shop", Schema: "public", Name: "t",
		Columns: []Column{
			{ID: 1, Name: "a", Type: integer}, {ID: 2, Name: "order", Type: integer, Nullable: true},
			{ID: 3, Name: "j", Type: enc.Type{Family: enc.JSONFamily}, Nullable: true}, {ID: 4, Name: "s", Type: enc.Type{Family: enc.StringFamily, OID: enc.OIDText}},
		},
		Primary: Index{ID: 1, Name: "primary", Columns: []uint32{1}, Desc: []bool{false}, Unique: true},
	}
	c := &Catalog{
		Types:     []UserType{color, {Tenant: 1, ID: 107, DatabaseID: 52, Schema: "public", Name: "_color", Kind: AliasKind}},
		Functions: []Function{{Tenant: 1, ID: 108, DatabaseID: 52, Database: "shop", Schema: "public", Name: "f", Body: "SELECT 1;\nSELECT 2"}},
		Tables:    []*Table{t, {ID: 109, Tenant: 1, DatabaseID: 52, Database: "shop", Schema: "public", Name: "Numbers", Sequence: &Sequence{Increment: 1, Min: 1, Max: 9, Start: 1}}},
	}
	c.order()
	return c, t
}

func TestNames(t *testing.T) {
	c, _ := sample()
	n := c.namer(1)
	for in, want := range map[string]string{
		"x'40':::@100106":                     "'red':::public.color",
		`b'\x80':::@100106`:                   "'it''s':::public.color",
		"ARRAY[x'40':::@100106]:::@100107":    "ARRAY['red':::public.color]:::public.color[]",
		"a IN (x'40':::@100106, 'b':::@99)":   "a IN ('red':::public.color, 'b':::@99)",
		"nextval(109:::REGCLASS)":             `nextval('public."Numbers"':::REGCLASS)`,
		"[FUNCTION 100108](1:::INT8)":         "public.f(1:::INT8)",
		"'@100106 REGCLASS' || e'\\'@100106'": "'@100106 REGCLASS' || e'\\'@100106'",
		"x'99':::@100106":                     "x'99':::public.color",
		"a::@100999":                          "a::@100999",
	} {
		if got := n.expr(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestPortable(t *testing.T) {
	c, table := sample()
	for _, test := range []struct {
		use            use
		in, want, why_ string
	}{
		{forDefault, "1:::INT8", "1::bigint", ""},
		{forDefault, "nextval('numbers':::STRING)", "", "is not there"},
		{forDefault, `nextval('"Numbers"':::STRING)`, `nextval('public."Numbers"'::regclass)`, ""},
		{forDefault, `nextval('shop.public."Numbers"'::REGCLASS)`, `nextval('public."Numbers"'::regclass)`, ""},
		{forDefault, "nextval(109:::REGCLASS)", `nextval('public."Numbers"'::regclass)`, ""},
		{forDefault, "nextval(s)", "", "no name"},
		{forDefault, "unique_rowid()", "nextval('public.unique_rowid'::regclass)", ""},
		{forDefault, "now():::TIMESTAMPTZ", "now()::timestamp with time zone", ""},
		{forDefault, "current_timestamp():::TIMESTAMPTZ", "current_timestamp::timestamp with time zone", ""},
		{forDefault, "gateway_region()::@100106", "", "it calls gateway_region"},
		{forDefault, "x'40':::@100106", "'red'::public.color", ""},
		{forDefault, `b'\xff\x00':::BYTES`, `'\xff00'::bytea::bytea`, ""},
		{forDefault, `e'a\'\n\U0001F600\\':::STRING`, "'a''\n😀\\'::text", ""},
		{forDefault, "ARRAY[]:::STRING[]", "ARRAY[]::text[]", ""},
		{forDefault, "'{}':::JSONB", "'{}'::jsonb", ""},
		{forDefault, "'a':::STRING COLLATE en", "'a'::text", ""},
		{forDefault, "'x':::GEOMETRY", "", "it names the type"},
		{forCheck, `a > 0:::INT8 AND "order" IN (1:::INT8, 2:::INT8)`, `a > 0::bigint AND "order" IN (1::bigint, 2::bigint)`, ""},
		{forCheck, "a // 2 = 1", "", "//"},
		{forCheck, "a == 1", "a = 1", ""},
		{forStored, "a / 2:::INT8", "", "it divides what may be"},
		{forStored, "a::FLOAT8 / 2:::INT8", "a::double precision / 2::bigint", ""},
		{forStored, "CAST(a AS DECIMAL) / 2", "", "it divides what may be"},
		{forStored, "CAST(a AS INT4)", "CAST(a AS integer)", ""},
		{forStored, "a::STRING", "", "it casts to text"},
		{forStored, "CAST(a AS STRING)", "", "it casts to text"},
		{forStored, "(j->>'k':::STRING)::INT8", "(j->>'k'::text)::bigint", ""},
		{forIndex, "lower(s) || 'x':::STRING", "lower(s) || 'x'::text", ""},
		{forStored, "lower(s)", "", "it calls lower"},
		{forStored, "a::DECIMAL / 3:::DECIMAL", "", "it divides what may be"},
		{forIndex, "a::DECIMAL / 3:::DECIMAL", "a::numeric / 3::numeric", ""},
		{forStored, "now()", "", "it calls now"},
		{forStored, "fnv32(s)", "", "it calls fnv32"},
		{forStored, "CASE WHEN a > 1 THEN 'b' ELSE 'c' END", "CASE WHEN a > 1 THEN 'b' ELSE 'c' END", ""},
		{forStored, "s COLLATE en = 'a'", "", "collation"},
		{forStored, "a = 1; DROP TABLE t", "", ";"},
		{forStored, "'a\x00b'", "", "zero byte"},
		{forStored, "@1 > 2", "", "@1"},
	} {
		w := &postgres{catalog: c, namer: c.namer(1), Script: &Script{Tenant: 1, Database: "shop"}, database: 52, used: map[string]bool{}}
		got, why := w.expr(table, test.in, test.use)
		if test.why_ != "" && !strings.Contains(why, test.why_) || test.why_ == "" && (got != test.want || why != "") {
			t.Errorf("%s: %q, %q; want %q, %q", test.in, got, why, test.want, test.why_)
		}
	}
}

// TestPostgresLeavesOut writes what PostgreSQL cannot have, each with its name.
func TestPostgresLeavesOut(t *testing.T) {
	c, table := sample()
	point := enc.Type{Family: enc.GeometryFamily}
	table.Columns = append(table.Columns,
		Column{ID: 5, Name: "g", Type: point, Mod: Modifiers{Shape: "POINT"}, Nullable: true},
		Column{ID: 6, Name: "h", Type: enc.Type{Family: enc.StringFamily, OID: enc.OIDText}, Computed: "fnv32(s)::STRING", Virtual: true, Nullable: true},
		Column{ID: 7, Name: "crdb_internal_idx_expr", Type: enc.Type{Family: enc.StringFamily, OID: enc.OIDText}, Computed: "lower(s)", Virtual: true, Inaccessible: true, Nullable: true},
		Column{ID: 8, Name: "d", Type: enc.Type{Family: enc.UUIDFamily}, Default: "uuid_v4()::UUID", OnUpdate: "gen_random_uuid()", Nullable: true})
	table.Indexes = []Index{
		{ID: 2, Name: "t", Columns: []uint32{2}, Desc: []bool{true}},
		{ID: 3, Name: "ix_j", Kind: Inverted, Columns: []uint32{3}, Desc: []bool{false}},
		{ID: 4, Name: "ix_g", Kind: Inverted, Columns: []uint32{5}, Desc: []bool{false}},
		{ID: 5, Name: "ix_two", Kind: Inverted, Columns: []uint32{1, 3}, Desc: []bool{false, false}},
		{ID: 6, Name: "ix_lower", Columns: []uint32{7}, Desc: []bool{false}, Store: []uint32{2, 6}},
		{ID: 7, Name: "ix_h", Columns: []uint32{6}, Desc: []bool{false}},
		{ID: 8, Name: "ix_part", Unique: true, Columns: []uint32{2}, Desc: []bool{false}, Predicate: "a > 1:::INT8"},
	}
	table.Foreign = []ForeignKey{{Name: "fk", Columns: []uint32{2}, Table: 110, References: []uint32{2}}, {Name: "fk2", Columns: []uint32{2}, Table: 110, References: []uint32{1}, Validity: Unvalidated}}
	table.Checks = []Check{{Name: "ok", Expr: "a > 0"}, {Name: "no", Expr: "crdb_internal.f(a)"}}
	table.View = ""
	var out strings.Builder
	notes, err := WritePostgres(&out, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"g text", "d uuid", `CREATE INDEX t_t ON public.t ("order" DESC)`, "CREATE INDEX ix_j ON public.t USING gin (j)",
		`CREATE INDEX ix_lower ON public.t ((lower(s))) INCLUDE ("order")`, `CREATE UNIQUE INDEX ix_part ON public.t ("order") WHERE a > 1::bigint`,
		"ADD CONSTRAINT ok CHECK (a > 0)", `REFERENCES public.t (a) NOT VALID`, "CREATE TYPE public.color AS ENUM ('red', 'it''s')",
		"-- function public.f is left out: SELECT 1; SELECT 2\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not there", want)
		}
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{
		"column g was GEOMETRY(POINT)", "column h was computed as fnv32(s)::STRING", "column d had the default uuid_v4()::UUID", "column d had ON UPDATE",
		"index ix_g of public.t is left out", "index ix_two of public.t is left out", "index ix_h of public.t is left out",
		"index t of public.t is called t_t", "foreign key fk of public.t is left out", "constraint no of public.t is left out",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no note says %q", want)
		}
	}
	s := Postgres(c, 1, 52)
	if got := len(s.Loaded(table)); got != 6 {
		t.Errorf("%d columns are loaded: %v", got, s.Loaded(table))
	}
	if t.Failed() {
		t.Log(out.String())
	}
}
