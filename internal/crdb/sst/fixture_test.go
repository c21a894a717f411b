package sst

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/klauspost/compress/zstd"
)

// fixtures is the folder of the real stores.
func fixtures(tb testing.TB) string {
	dir := os.Getenv("EVAC_FIXTURES")
	if dir == "" {
		tb.Fatal("set EVAC_FIXTURES to the folder of the fixture stores")
	}
	return dir
}

var unpacked sync.Map // archive → func() (map[string][]byte, error)

// tables are the table files of one packed store, by name. Nothing is written to
// disk.
func tables(tb testing.TB, archive string) map[string][]byte {
	read := sync.OnceValues(func() (map[string][]byte, error) { return untar(filepath.Join(fixtures(tb), archive)) })
	once, _ := unpacked.LoadOrStore(archive, read)
	files, err := once.(func() (map[string][]byte, error))()
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func untar(archive string) (map[string][]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(h.Name, ".sst") {
			if files[filepath.Base(h.Name)], err = io.ReadAll(r); err != nil {
				return nil, err
			}
		}
	}
}

// backups are the table files of the real backups, by path.
func backups(tb testing.TB) map[string][]byte {
	files := map[string][]byte{}
	root := filepath.Join(fixtures(tb), "backups")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".sst" {
			return err
		}
		files[path[len(root)+1:]], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// row is an Entry that stays.
type row struct {
	Key, Value string
	Seq        uint64
	Kind       Kind
}

// open opens a table held in memory.
func open(tb testing.TB, data []byte, o Options) *Table {
	tb.Helper()
	t, err := Open(context.Background(), bytes.NewReader(data), int64(len(data)), o)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// all are the entries of a source.
func all(tb testing.TB, s Source) []row {
	tb.Helper()
	var rows []row
	for e := s.Next(); e != nil; e = s.Next() {
		rows = append(rows, row{string(e.Key), string(e.Value), e.Seq, e.Kind})
	}
	if err := s.Err(); err != nil {
		tb.Fatal(err)
	}
	return rows
}

// oracle are the entries of a table as the engine's own reader sees them.
func oracle(tb testing.TB, data []byte, transforms sstable.IterTransforms) []row {
	tb.Helper()
	r := reader(tb, data)
	defer func() { _ = r.Close() }()
	it, err := r.NewIter(transforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = it.Close() }()
	var rows []row
	for kv := it.First(); kv != nil; kv = it.Next() {
		value, _, err := kv.V.Value(nil)
		if err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, row{string(kv.K.UserKey), string(value), uint64(kv.SeqNum()), Kind(kv.Kind()) &^ obsolete})
	}
	if err := it.Error(); err != nil {
		tb.Fatal(err)
	}
	return rows
}

func reader(tb testing.TB, data []byte) *sstable.Reader {
	tb.Helper()
	f, err := sstable.NewSimpleReadable(memory{bytes.NewReader(data)})
	if err != nil {
		tb.Fatal(err)
	}
	r, err := sstable.NewReader(context.Background(), f, sstable.ReaderOptions{
		Comparer: &cockroachkvs.Comparer, Merger: merger,
		KeySchemas: sstable.MakeKeySchemas(&cockroachkvs.KeySchema),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

var merger = func() *pebble.Merger {
	m := *pebble.DefaultMerger
	m.Name = "cockroach_merge_operator"
	return &m
}()

var noTransforms = sstable.NoTransforms

// everywhere is the span of all keys.
var everywhere = keys.Span{}
