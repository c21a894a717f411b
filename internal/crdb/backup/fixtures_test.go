package backup

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// fixtures is the folder of real backups.
func fixtures(t testing.TB) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of real stores and backups")
	}
	return filepath.Join(root, "backups")
}

func open(t testing.TB, o Options, folders ...fs.FS) *Backup {
	t.Helper()
	b, err := Open(context.Background(), folders, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// load is the catalog of a backup.
func load(t testing.TB, b *Backup) *catalog.Catalog {
	t.Helper()
	descs, err := b.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	var raw []catalog.Raw
	for _, d := range descs {
		raw = append(raw, catalog.Raw{ID: d.ID, At: d.At, Bytes: d.Desc})
	}
	c, doubts := catalog.Load(raw, nil)
	for _, d := range doubts {
		t.Errorf("doubt: %v", d)
	}
	return c
}

// reader reads a backup at its moment.
func reader(b *Backup) *mvcc.Reader {
	return mvcc.NewReader(b.View(), mvcc.NewOutcomes(b.View(), nil), b.AsOf())
}

// rowsOf is the CSV of a table without its hidden columns, a line a row. Every
// checksum and every index entry of it is checked.
func rowsOf(t testing.TB, b *Backup, table *catalog.Table) []string {
	t.Helper()
	d, err := rows.New(table, rows.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sink lines
	it := reader(b).Iter(d.Span())
	res, err := d.Read(context.Background(), it, rows.Output{Rows: &sink})
	if err != nil || res.DoubtCount > 0 || res.Bad > 0 || len(it.Damage()) > 0 {
		t.Errorf("%s: %v, doubts %v, damage %v", table.Name, err, res.Doubts, it.Damage())
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
	for _, ix := range d.Indexes() {
		it := reader(b).Iter(ix.Span())
		have, err := d.ReadEntries(context.Background(), ix.ID, it)
		if err != nil {
			t.Fatal(err)
		}
		if err := it.Close(); err != nil {
			t.Error(err)
		}
		if res.Add(have); ix.Check != rows.BothWays {
			t.Errorf("%s: index %s is checked %s", table.Name, ix.Name, ix.Check)
		}
	}
	for _, e := range res.Entries {
		if e.Want != e.Have || e.WantSum != e.HaveSum || e.Have == 0 {
			t.Errorf("%s: %+v", table.Name, e)
		}
	}
	return sink.out
}

// lines is a sink that keeps the rows as text.
type lines struct {
	columns []catalog.Column
	out     []string
}

func (l *lines) Begin(d *rows.Decoder) error { l.columns = d.Columns(); return nil }
func (l *lines) End() error                  { return nil }

func (l *lines) Row(r *rows.Row) error {
	var texts []string
	for i, c := range l.columns {
		if c.Hidden {
			continue
		}
		text, err := r.AppendText(nil, i)
		if err != nil {
			return err
		}
		texts = append(texts, string(text))
	}
	l.out = append(l.out, strings.Join(texts, ","))
	return nil
}

// TestOldVersions holds the backups of 1.0 to 19.1 against what they were made of.
func TestOldVersions(t *testing.T) {
	root := filepath.Join(fixtures(t), "restore_old_versions", "exports")
	three := []string{"1,1,1", "2,2,2", "3,3,3"}
	want := map[string][]string{"t1": three, "t2": three, "t3": {"1", "2", "3"}, "t4": three}
	versions, err := os.ReadDir(root)
	if err != nil || len(versions) < 5 {
		t.Fatalf("%d versions in %s, %v", len(versions), root, err)
	}
	for _, v := range versions {
		t.Run(v.Name(), func(t *testing.T) {
			b := open(t, Options{Name: v.Name()}, os.DirFS(filepath.Join(root, v.Name())))
			m := b.Layers()[0]
			if m.Build != v.Name() || !m.Start.IsZero() || m.Cluster == ([16]byte{}) || len(b.Notes()) > 0 {
				t.Errorf("manifest: build %q, start %v, cluster %x, notes %v", m.Build, m.Start, m.Cluster, b.Notes())
			}
			whole(t, b)
			c := load(t, b)
			got := map[string][]string{}
			for _, table := range c.Tables {
				if table.Database == "test" {
					got[table.Name] = rowsOf(t, b, table)
				}
				if table.Name == "t1" && len(table.Indexes) != 1 {
					t.Errorf("t1 has %d indexes", len(table.Indexes))
				}
			}
			if d := gocmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// whole checks that every file is there and is the one that was written.
func whole(t *testing.T, b *Backup) {
	t.Helper()
	proof, err := b.Verify(context.Background(), 0)
	if err != nil || len(proof.Damage) > 0 || proof.Files == 0 || proof.Hashed != proof.Files {
		t.Errorf("verify: %+v, %v", proof, err)
	}
	if counts := b.Layers()[0].Build != "v1.0.7"; (proof.Counted == proof.Files) != counts {
		t.Errorf("%d of %d files are counted", proof.Counted, proof.Files)
	}
	for _, l := range b.Layers() {
		for _, f := range l.Files {
			if len(f.SHA512) != 64 {
				t.Errorf("%s: no SHA-512", f.Path)
			}
		}
	}
}

// TestMidSchemaChange holds backups taken in the middle of schema changes
// against the statements that they were made by: columns that are being added or
// dropped are not there, and rows are read by the primary key of the moment.
func TestMidSchemaChange(t *testing.T) {
	root := filepath.Join(fixtures(t), "restore_mid_schema_change", "exports")
	three := []string{"1", "2", "3"}
	nine := []string{"1", "1", "1", "2", "2", "2", "3", "3", "3"}
	common := map[string][]string{
		"midaddcol": three, "midaddconst": three, "midaddindex": three, "middropcol": nine, "midmany": three,
		"midmultitable1": three, "midmultitable2": three, "midmultitxn": three,
	}
	later := map[string][]string{"midprimarykeyswap": three, "midprimarykeyswapcleanup": three}
	for k, v := range common {
		later[k] = v
	}
	for version, want := range map[string]map[string][]string{"19.2": common, "20.1": later} {
		t.Run(version, func(t *testing.T) {
			list, err := os.ReadDir(filepath.Join(root, version))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, folder := range list {
				b := open(t, Options{Name: folder.Name()}, os.DirFS(filepath.Join(root, version, folder.Name())))
				whole(t, b)
				for _, table := range load(t, b).Tables {
					if table.Database != "defaultdb" {
						t.Errorf("%s: table %q of database %q", folder.Name(), table.Name, table.Database)
					}
					if names := visible(table); names != "a" {
						t.Errorf("%s: columns %s, want a", table.Name, names)
					}
					got[table.Name] = rowsOf(t, b, table)
					slices.Sort(got[table.Name])
				}
			}
			if d := gocmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func visible(table *catalog.Table) string {
	var names []string
	for _, c := range table.Columns {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ",")
}

// TestViewKeepsItsPromises reads each fixture in pieces, by seeks and whole.
func TestViewKeepsItsPromises(t *testing.T) {
	err := filepath.WalkDir(fixtures(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "BACKUP" {
			return err
		}
		b := open(t, Options{}, os.DirFS(filepath.Dir(path)))
		all := walk(t, b, keys.Span{})
		if len(all) == 0 {
			t.Errorf("%s: no entries", path)
		}
		var pieces []string
		from := []byte(nil)
		for _, cut := range append(b.View().Split(keys.Span{}, 20), nil) {
			pieces = append(pieces, walk(t, b, keys.Span{From: from, To: cut})...)
			from = cut
		}
		if d := gocmp.Diff(all, pieces); d != "" {
			t.Errorf("%s: in pieces: %s", path, d)
		}
		if b.View().Size(keys.Span{}) <= 0 {
			t.Errorf("%s: no size", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// walk is every entry of a span as text.
func walk(t testing.TB, b *Backup, span keys.Span) []string {
	t.Helper()
	it := b.View().Iter(span)
	var out []string
	for it.Next() {
		out = append(out, fmt.Sprintf("%x=%x", it.Key(), it.Value()))
	}
	if d := it.Damage(); len(d) > 0 || it.Err() != nil {
		t.Errorf("damage %v, %v", d, it.Err())
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
	return out
}

// TestMiscounts holds tables against manifests that say other counts.
func TestMiscounts(t *testing.T) {
	dir := filepath.Join(fixtures(t), "restore_old_versions", "exports", "v2.1.8")
	for want, alter := range map[string]func(*File){
		"rows and index entries, the manifest says":   func(f *File) { f.Rows++ },
		"bytes of keys and values, the manifest says": func(f *File) { f.DataSize-- },
		"SHA-512 differs": func(f *File) { f.SHA512 = slices.Repeat([]byte{1}, 64) },
	} {
		b := open(t, Options{Name: "b"}, os.DirFS(dir))
		alter(b.parts[1].file)
		proof, err := b.Verify(context.Background(), 2)
		if err != nil || len(proof.Damage) != 1 || !strings.Contains(proof.Damage[0].Why, want) || proof.Hashed != proof.Files-1 {
			t.Errorf("want %q: %+v, %v", want, proof, err)
		}
	}
}
