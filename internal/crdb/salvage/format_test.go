package salvage

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/evac-io/evac/internal/fault"
)

// TestParquet salvages into Parquet: each table has the rows of the database, but
// for the few that its types cannot hold, which are named.
func TestParquet(t *testing.T) {
	dir, want := filepath.Join(t.TempDir(), "out"), truth(t, "tiny")
	rep, err := Run(t.Context(), fixture(t, "tiny"), dir, Options{Format: Parquet}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range rep.Tables {
		lines := want[table.Name[strings.LastIndexByte(table.Name, '.')+1:]]
		if table.Withheld > 0 && !strings.HasSuffix(table.Name, ".edge_cases") || int(table.Rows+table.Withheld) != len(lines)-1 {
			t.Errorf("table %s: %d rows and %d withheld, want %d", table.Name, table.Rows, table.Withheld, len(lines)-1)
		}
		if table.Withheld > 0 {
			continue
		}
		at := 1
		for _, p := range table.Parts {
			if filepath.Ext(p.Name) != ".parquet" {
				t.Errorf("part %s", p.Name)
			}
			at += holdParquet(t, filepath.Join(dir, p.Name), lines[0], lines[at:])
		}
		if at != len(lines) {
			t.Errorf("table %s: %d lines, want %d", table.Name, at, len(lines))
		}
	}
	if _, err := Verify(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if _, err := Run(t.Context(), fixture(t, "tiny"), dir+"2", Options{Format: "orc"}, quiet); fault.Code(err) != 10 {
		t.Errorf("another format: %v", err)
	}
}

// holdParquet holds the texts and the NULLs of a file against lines; how other
// types look is for package rows to hold. It says how many rows there are.
func holdParquet(t *testing.T, name string, header []string, lines [][]string) int {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range f.Schema().Columns() {
		names = append(names, c[0])
	}
	if !slices.Equal(names, header) {
		t.Errorf("%s: columns %q, want %q", name, names, header)
	}
	n := 0
	for _, group := range f.RowGroups() {
		rows, one := group.Rows(), make([]parquet.Row, 1)
		for {
			got, err := rows.ReadRows(one)
			if got == 0 {
				if err != io.EOF {
					t.Fatal(err)
				}
				break
			}
			for i, v := range one[0] {
				leaf, _ := f.Schema().Lookup(header[i])
				isText := leaf.Node.Type().String() == "STRING"
				if v.IsNull() != (lines[n][i] == "<<NULL>>") || isText && !v.IsNull() && string(v.ByteArray()) != quirk.Replace(lines[n][i]) {
					t.Fatalf("%s: row %d, column %s is %s, want %q", name, n+1, header[i], v, lines[n][i])
				}
			}
			n++
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestLoadable leaves out what a database makes by itself, and nothing else.
func TestLoadable(t *testing.T) {
	dir, want := filepath.Join(t.TempDir(), "out"), truth(t, "tiny")
	rep, err := Run(t.Context(), fixture(t, "tiny"), dir, Options{Loadable: true, Null: "<<NULL>>"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if !rep.Complete {
		t.Errorf("not complete: %s", rep.Problems)
	}
	left := map[string]bool{}
	for _, table := range rep.Tables {
		name := table.Name[strings.LastIndexByte(table.Name, '.')+1:]
		var keep []int
		for i, c := range want[name][0] {
			if !slices.Contains(table.LeftOut, c) {
				keep = append(keep, i)
			}
		}
		for _, c := range table.LeftOut {
			left[name+"."+c] = true
		}
		got := salvaged(t, dir, table)
		if len(got) != len(want[name]) {
			t.Fatalf("table %s: %d lines, want %d", name, len(got), len(want[name]))
		}
		for i, line := range want[name] {
			var right []string
			for _, at := range keep {
				right = append(right, quirk.Replace(line[at]))
			}
			if !slices.Equal(got[i], right) {
				t.Errorf("table %s, line %d: got %q, want %q", name, i+1, got[i], right)
				break
			}
		}
	}
	for _, column := range []string{"event_log.rowid", "hashed.crdb_internal_k_shard_4", "battle_stats.win_rate"} {
		if !left[column] {
			t.Errorf("column %s is not left out", column)
		}
	}
}
