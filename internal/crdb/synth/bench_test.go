//go:build bench

package synth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestMakeStores writes the stores that the measurements of a salvage read:
// EVAC_STORES_ARCHIVE is a packed store of the template, EVAC_STORES_DIR where
// they go, EVAC_STORES_MB the size of each in millions of bytes, 2000 if not set.
// Beside the stores it writes tables.csv: what is in them.
func TestMakeStores(t *testing.T) {
	megabytes := int64(2000)
	if v := os.Getenv("EVAC_STORES_MB"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		megabytes = n
	}
	template, err := ReadArchive(context.Background(), os.Getenv("EVAC_STORES_ARCHIVE"))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	truth, err := Write(context.Background(), os.Getenv("EVAC_STORES_DIR"), Spec{Template: template, Seed: 1, Bytes: megabytes * 1e6})
	if err != nil {
		t.Fatal(err)
	}
	seconds := time.Since(begun).Seconds()
	list := "table,template,rows,kvs\n"
	for _, table := range truth.Tables {
		list += fmt.Sprintf("%s,%s,%d,%d\n", table.Name, table.Source.Name, table.Source.Rows, table.KVs())
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("EVAC_STORES_DIR"), "tables.csv"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d tables, %d ranges, %d key-value pairs, %d bytes in %d stores: %.0f MB/s", len(truth.Tables), truth.Ranges, truth.KVs,
		truth.Bytes, len(truth.Stores), float64(truth.Bytes)/1e6/seconds)
}

// TestMakeEstate writes the metadata of a large cluster to EVAC_ESTATE_DIR: 60
// stores, 25,000 ranges of seven replicas, 200,000 files.
func TestMakeEstate(t *testing.T) {
	template, err := ReadArchive(context.Background(), os.Getenv("EVAC_STORES_ARCHIVE"))
	if err != nil {
		t.Fatal(err)
	}
	e := Estate{Template: template, Stores: 60, Ranges: 25_000, Replicas: 7, Files: 200_000, Tables: 250, FileSize: 38 << 20}
	if _, err := WriteEstate(context.Background(), os.Getenv("EVAC_ESTATE_DIR"), e); err != nil {
		t.Fatal(err)
	}
}
