package salvage

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/backup"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
	"github.com/evac-io/evac/internal/fault"
)

// backups is the folder of real backups.
func backups(t testing.TB) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	if root == "" {
		t.Fatal("EVAC_FIXTURES does not name the folder of real backups")
	}
	return filepath.Join(root, "backups")
}

// visible is the rows of a table as they were inserted: without the hidden rowid,
// sorted.
func visible(t testing.TB, dir string, table *Table) []string {
	t.Helper()
	lines := salvaged(t, dir, table)
	hidden := slices.Index(lines[0], "rowid")
	var out []string
	for _, l := range lines[1:] {
		if hidden >= 0 {
			l = slices.Delete(slices.Clone(l), hidden, hidden+1)
		}
		out = append(out, strings.Join(l, ","))
	}
	slices.Sort(out)
	return out
}

// TestBackups salvages every backup of the fixtures, of releases 1.0 to 20.1, and
// holds the rows against the statements which they were made by.
func TestBackups(t *testing.T) {
	three := []string{"1", "2", "3"}
	pairs := []string{"1,1,1", "2,2,2", "3,3,3"}
	nine := []string{"1", "1", "1", "2", "2", "2", "3", "3", "3"}
	want := map[string][]string{
		"test.public.t1": pairs, "test.public.t2": pairs, "test.public.t3": three, "test.public.t4": pairs, "defaultdb.public.middropcol": nine,
	}
	for _, name := range strings.Fields("midaddcol midaddconst midaddindex midmany midmultitable1 midmultitable2 midmultitxn midprimarykeyswap midprimarykeyswapcleanup") {
		want["defaultdb.public."+name] = three
	}
	n := 0
	seen := map[string]bool{}
	err := filepath.WalkDir(backups(t), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "BACKUP" {
			return err
		}
		n++
		from, dir := filepath.Dir(path), filepath.Join(t.TempDir(), "out")
		rep, err := Run(t.Context(), []string{from}, dir, Options{}, quiet)
		if err != nil {
			t.Errorf("%s: %v", from, err)
			return nil
		}
		if !rep.Complete || len(rep.Layers) != 1 || rep.AsOf == "" || len(rep.Tables) == 0 {
			t.Errorf("%s: complete is %v, %s; as of %q, %d tables, layers %+v", from, rep.Complete, rep.Problems, rep.AsOf, len(rep.Tables), rep.Layers)
		}
		for _, table := range rep.Tables {
			seen[table.Name] = true
			if diff := cmp.Diff(want[table.Name], visible(t, dir, table)); diff != "" || table.Rests[0].Files == 0 {
				t.Errorf("%s: table %s: %s; rests %+v", from, table.Name, diff, table.Rests)
			}
		}
		for _, file := range []string{"schema.sql", "schema.cockroach.sql", "report.html"} {
			if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || len(text) < 100 {
				t.Errorf("%s: %s: %v", from, file, err)
			}
		}
		if _, err := Verify(t.Context(), dir); err != nil {
			t.Error(err)
		}
		return nil
	})
	if err != nil || n != 21 || len(seen) != len(want) {
		t.Errorf("%d backups, %d of %d tables, %v", n, len(seen), len(want), err)
	}
}

// TestBrokenBackup loses a file, a byte of one, and gives one that is another's:
// the verdict names it, and the rest is there.
func TestBrokenBackup(t *testing.T) {
	spoil := map[string]func(name string) error{
		"no such file": os.Remove,
		"SHA-512 differs": func(name string) error {
			data, err := os.ReadFile(name)
			if err == nil {
				data[10] ^= 1
				err = os.WriteFile(name, data, 0o600)
			}
			return err
		},
	}
	for says, how := range spoil {
		t.Run(says, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "b")
			if text, err := exec.Command("cp", "-r", filepath.Join(backups(t), "restore_old_versions", "exports", "v2.1.8"), from).CombinedOutput(); err != nil {
				t.Fatalf("%s", text)
			}
			if text, err := exec.Command("chmod", "-R", "u+w", from).CombinedOutput(); err != nil {
				t.Fatalf("%s", text)
			}
			if err := how(filepath.Join(from, "486711390560256001.sst")); err != nil { // t2
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "out")
			rep, err := Run(t.Context(), []string{from}, dir, Options{}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(rep.Problems, "\n")
			if rep.Complete || !strings.Contains(text, says) || !strings.Contains(text, `table "test.public.t2"`) || strings.Contains(text, `table "test.public.t1"`) || len(rep.Damage) == 0 {
				t.Errorf("complete is %v, damage %v: %s", rep.Complete, rep.Damage, text)
			}
			for _, table := range rep.Tables {
				if table.Name != "test.public.t2" && table.Rows != 3 {
					t.Errorf("table %s: %d rows", table.Name, table.Rows)
				}
			}
		})
	}
}

