package salvage

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) {
	defer unpacked.clear()
	testenv.Main(m)
}

// newDatabase opens an empty database of a real server.
func newDatabase(t *testing.T) *pgx.Conn {
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

// TestSchemaSQL gives schema.sql to a real PostgreSQL as it is: whole, and in its
// two parts with the rows of loadable files between them, by COPY.
func TestSchemaSQL(t *testing.T) {
	dir, want := filepath.Join(t.TempDir(), "out"), truth(t, "tiny")
	rep, err := Run(t.Context(), fixture(t, "tiny"), dir, Options{Loadable: true}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newDatabase(t).Exec(t.Context(), string(text)); err != nil {
		t.Errorf("the whole file: %v", err)
	}
	before, after, ok := strings.Cut(string(text), "-- after the rows\n")
	if !ok {
		t.Fatal("no mark")
	}
	conn := newDatabase(t)
	if _, err := conn.Exec(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	for _, table := range rep.Tables {
		for _, p := range table.Parts {
			copyPart(t, conn, filepath.Join(dir, p.Name), pgx.Identifier(strings.Split(table.Name, ".")[1:]).Sanitize())
		}
	}
	if _, err := conn.Exec(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	for _, table := range rep.Tables {
		var n int
		name := strings.Split(table.Name, ".")[1:]
		if err := conn.QueryRow(t.Context(), "select count(*) from "+pgx.Identifier(name).Sanitize()).Scan(&n); err != nil || n != len(want[name[1]])-1 {
			t.Errorf("table %s: %d rows, want %d, %v", table.Name, n, len(want[name[1]])-1, err)
		}
	}
	holdSequences(t, conn, rep)
}

// copyPart loads one file as a user would: with the columns of its header line.
func copyPart(t *testing.T, conn *pgx.Conn, name, table string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	header, err := csv.NewReader(f).Read()
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, c := range header {
		columns = append(columns, pgx.Identifier{c}.Sanitize())
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().CopyFrom(t.Context(), f, "COPY "+table+" ("+strings.Join(columns, ", ")+") FROM STDIN (FORMAT csv, HEADER true)"); err != nil {
		t.Errorf("copy %s: %v", name, err)
	}
}

// holdSequences holds the next values of sequences against what the database had
// given out.
func holdSequences(t *testing.T, conn *pgx.Conn, rep *Report) {
	t.Helper()
	seen := map[string]int64{}
	for _, s := range rep.Sequences {
		if s.Value == nil {
			continue
		}
		var n int64
		if err := conn.QueryRow(t.Context(), "select nextval($1::text::regclass)", pgx.Identifier(strings.Split(s.Name, ".")[1:]).Sanitize()).Scan(&n); err != nil {
			t.Error(err)
		}
		seen[s.Name] = n - *s.Value
		if *s.Value != 1897 {
			t.Errorf("sequence %s gave out %d last", s.Name, *s.Value)
		}
	}
	if diff := cmp.Diff(map[string]int64{"kingdom.public.mail_seq": 3}, seen); diff != "" {
		t.Errorf("steps of sequences: %s", diff)
	}
}
