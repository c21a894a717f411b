package synth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/record"
	pebble2 "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

var tiny = sync.OnceValues(func() (*Template, error) {
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		return nil, fmt.Errorf("EVAC_FIXTURES does not name the folder of real stores")
	}
	return ReadArchive(context.Background(), filepath.Join(root, "tiny-v20.2a", "n3.tar.zst"))
})

func template(t testing.TB) *Template {
	t.Helper()
	tpl, err := tiny()
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func write(t testing.TB, spec Spec) *Truth {
	t.Helper()
	if spec.Template == nil {
		spec.Template = template(t)
	}
	truth, err := Write(context.Background(), t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

// dbIter is what both libraries' iterators have.
type dbIter interface {
	First() bool
	SeekGE([]byte) bool
	Next() bool
	Key() []byte
	Value() []byte
	Error() error
	Close() error
}

// dbView is a store as the engine's own library reads it.
type dbView struct {
	t     testing.TB
	open  func() dbIter
	tombs []engine.RangeTombstone
}

func (v dbView) Iter(span keys.Span) engine.Iter {
	return &viewIter{dbIter: v.open(), span: span}
}

func (v dbView) RangeTombstones(span keys.Span) (out []engine.RangeTombstone, err error) {
	for _, t := range v.tombs {
		if t.Span.Overlaps(span) {
			out = append(out, t)
		}
	}
	return out, nil
}
func (v dbView) Split(keys.Span, int64) [][]byte { return nil }
func (v dbView) Size(keys.Span) int64            { return 0 }

type viewIter struct {
	dbIter
	span  keys.Span
	begun bool
}

func (i *viewIter) Next() bool {
	ok := false
	if i.begun {
		ok = i.dbIter.Next()
	} else {
		ok = i.dbIter.SeekGE(keys.Append(nil, i.span.From, keys.Timestamp{}))
	}
	i.begun = true
	if !ok {
		return false
	}
	user, _, err := keys.Split(i.Key())
	return err == nil && i.span.Contains(user)
}
func (i *viewIter) SeekGE(user []byte)      { i.begun, i.span.From = false, bytes.Clone(user) }
func (i *viewIter) Err() error              { return i.dbIter.Error() }
func (i *viewIter) Damage() []engine.Damage { return nil }

// oracle opens a store with the library of its release, read-only.
func oracle(t testing.TB, dir string, e Engine) engine.View {
	t.Helper()
	if e.version() < 13 {
		return oracle1(t, dir)
	}
	schema := cockroachkvs.KeySchema
	merger := *pebble2.DefaultMerger
	merger.Name = mergerName
	db, err := pebble2.Open(dir, &pebble2.Options{
		ReadOnly: true, ErrorIfNotExists: true, Comparer: &cockroachkvs.Comparer, Merger: &merger,
		FormatMajorVersion: pebble2.FormatMajorVersion(e.version()), KeySchema: schema.Name,
		KeySchemas: map[string]*pebble2.KeySchema{schema.Name: &schema}, Logger: silent{},
	})
	if err != nil {
		t.Fatalf("open %s: %v", dir, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return dbView{t: t, tombs: tombs(t, db), open: func() dbIter {
		it, err := db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return it
	}}
}

func tombs(t testing.TB, db *pebble2.DB) (out []engine.RangeTombstone) {
	it, err := db.NewIter(&pebble2.IterOptions{KeyTypes: pebble2.IterKeyTypeRangesOnly})
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		from, to := it.RangeBounds()
		for _, k := range it.RangeKeys() {
			at, _ := keys.Version(k.Suffix[:len(k.Suffix)-1])
			f, _, _ := keys.Split(from)
			e, _, _ := keys.Split(to)
			out = append(out, engine.RangeTombstone{Span: keys.Span{From: bytes.Clone(f), To: bytes.Clone(e)}, At: at})
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func oracle1(t testing.TB, dir string) engine.View {
	t.Helper()
	c := *pebble.DefaultComparer
	c.Name, c.Compare = "cockroach_comparator", keys.Compare
	c.Equal = func(a, b []byte) bool { return keys.Compare(a, b) == 0 }
	c.AbbreviatedKey = func([]byte) uint64 { return 0 }
	c.Split = cockroachkvs.Split
	merger := *pebble.DefaultMerger
	merger.Name = mergerName
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, ErrorIfNotExists: true, Comparer: &c, Merger: &merger, Logger: silent{}})
	if err != nil {
		t.Fatalf("open %s: %v", dir, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return dbView{t: t, open: func() dbIter {
		it, err := db.NewIter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return it
	}}
}

type silent struct{}

func (silent) Infof(string, ...any)           {}
func (silent) Errorf(string, ...any)          {}
func (silent) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

// here says that a store by itself shows the rows of a table.
func here(t *Table, store, stores int) bool {
	switch last := store == stores-1; t.Fate {
	case Logged, Sideloaded:
		return false
	case LoggedOne:
		return store == 0
	case Truncated:
		return !last
	}
	return t.Shows
}

// compare holds a table as read against its truth.
func compare(t *testing.T, r *mvcc.Reader, table *Table, shows bool) (n int) {
	t.Helper()
	it := r.Iter(table.Span)
	wrong := 0
	if shows {
		table.Each(func(user, value []byte) {
			if wrong > 3 {
				return
			}
			switch {
			case !it.Next():
				t.Errorf("%s: nothing, want %x", table.Name, user)
				wrong = 9
			case !bytes.Equal(it.Key(), user) || !bytes.Equal(it.Value(), value):
				t.Errorf("%s: %x = %.12x, want %x = %.12x", table.Name, it.Key(), it.Value(), user, value)
				wrong++
			}
			n++
		})
	}
	if wrong == 0 && it.Next() {
		t.Errorf("%s (%s): %x too many", table.Name, table.Fate, it.Key())
	}
	if err := it.Close(); err != nil {
		t.Errorf("%s: %v", table.Name, err)
	}
	return n
}

// TestEngines opens the stores of every engine with the library of its release
// and holds every row against the truth.
func TestEngines(t *testing.T) {
	for name, e := range map[string]Engine{"pebble1": Pebble1, "pebble13": Pebble13, "pebble16": Pebble16, "pebble19": Pebble19, "pebble24": Pebble24} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			truth := write(t, Spec{Seed: 7, Engine: e, Fates: AllFates(e), TableSize: 256 << 10, LogShare: 20})
			for i, dir := range truth.Stores {
				view := oracle(t, dir, e)
				r := mvcc.NewReader(view, mvcc.NewOutcomes(view, nil), keys.Timestamp{})
				n := 0
				for j := range truth.Tables {
					table := &truth.Tables[j]
					if table.Fate == Zombie && i == len(truth.Stores)-1 {
						continue // the replica that must not be read
					}
					n += compare(t, r, table, here(table, i, len(truth.Stores)))
				}
				if n < 10000 {
					t.Errorf("only %d entries compared", n)
				}
			}
		})
	}
}

// TestDeterministic writes the same spec twice.
func TestDeterministic(t *testing.T) {
	spec := Spec{Seed: 3, Engine: Pebble19, Fates: AllFates(Pebble19), StoreKey: bytes.Repeat([]byte{7}, 16)}
	if a, b := sum(t, write(t, spec)), sum(t, write(t, spec)); a != b {
		t.Error("the same spec gave other bytes")
	}
	other := spec
	other.Seed++
	if sum(t, write(t, spec)) == sum(t, write(t, other)) {
		t.Error("another seed gave the same bytes")
	}
}

func sum(t *testing.T, truth *Truth) [32]byte {
	t.Helper()
	h := sha256.New()
	for _, dir := range truth.Stores {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(h, "%s %d %s", path[len(dir):], len(data), data)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return [32]byte(h.Sum(nil))
}

// TestRocksDB opens a RocksDB store with the library, which reads everything of
// it but the records of other column families: those are taken out.
func TestRocksDB(t *testing.T) {
	truth := write(t, Spec{Seed: 5, Engine: RocksDB, Fates: []Fate{Deleted, Committed}})
	for _, dir := range truth.Stores {
		withoutFamilies(t, dir)
		view := oracle(t, dir, RocksDB)
		r := mvcc.NewReader(view, mvcc.NewOutcomes(view, nil), keys.Timestamp{})
		for i := range truth.Tables {
			compare(t, r, &truth.Tables[i], truth.Tables[i].Shows)
		}
	}
}

// withoutFamilies writes the MANIFEST anew.
func withoutFamilies(t *testing.T, dir string) {
	t.Helper()
	name, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	if err != nil || len(name) != 1 {
		t.Fatalf("MANIFESTs %v, %v", name, err)
	}
	data, err := os.ReadFile(name[0])
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := record.NewWriter(&out)
	dropped := 0
	for r := record.NewReader(bytes.NewReader(data), 0); ; {
		next, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		one, err := io.ReadAll(next)
		if err != nil {
			t.Fatal(err)
		}
		if tag, _ := binary.Uvarint(one); tag == tagFamily {
			dropped++
		} else if _, err := w.WriteRecord(one); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || dropped != 3 {
		t.Fatalf("%d records of other families, %v", dropped, err)
	}
	if err := os.WriteFile(name[0], out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
