package view

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/night"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// moment is a night's snapshot a while after its newest event.
func moment(b *night.Book, later time.Duration) Moment {
	return Moment{State: b.State(), Now: b.Now().Add(later)}
}

// movingMoment is the night while the copy runs.
func movingMoment() Moment {
	m := moment(night.Moving(), 100*time.Second)
	m.Progress = map[string]journal.ProgressRow{
		"postgres_copy.main": {At: m.Now, Unit: "bytes", Done: 1_218_000_000, Total: 2_900_000_000, Note: `table "public.orders"`},
		"shell.images":       {At: m.Now, Note: "이미지 복사 중 \x1b[31mseoul-media\x1b[0m"},
	}
	return m
}

// printed is a page as it comes out on a plain stream.
func printed(p Page) string {
	var out bytes.Buffer
	v := New(Options{Out: &out, Err: &out, Zone: time.UTC, Size: func() (int, int) { return 100, 40 }})
	v.Show(p)
	return out.String()
}
