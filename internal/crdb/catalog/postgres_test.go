package catalog

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// execute runs the statements of a script.
func execute(t *testing.T, conn *pgx.Conn, list []Statement) {
	t.Helper()
	for _, st := range list {
		if st.SQL == "" {
			continue
		}
		if _, err := conn.Exec(t.Context(), st.SQL); err != nil {
			t.Errorf("%s: %v", st.SQL, err)
		}
	}
}

// connect opens an empty database of a real server.
func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), testenv.Database(t, testenv.Postgres(t, testenv.Newer)).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// query is the first column of what a query gives.
func query(t *testing.T, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPostgresTruth makes the schema of the real database in a real PostgreSQL
// and asks PostgreSQL's own catalog what stands there.
func TestPostgresTruth(t *testing.T) {
	c := fixture(t, "crash-v20.2a")
	conn := connect(t)
	s := Postgres(c, 1, 52)
	execute(t, conn, s.Before)
	execute(t, conn, s.After)
	for _, table := range c.tablesOf(1, 52) {
		if table.Sequence != nil || table.View != "" {
			continue
		}
		var want []string
		for i := range table.Columns {
			col := &table.Columns[i]
			typ, _ := PostgresType(&col.Type, col.Mod)
			notNull := !col.Nullable && !table.isShard(col)
			want = append(want, fmt.Sprintf("%s %s %t", col.Name, canonical(t, conn, typ), notNull))
		}
		got := query(t, conn, `SELECT attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull
			FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, name(table))
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want (-), have (+):\n%s", name(table), diff)
		}
	}
	indexes := query(t, conn, `SELECT relname::text FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace ORDER BY 1`)
	for _, want := range []string{"ix_grade", "ix_user", "ix_extra", "repk_a_key", "ub", "uq_receipt", "hashed_pkey"} {
		if !slices.Contains(indexes, want) {
			t.Errorf("index %s is not there", want)
		}
	}
	if got := query(t, conn, `SELECT conname::text FROM pg_constraint WHERE contype = 'f'`); !slices.Equal(got, []string{"fk_g"}) {
		t.Errorf("foreign keys %q", got)
	}
	if got := query(t, conn, `SELECT count(*)::text FROM active_users`); got[0] != "0" {
		t.Errorf("view: %q", got)
	}
	grade := query(t, conn, `INSERT INTO battle_stats (id, wins, losses) VALUES (1, 60, 40) RETURNING win_rate || ' ' || grade`)
	if grade[0] != "0.6 용사" {
		t.Errorf("computed columns: %q", grade)
	}
	ids := query(t, conn, `INSERT INTO mailbox (title) VALUES ('a'), ('b') RETURNING id::text || ' ' || seq`)
	if len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("made ids %q", ids)
	}
}

// canonical is PostgreSQL's own name of a type.
func canonical(t *testing.T, conn *pgx.Conn, typ string) string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "CREATE TEMPORARY TABLE one (c "+typ+")"); err != nil {
		t.Fatal(err)
	}
	out := query(t, conn, "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'one'::regclass AND attnum = 1")
	if _, err := conn.Exec(t.Context(), "DROP TABLE one"); err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// breadth is a schema with one of everything that PostgreSQL can have.
const breadth = `
	-- id 100
	CREATE TYPE shop.public.size AS ENUM ('s', 'it''s');
	USE shop;
	-- id 103
	CREATE SEQUENCE sales.numbers MINVALUE -5 MAXVALUE 500 INCREMENT -2 START 7 CACHE 10;
	-- id 104
	CREATE TABLE types (
		b BOOL, i2 INT2, i4 INT4, i8 INT, f4 REAL, f8 DOUBLE PRECISION, d DECIMAL, d5 DECIMAL(5), d52 DECIMAL(5,2),
		s STRING, s3 STRING(3), vc VARCHAR, vc3 VARCHAR(3), c CHAR, c3 CHAR(3), qc "char", n NAME, by BYTES, dt DATE,
		ts TIMESTAMP, ts0 TIMESTAMP(0), tz TIMESTAMPTZ(3), t TIME, t2 TIME(2), ttz TIMETZ, ttz1 TIMETZ(1), iv INTERVAL,
		iv3 INTERVAL(3), ivd INTERVAL DAY TO SECOND(2), ivy INTERVAL YEAR, u UUID, ip INET, j JSONB, bi BIT, bi5 BIT(5),
		vb VARBIT, vb5 VARBIT(5), o OID, rc REGCLASS, g GEOMETRY(POINT,4326), bx BOX2D, tv TSVECTOR, tq TSQUERY, lsn PG_LSN,
		v VECTOR(3), e size, ea size[], sa STRING[], vca VARCHAR(3)[], tza TIMESTAMPTZ(3)[], co STRING COLLATE de,
		"select" INT8, "Mixed" INT8, "quo""te" INT8, id SERIAL PRIMARY KEY
	);
	-- id 105
	CREATE TABLE sales.orders (
		id INT8 DEFAULT nextval('sales.numbers':::STRING), at TIMESTAMPTZ NOT NULL DEFAULT now():::TIMESTAMPTZ, day DATE DEFAULT current_date(),
		size public.size DEFAULT 's':::public.size, price DECIMAL(10,2) CHECK (price > 0:::DECIMAL), note STRING DEFAULT e'a\'b\\\n',
		tags STRING[] DEFAULT ARRAY[]:::STRING[], raw BYTES DEFAULT b'\xff', twice DECIMAL AS (price * 2:::DECIMAL) STORED,
		lower STRING AS (lower(note)) VIRTUAL, gone STRING AS (sha1(note)) STORED NOT NULL, j JSONB DEFAULT '{}':::JSONB,
		PRIMARY KEY (at DESC, id ASC), UNIQUE INDEX by_id (id), INDEX primary_like (lower) STORING (price), INDEX by_id2 (id) WHERE price > 1:::DECIMAL,
		INVERTED INDEX (j), INVERTED INDEX (tags), UNIQUE WITHOUT INDEX (price), UNIQUE INDEX (id, size)
	);
	-- id 106
	CREATE TABLE public.orders (id INT8 NOT NULL REFERENCES sales.orders (id) ON DELETE SET NULL ON UPDATE CASCADE, INDEX by_id (id),
		CONSTRAINT both CHECK (id IS NOT NULL AND id IN (1:::INT8, 2:::INT8)));
	ALTER TABLE orders ADD CONSTRAINT later CHECK (id > 0) NOT VALID;
	-- id 107
	CREATE VIEW public.v (id, price) AS SELECT o.id, s.price::STRING FROM shop.public.orders AS o JOIN shop.sales.orders AS s ON s.id = o.id WHERE s.note != e'\'';
`

// TestPostgresBreadth makes it in a real PostgreSQL, with rows between the two
// parts.
func TestPostgresBreadth(t *testing.T) {
	c, doubts, err := ParseSchema(breadth)
	if err != nil || len(doubts) > 0 {
		t.Fatal(err, doubts)
	}
	c.Comment([]Comment{{Kind: onTable, Object: 104, Text: "it's"}, {Kind: onColumn, Object: 104, Sub: 1, Text: "a\nb"}, {Kind: onIndex, Object: 105, Sub: 2, Text: "c"}})
	conn := connect(t)
	s := Postgres(c, 1, c.Table(1, 104).DatabaseID)
	execute(t, conn, s.Before)
	for _, insert := range []string{
		"INSERT INTO sales.orders (price) VALUES (3), (4)", "INSERT INTO orders VALUES (5)", "INSERT INTO types (s) VALUES ('a')",
	} {
		if _, err := conn.Exec(t.Context(), insert); err != nil {
			t.Error(err)
		}
	}
	if _, err := conn.Exec(t.Context(), "TRUNCATE orders"); err != nil {
		t.Error(err)
	}
	execute(t, conn, s.After)
	if got := query(t, conn, "SELECT concat_ws('|', id, twice, note, tags, raw, size, gone, j) FROM sales.orders ORDER BY id"); !slices.Equal(got, []string{"5|8.00|a'b\\\n|{}|\\xff|s|{}", "7|6.00|a'b\\\n|{}|\\xff|s|{}"}) {
		t.Errorf("rows %q", got)
	}
	if got := query(t, conn, "SELECT relname::text FROM pg_class WHERE relkind = 'v' AND relname = 'v'"); len(got) != 1 {
		t.Errorf("views %q", got)
	}
	if got := query(t, conn, "SELECT description FROM pg_description WHERE description IN ('it''s', E'a\\nb', 'c') ORDER BY 1"); len(got) != 3 {
		t.Errorf("comments %q", got)
	}
	if got := query(t, conn, "SELECT convalidated::text FROM pg_constraint WHERE conname = 'later'"); len(got) != 1 || got[0] != "false" {
		t.Errorf("a constraint that was not validated: %q", got)
	}
}
