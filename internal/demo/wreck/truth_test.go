package wreck

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestCompareTable finds one row of each kind that is not as it should be.
func TestCompareTable(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), testenv.Database(t, testenv.Postgres(t, testenv.Newer)).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.PgConn().Exec(t.Context(), `create table "a b" (k int, "is" text, v int, primary key (k, "is"));
		insert into "a b" values (1, '', 1), (2, 'x', null), (3, '<<NULL>>', 3), (5, 'x', 5)`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	truth := "k,is,v\n1,,1\n2,x,2\n3,\"<<NULL>>\",3\n4,x,<<NULL>>\n"
	var r Result
	if err := compareTable(t.Context(), conn, "a b", []byte(truth), &r); err != nil {
		t.Fatal(err)
	}
	if r.Rows != 4 || r.Missing != 1 || r.Different != 1 || r.Extra != 1 {
		t.Errorf("counted %+v", r)
	}
}

// TestTruth is of all tables, none empty of text.
func TestTruth(t *testing.T) {
	tables, err := truth()
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) != 26 {
		t.Errorf("the truth has %d tables", len(tables))
	}
}
