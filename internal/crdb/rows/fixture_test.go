package rows

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/testenv"
)

// fixture is a folder of real stores and what the database said of them.
func fixture(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of real stores")
	}
	return filepath.Join(root, name+"-v20.2a")
}

// cluster is the three stores of a fixture as one.
type cluster struct {
	name    string
	catalog *catalog.Catalog
	reader  *mvcc.Reader
}

var opened sync.Map // by name: func() (*cluster, error)

// open reads the stores of a fixture, once for all tests.
func open(t testing.TB, name string) *cluster {
	t.Helper()
	dir := fixture(t, name)
	once, _ := opened.LoadOrStore(name, sync.OnceValues(func() (*cluster, error) { return openCluster(name, dir) }))
	c, err := once.(func() (*cluster, error))()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openCluster(name, dir string) (*cluster, error) {
	tmp, err := os.MkdirTemp("", "rows")
	if err != nil {
		return nil, err
	}
	cleanups = append(cleanups, tmp)
	var sources []*ranges.Source
	for n := 1; n <= 3; n++ {
		archive := filepath.Join(dir, fmt.Sprintf("n%d.tar.zst", n))
		if out, err := exec.Command("tar", "--zstd", "-xf", archive, "-C", tmp).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("unpack %s: %w: %s", archive, err, out)
		}
		s, err := store.Open(context.Background(), filepath.Join(tmp, fmt.Sprintf("n%d", n)), store.Options{})
		if err != nil {
			return nil, err
		}
		sources = append(sources, &ranges.Source{Name: fmt.Sprintf("n%d", n), View: s.View()})
	}
	m, err := ranges.Survey(context.Background(), sources, ranges.Options{})
	if err != nil {
		return nil, err
	}
	c := &cluster{name: name, reader: m.Reader(keys.Timestamp{})}
	c.catalog, err = loadCatalog(c.reader)
	return c, err
}

var cleanups []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range cleanups {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// loadCatalog reads system.descriptor.
func loadCatalog(r *mvcc.Reader) (*catalog.Catalog, error) {
	it := r.Iter(keys.PrefixSpan([]byte{0x8b, 0x89}))
	var raws []catalog.Raw
	for it.Next() {
		id, rest, ok := keys.TakeUvarint(it.Key()[2:])
		if !ok || !bytes.Equal(rest, []byte{0x8a, 0x89}) {
			continue
		}
		raws = append(raws, catalog.Raw{ID: uint32(id), At: it.Timestamp(), Bytes: bytes.Clone(it.Value()[5:])})
	}
	c, doubts := catalog.Load(raws, nil)
	for _, d := range doubts {
		return nil, fmt.Errorf("catalog: %v", d)
	}
	return c, it.Close()
}

// tables are those of the users.
func (c *cluster) tables() []*catalog.Table {
	var out []*catalog.Table
	for _, t := range c.catalog.Tables {
		if t.HasRows() && !t.System() && t.State == catalog.Public {
			out = append(out, t)
		}
	}
	return out
}

func (c *cluster) table(t testing.TB, name string) *catalog.Table {
	t.Helper()
	for _, one := range c.tables() {
		if one.Name == name {
			return one
		}
	}
	t.Fatalf("no table %q", name)
	return nil
}

// truth is the rows of a table as the database showed them, by psql's CSV.
func truth(t testing.TB, name string) map[string][][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(fixture(t, name), "truth", "csv.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][][]string{}
	for files := newTar(z); ; {
		head, err := files.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		table, isCSV := strings.CutSuffix(filepath.Base(head.Name), ".csv")
		if !isCSV {
			continue
		}
		r := csv.NewReader(files)
		r.FieldsPerRecord = -1
		if out[table], err = r.ReadAll(); err != nil {
			t.Fatal(err)
		}
		if name == "crash" && table == "late_commit" {
			out[table] = testenv.LateCommit(out[table])
		}
	}
}

// escapes are how that version of the database showed labels in arrays of enums.
var escapes = strings.NewReplacer(`"e'\\U0000C804\\U0000C124'"`, "전설")

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
