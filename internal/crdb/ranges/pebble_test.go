package ranges

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble"
	"github.com/klauspost/compress/zstd"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// fixture unpacks one file of the fixtures and returns the folder.
func fixture(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of the real stores")
	}
	f, err := os.Open(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Clean("/"+h.Name))
		if h.FileInfo().IsDir() {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pebbleView is a store as the engine's own library reads it: undamaged stores only.
type pebbleView struct{ db *pebble.DB }

// comparer is the order of a store, in the form that the old library takes.
func comparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name, c.Compare = "cockroach_comparator", keys.Compare
	c.Equal = func(a, b []byte) bool { return keys.Compare(a, b) == 0 }
	c.AbbreviatedKey = func([]byte) uint64 { return 0 }
	c.Split = func(k []byte) int {
		if user, _, err := keys.Split(k); err == nil {
			return len(user) + 1
		}
		return len(k)
	}
	return &c
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func openPebble(t testing.TB, dir string) engine.View {
	t.Helper()
	merger := *pebble.DefaultMerger
	merger.Name = "cockroach_merge_operator"
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, ErrorIfNotExists: true, Comparer: comparer(), Merger: &merger, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return pebbleView{db}
}

func (v pebbleView) Iter(span keys.Span) engine.Iter {
	opts := &pebble.IterOptions{LowerBound: keys.Append(nil, span.From, keys.Timestamp{})}
	if span.To != nil {
		opts.UpperBound = keys.Append(nil, span.To, keys.Timestamp{})
	}
	it, err := v.db.NewIter(opts)
	if err != nil {
		panic(err)
	}
	return &pebbleIter{Iterator: it}
}

func (pebbleView) RangeTombstones(keys.Span) ([]engine.RangeTombstone, error) { return nil, nil }
func (pebbleView) Split(keys.Span, int64) [][]byte                            { return nil }
func (pebbleView) Size(keys.Span) int64                                       { return 1 }

type pebbleIter struct {
	*pebble.Iterator
	begun bool
}

func (it *pebbleIter) Next() bool {
	if !it.begun {
		it.begun = true
		return it.First()
	}
	return it.Iterator.Next()
}

func (it *pebbleIter) SeekGE(user []byte) {
	seek := keys.Append(nil, user, keys.Timestamp{})
	it.Iterator.SeekGE(seek)
	it.Prev()
	it.begun = it.Valid() // Next then stops at the entry; at the front First does
}

func (it *pebbleIter) Err() error              { return it.Error() }
func (it *pebbleIter) Damage() []engine.Damage { return nil }

// source opens one store of a fixture.
func source(t testing.TB, archive string) *Source {
	t.Helper()
	dir := fixture(t, archive)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := entries[0].Name()
	return &Source{Name: strings.TrimSuffix(name, "/"), View: openPebble(t, filepath.Join(dir, name))}
}