// TestBackupInputs packs a backup, copies it, asks for another moment and mixes it
// with a store.
func TestBackupInputs(t *testing.T) {
	from := filepath.Join(backups(t), "restore_old_versions", "exports", "v19.1.4")
	packed := filepath.Join(t.TempDir(), "b.tar.gz")
	if text, err := exec.Command("tar", "-czf", packed, "-C", filepath.Dir(from), filepath.Base(from)).CombinedOutput(); err != nil {
		t.Fatalf("%s", text)
	}
	for name, opt := range map[string]Options{packed: {}, from: {CopyTo: filepath.Join(t.TempDir(), "copy")}} {
		rep, err := Run(t.Context(), []string{name}, filepath.Join(t.TempDir(), "out"), opt, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if !rep.Complete || rep.Rows != 12 {
			t.Errorf("%s: %d rows, complete is %v: %s", name, rep.Rows, rep.Complete, rep.Problems)
		}
	}
	at, err := ParseMoment("2019-01-01T00:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	store := fixture(t, "tiny")[0]
	for says, try := range map[string]struct {
		stores []string
		opt    Options
	}{
		"it has the states of":         {stores: []string{from}, opt: Options{AsOf: at}},
		"rows are of two moments":      {stores: []string{store, from}},
		"are both full backups":        {stores: []string{from, filepath.Join(filepath.Dir(from), "v2.1.8")}},
		"no table [\"test.public.x\"]": {stores: []string{from}, opt: Options{Tables: []string{"test.public.x"}}},
	} {
		out := filepath.Join(t.TempDir(), "out")
		_, err := Run(t.Context(), try.stores, out, try.opt, quiet)
		if fault.Code(err) != 10 || !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("want %q: %v", says, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: there is output", says)
		}
	}
}

// buffer is a table in memory. It is an objstorage.Writable.
type buffer struct{ data []byte }

func (b *buffer) Write(p []byte) error { b.data = append(b.data, p...); return nil }
func (b *buffer) Finish() error        { return nil }
func (b *buffer) Abort()               {}

// version is one version of a row of t2, whose columns k, v1 and v2 it has all the
// same but k; values of 0 delete it.
type version struct{ k, v, second int64 }

// incremental writes an incremental backup upon a full one: table t2 has these
// versions more, in the order of keys, the newest first.
func incremental(t *testing.T, full *backup.Manifest, from, to int64, revisions bool, versions ...version) string {
	t.Helper()
	dir := t.TempDir()
	at := func(seconds int64) keys.Timestamp {
		return keys.Timestamp{Wall: full.End.Wall + seconds*1e9, Logical: full.End.Logical}
	}
	stamp := func(ts keys.Timestamp) wire.Message {
		return wire.Message(nil).Int(1, uint64(ts.Wall)).Int(2, uint64(ts.Logical))
	}
	table := []byte("\xbe\x89") // /Table/54/1
	out := &buffer{}
	w := sstable.NewWriter(out, sstable.WriterOptions{Comparer: &cockroachkvs.Comparer, TableFormat: sstable.TableFormatRocksDBv2})
	for _, v := range versions {
		key := append(keys.AppendUvarint(slices.Clone(table), uint64(v.k)), 0x88)
		var value []byte
		if v.v != 0 {
			value = []byte{0, 0, 0, 0, byte(enc.TagTuple), 0x23, byte(2 * v.v), 0x13, byte(2 * v.v)}
			enc.SetChecksum(key, value)
		}
		if err := w.Set(keys.Append(nil, key, at(v.second)), value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m := wire.Message(nil).Bytes(1, stamp(at(from))).Bytes(2, stamp(at(to))).Bytes(11, wire.Message(nil).Bytes(2, []byte("v19.1.4")))
	for _, s := range full.Spans {
		m = m.Bytes(3, wire.Message(nil).Bytes(3, s.From).Bytes(4, s.To))
	}
	m = m.Bytes(4, wire.Message(nil).Bytes(1, wire.Message(nil).Bytes(3, table).Bytes(4, []byte("\xbe\x8a"))).Bytes(2, []byte("1.sst")))
	for _, d := range full.Descriptors {
		m = m.Bytes(5, d)
	}
	if revisions {
		m = m.Int(13, 1).Bytes(17, stamp(at(from)))
	}
	for name, data := range map[string][]byte{"BACKUP": m, "1.sst": out.data} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestIncrementalBackups salvages a real full backup with incremental ones, at
// each moment that they have.
func TestIncrementalBackups(t *testing.T) {
	full := filepath.Join(backups(t), "restore_old_versions", "exports", "v19.1.4")
	data, err := os.ReadFile(filepath.Join(full, "BACKUP"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := backup.ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	one := incremental(t, m, 0, 10, false, version{1, 7, 5}, version{2, 0, 6})
	two := incremental(t, m, 10, 20, true, version{1, 9, 18}, version{1, 8, 15}, version{4, 4, 16})
	for _, try := range []struct {
		folders []string
		at      int64 // seconds behind the full backup; 0 is the end
		want    []string
	}{
		{[]string{full}, 0, []string{"1,1,1", "2,2,2", "3,3,3"}},
		{[]string{full, one}, 0, []string{"1,7,7", "3,3,3"}},
		{[]string{full, two, one}, 0, []string{"1,9,9", "3,3,3", "4,4,4"}},
		{[]string{full, one, two}, 17, []string{"1,8,8", "3,3,3", "4,4,4"}},
		{[]string{full, one, two}, 15, []string{"1,8,8", "3,3,3"}},
		{[]string{full, one, two}, 10, []string{"1,7,7", "3,3,3"}},
	} {
		opt := Options{}
		if try.at > 0 {
			opt.AsOf = keys.Timestamp{Wall: m.End.Wall + try.at*1e9, Logical: m.End.Logical}
		}
		dir := filepath.Join(t.TempDir(), "out")
		rep, err := Run(t.Context(), try.folders, dir, opt, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if !rep.Complete {
			t.Errorf("as of %d: not complete: %s", try.at, rep.Problems)
		}
		for _, table := range rep.Tables {
			if table.Name != "test.public.t2" {
				continue
			}
			if diff := cmp.Diff(try.want, visible(t, dir, table)); diff != "" {
				t.Errorf("%d folders, as of %d: %s", len(try.folders), try.at, diff)
			}
		}
	}
	opt := Options{AsOf: keys.Timestamp{Wall: m.End.Wall + 5e9, Logical: m.End.Logical}} // the first has no revisions
	if _, err := Run(t.Context(), []string{full, one, two}, t.TempDir(), opt, quiet); fault.Code(err) != 10 {
		t.Errorf("a moment within a layer without revisions: %v", err)
	}
}
