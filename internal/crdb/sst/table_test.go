package sst

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/google/go-cmp/cmp"
)

// Every table of the fixtures, from LevelDB's format on, reads as by the engine.
func TestRealTables(t *testing.T) {
	files := backups(t)
	for _, archive := range []string{"tiny-v20.2a/n1.tar.zst", "tiny-v20.2a/n2.tar.zst", "tiny-v20.2a/n3.tar.zst", "crash-v20.2a/n1.tar.zst"} {
		for name, data := range tables(t, archive) {
			files[archive+"/"+name] = data
		}
	}
	for name, data := range files {
		table := open(t, data, Options{Store: "n", Name: name})
		it := table.Iter(everywhere)
		got, want := all(t, it), oracle(t, data, sstable.NoTransforms)
		if len(want) == 0 || !equal(got, want) {
			t.Errorf("%s: %d entries, the engine reads %d: %s", name, len(got), len(want), cmp.Diff(want, got))
		}
		if d := append(table.Damage(), it.Damage()...); len(d) > 0 {
			t.Errorf("%s: damage in a whole table: %v", name, d)
		}
		if n := table.Properties().Entries; n != uint64(len(want)) {
			t.Errorf("%s: properties say %d entries of %d", name, n, len(want))
		}
	}
}

func equal(a, b []row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
