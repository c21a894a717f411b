package catalog

import (
	"encoding/csv"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// fixtureFile is the path of a file of the fixtures.
func fixtureFile(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of the real stores")
	}
	return filepath.Join(append([]string{root}, parts...)...)
}

// rowsOf reads a CSV file of a fixture's truth, without its header.
func rowsOf(t testing.TB, fixture, file string) [][]string {
	t.Helper()
	f, err := os.Open(fixtureFile(t, fixture, "truth", file))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func number32(t testing.TB, s string) uint32 {
	t.Helper()
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v)
}

// descriptors are what the real database of a fixture had in system.descriptor
// and system.namespace.
func descriptors(t testing.TB, fixture string) ([]Raw, []Name) {
	t.Helper()
	var descs []Raw
	for i, row := range rowsOf(t, fixture, "descriptors.csv") {
		b, err := hex.DecodeString(row[1])
		if err != nil {
			t.Fatal(err)
		}
		descs = append(descs, Raw{ID: number32(t, row[0]), At: keys.Timestamp{Wall: int64(1000 + i)}, Bytes: b})
	}
	var names []Name
	for _, row := range rowsOf(t, fixture, "namespace.csv") {
		names = append(names, Name{ID: number32(t, row[0]), Parent: number32(t, row[1]), Name: row[2]})
	}
	return descs, names
}

// fixture is the catalog of a fixture, in which nothing may be doubtful.
func fixture(t testing.TB, name string) *Catalog {
	t.Helper()
	c, doubts := Load(descriptors(t, name))
	for _, d := range doubts {
		t.Error(d)
	}
	return c
}

// backupDescriptors are the descriptors in the manifest of a BACKUP (proto
// BackupManifest, field 5).
func backupDescriptors(t testing.TB, path string) []Raw {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []Raw
	err = (&decoder{}).message(b, func(x field) error {
		if x.num != 5 {
			return nil
		}
		out = append(out, Raw{Bytes: x.b})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
