package synth

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/sst"
)

// TestForms holds the files of each engine against what they are to be.
func TestForms(t *testing.T) {
	for _, c := range []struct {
		engine      Engine
		files       string // some that must be there
		valueBlocks bool
		keySchema   string
	}{
		{Pebble1, "CURRENT OPTIONS- 000001.log 000002.log", false, ""},
		{RocksDB, "CURRENT IDENTITY OPTIONS-", false, ""},
		{Pebble13, "marker.format-version.000013.013 marker.manifest.000001.MANIFEST- STORAGE_MIN_VERSION", true, ""},
		{Pebble16, "marker.format-version.000016.016", true, ""},
		{Pebble19, "marker.format-version.000019.019", true, "crdb1"},
		{Pebble24, "marker.format-version.000024.024", true, "crdb1"},
	} {
		dir := write(t, Spec{Engine: c.engine, Stores: 1, Fates: AllFates(c.engine)[:1]}).Stores[0]
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		valueBlocks, schema := false, ""
		for _, f := range list {
			all += " " + f.Name()
			if !strings.HasSuffix(f.Name(), ".sst") {
				continue
			}
			p := properties(t, filepath.Join(dir, f.Name()))
			valueBlocks = valueBlocks || p.All["pebble.num.value-blocks"] != ""
			schema = p.KeySchema
		}
		for _, want := range strings.Fields(c.files) {
			if !strings.Contains(all, " "+want) {
				t.Errorf("engine %d: no %s among%s", c.engine, want, all)
			}
		}
		if valueBlocks != c.valueBlocks || schema != c.keySchema {
			t.Errorf("engine %d: value blocks %v, key schema %q", c.engine, valueBlocks, schema)
		}
	}
}

func properties(t *testing.T, path string) sst.Properties {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	table, err := sst.Open(context.Background(), f, info.Size(), sst.Options{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	return table.Properties()
}
