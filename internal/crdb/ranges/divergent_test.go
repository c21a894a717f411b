package ranges

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/record"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// loose reads a damaged store as far as the engine's own library gets: whole
// tables, and the log up to its first bad record.
func loose(t testing.TB, dir string, log int, tables ...string) engine.View {
	t.Helper()
	var changes []engine.Change
	for _, name := range tables {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		list, err := raftlog.ParseTable(data)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, list...)
	}
	f, err := os.Open(filepath.Join(dir, fmt.Sprintf("%06d.log", log)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records := newRecords(f, log)
	for {
		r, err := records.Next()
		if err != nil {
			break
		}
		data, err := io.ReadAll(r)
		if err != nil {
			break
		}
		list, err := raftlog.ParseBatch(data)
		if err != nil && !errors.Is(err, raftlog.ErrBatch) {
			t.Fatal(err)
		}
		changes = append(changes, list...)
	}
	return engine.NewOverlay(engine.Empty{}, changes)
}

// newRecords gets round the library's internal type of file numbers.
func newRecords(r io.Reader, n int) *record.Reader { return numbered(record.NewReader, r, n) }

func numbered[T ~uint64](open func(io.Reader, T) *record.Reader, r io.Reader, n int) *record.Reader {
	return open(r, T(n))
}

func TestDivergent(t *testing.T) {
	n1 := filepath.Join(fixture(t, "divergent-v20.2a/n1.tar.zst"), "n1")
	n2 := filepath.Join(fixture(t, "divergent-v20.2a/n2.tar.zst"), "n2")
	hurt := func(store, file string) []engine.Damage {
		return []engine.Damage{{Store: store, File: file, Offset: -1, Size: -1, Why: "damaged"}}
	}
	sources := []*Source{
		{Name: "n1", View: loose(t, n1, 55, "000061.sst"), Damage: hurt("n1", "000055.log")},
		{Name: "n2", View: loose(t, n2, 327, "000331.sst", "000334.sst", "000335.sst"), Damage: hurt("n2", "000330.sst")},
		source(t, "crash-v20.2a/n3.tar.zst"),
	}
	m, err := Survey(context.Background(), sources, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Holes) > 0 || len(m.Overlaps) > 0 {
		t.Errorf("holes %v, overlaps %v", m.Holes, m.Overlaps)
	}
	for id, want := range map[uint64]bool{
		54: true,  // its one replica is gone but for the log
		62: true,  // its one replica has lost its descriptor
		63: false, // its one replica's table is not in this view of n1
		75: false, // its one replica has lost its descriptor and its state
	} {
		r := rangeOf(t, m, id)
		proof, err := m.Prove(t.Context(), r)
		if err != nil || proof.Whole != want {
			t.Errorf("range %d: %+v %v", id, proof, err)
		}
	}
	two := surveyed(t, Auto, []*Source{
		{Name: "n2", View: sources[1].View, Damage: sources[1].Damage},
		{Name: "n3", View: sources[2].View},
	})
	if got := two.Sources[0].Store; got != 2 {
		t.Errorf("n2, whose number is lost, is taken for store %d", got)
	}
	if n := readings(t, m)[54].keys; n != 500 {
		t.Errorf("hashed has %d rows", n)
	}
}

func rangeOf(t *testing.T, m *Map, id uint64) *Range {
	t.Helper()
	for _, r := range m.Ranges {
		if r.RangeID == id {
			return r
		}
	}
	t.Fatalf("no range %d", id)
	return nil
}
