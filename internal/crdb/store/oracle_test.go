package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// fixture unpacks a store of the fixtures into a directory of the test.
func fixture(t testing.TB, name string, node int) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of real stores")
	}
	if name == "divergent" && node == 3 {
		name = "crash"
	}
	dir := t.TempDir()
	archive := filepath.Join(root, name+"-v20.2a", fmt.Sprintf("n%d.tar.zst", node))
	if out, err := exec.Command("tar", "--zstd", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("unpack %s: %v: %s", archive, err, out)
	}
	return filepath.Join(dir, fmt.Sprintf("n%d", node))
}

// oracle opens a copy of a store with the engine that wrote it.
func oracle(t testing.TB, dir string) *pebble.DB {
	t.Helper()
	comparer := *pebble.DefaultComparer
	comparer.Name = "cockroach_comparator"
	comparer.Compare = keys.Compare
	comparer.Equal = func(a, b []byte) bool { return keys.Compare(a, b) == 0 }
	comparer.Split = func(a []byte) int {
		user, _, err := keys.Split(a)
		if err != nil {
			return len(a)
		}
		return len(user) + 1
	}
	merger := *pebble.DefaultMerger
	merger.Name = "cockroach_merge_operator"
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, ErrorIfNotExists: true, Comparer: &comparer, Merger: &merger, FS: vfs.Default, Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

type silent struct{}

func (silent) Infof(string, ...interface{})           {}
func (silent) Errorf(string, ...interface{})          {}
func (silent) Fatalf(format string, a ...interface{}) { panic(fmt.Sprintf(format, a...)) }

// TestSameAsEngine holds every entry of undamaged stores against what the engine
// that wrote them reads.
func TestSameAsEngine(t *testing.T) {
	for _, name := range []string{"tiny", "crash"} {
		for node := 1; node <= 3; node++ {
			t.Run(fmt.Sprintf("%s-n%d", name, node), func(t *testing.T) {
				t.Parallel()
				dir := fixture(t, name, node)
				s, err := Open(context.Background(), dir, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				for _, d := range s.Damage() {
					t.Errorf("damage in a whole store: %v", d)
				}
				same(t, s, oracle(t, dir), keys.Span{})
			})
		}
	}
}

func same(t *testing.T, s *Store, db *pebble.DB, span keys.Span) {
	t.Helper()
	want, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	got := s.View().Iter(span)
	defer got.Close()
	n := 0
	for ok := want.First(); ok; ok = want.Next() {
		if !got.Next() {
			t.Fatalf("entry %d: nothing, want %x (err %v)", n, want.Key(), got.Err())
		}
		if !bytes.Equal(got.Key(), want.Key()) || !bytes.Equal(got.Value(), want.Value()) {
			t.Fatalf("entry %d: %.0x %.0x, want %x = %.20x; damage %v", n, got.Key(), got.Value(), want.Key(), want.Value(), got.Damage())
		}
		n++
	}
	if got.Next() {
		t.Fatalf("after %d entries: %x, want no more", n, got.Key())
	}
	if got.Err() != nil || len(got.Damage()) > 0 || n < 1000 {
		t.Fatalf("%d entries, err %v, damage %v", n, got.Err(), got.Damage())
	}
	t.Logf("%d entries", n)
}
