package salvage

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSplit salvages the same stores in pieces of many sizes with one to seven
// workers: rows and their order, checksums, headcounts and what the keys rest on
// are the same, whatever the parts.
func TestSplit(t *testing.T) {
	stores := fixture(t, "tiny")
	var want map[string]string
	parts := map[int]bool{}
	for i, piece := range []int64{0, 1 << 20, 100_000, 10_000} {
		dir := filepath.Join(t.TempDir(), "out")
		rep, err := Run(t.Context(), stores, dir, Options{Jobs: []int{1, 7, 2, 3}[i], Piece: piece}, func(int64) {})
		if err != nil {
			t.Fatal(err)
		}
		got, n := map[string]string{"complete": fmt.Sprint(rep.Complete, rep.Problems)}, 0
		for _, table := range rep.Tables {
			header, lines := readParts(t, dir, table)
			n += len(table.Parts)
			table.Parts, table.Bytes = nil, 0 // each part has a header
			got[table.Name] = fmt.Sprintf("%+v %q %q", *table, header, lines)
		}
		parts[n] = true
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("pieces of %d bytes: %s", piece, diff)
		}
	}
	if len(parts) < 3 {
		t.Errorf("the pieces made no difference to the parts: %v", parts)
	}
}
