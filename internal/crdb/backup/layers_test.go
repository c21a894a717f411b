package backup

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// entry is one version of a key: at a second, or without version at 0.
type entry struct {
	key   string
	at    int64
	value string
}

// buffer is a table in memory. It is an objstorage.Writable.
type buffer struct{ bytes.Buffer }

func (b *buffer) Write(p []byte) error { _, err := b.Buffer.Write(p); return err }
func (b *buffer) Finish() error        { return nil }
func (b *buffer) Abort()               {}

// table is an exported table; tombs are range tombstones: key, end, second.
func table(t testing.TB, entries []entry, tombs ...[3]any) *fstest.MapFile {
	t.Helper()
	out := &buffer{}
	schema := cockroachkvs.KeySchema
	w := sstable.NewWriter(out, sstable.WriterOptions{Comparer: &cockroachkvs.Comparer, KeySchema: &schema, TableFormat: sstable.TableFormatPebblev4})
	for _, e := range entries {
		if err := w.Set(keys.Append(nil, []byte(e.key), second(e.at)), []byte(e.value)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tomb := range tombs {
		suffix := keys.Append(nil, nil, second(int64(tomb[2].(int))))[1:]
		from, to := keys.Append(nil, []byte(tomb[0].(string)), keys.Timestamp{}), keys.Append(nil, []byte(tomb[1].(string)), keys.Timestamp{})
		if err := w.RangeKeySet(from, to, suffix, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: out.Bytes()}
}

func second(s int64) keys.Timestamp { return keys.Timestamp{Wall: s * 1e9} }

func stamp(s int64) wire.Message { return wire.Message(nil).Int(1, uint64(second(s).Wall)) }

func span(from, to string) wire.Message {
	return wire.Message(nil).Bytes(3, []byte(from)).Bytes(4, []byte(to))
}

// manifest is one of a layer from start to end; file names follow with their spans.
func manifest(start, end int64, files ...[3]string) wire.Message {
	m := wire.Message(nil).Bytes(2, stamp(end)).Bytes(3, span("\xbc", "\xff")).Bytes(25, wire.Message(nil).Int(1, 23).Int(2, 1))
	if start > 0 {
		m = m.Bytes(1, stamp(start))
	}
	for _, f := range files {
		m = m.Bytes(4, fileMessage(f))
	}
	return m
}

func fileMessage(f [3]string) wire.Message {
	return wire.Message(nil).Bytes(1, span(f[1], f[2])).Bytes(2, []byte(f[0])).Bytes(6, wire.Message(nil).Int(1, 100))
}

func raw(m wire.Message) *fstest.MapFile { return &fstest.MapFile{Data: m} }

// packed is a manifest with gzip and its checksum.
func packed(t testing.TB, root fstest.MapFS, name string, m wire.Message) {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(m); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	root[name] = &fstest.MapFile{Data: out.Bytes()}
	root[name+"-CHECKSUM"] = &fstest.MapFile{Data: sum[:4]}
}

// values is what a reader at the backup's moment sees: key=value, in order.
func values(t testing.TB, b *Backup) string {
	t.Helper()
	it := reader(b).Iter(keys.Span{})
	var out []string
	for it.Next() {
		out = append(out, fmt.Sprintf("%s=%s", strings.TrimPrefix(string(it.Key()), "\xbc\x89"), it.Value()))
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
	return strings.Join(out, " ")
}

const p = "\xbc\x89" // /Table/52/1

// collection is a full backup with two incremental ones, in the layout of 22.1
// and later: at second 30 a is written anew, b deleted and d introduced; at 40 a
// range tombstone takes c away.
func collection(t testing.TB) fstest.MapFS {
	t.Helper()
	root := fstest.MapFS{
		"metadata/latest/LATEST-13aa": {Data: []byte("/2023/06/02-093257.93")},
		"metadata/latest/LATEST-13bb": {Data: []byte("/2022/01/01-000000.00")},
	}
	full, inc := "2023/06/02-093257.93", "incrementals/2023/06/02-093257.93"
	packed(t, root, path.Join(full, "BACKUP_MANIFEST"), manifest(0, 20, [3]string{"data/1.sst", p + "a", p + "c"}, [3]string{"data/2.sst", p + "c", p + "z"}))
	root[path.Join(full, "data/1.sst")] = table(t, []entry{{p + "a", 10, "a10--"}, {p + "b", 10, "b10--"}})
	root[path.Join(full, "data/2.sst")] = table(t, []entry{{p + "c", 10, "c10--"}, {p + "d", 10, "wrong"}})
	one := manifest(20, 30, [3]string{"data/3.sst", p + "a", p + "z"}).Bytes(15, span(p+"d", p+"e"))
	packed(t, root, path.Join(inc, "20230602/100000.00/BACKUP_MANIFEST"), one)
	root[path.Join(inc, "20230602/100000.00/data/3.sst")] = table(t, []entry{{p + "a", 25, "a25--"}, {p + "b", 25, ""}, {p + "d", 9, "d9---"}})
	two := manifest(30, 40, [3]string{"data/4.sst", p + "a", p + "z"}).Int(13, 1)
	packed(t, root, path.Join(inc, "20230602/110000.00-20230602-100000.00/BACKUP_MANIFEST"), two)
	root[path.Join(inc, "20230602/110000.00-20230602-100000.00/data/4.sst")] = table(t,
		[]entry{{p + "a", 38, "a38--"}, {p + "a", 35, "a35--"}}, [3]any{p + "c", p + "d", 36})
	return root
}

// TestLayers reads a collection at each moment that it has.
func TestLayers(t *testing.T) {
	root := collection(t)
	for at, want := range map[int64]string{
		0:  "a=a38-- d=d9---",
		40: "a=a38-- d=d9---",
		37: "a=a35-- d=d9---",
		33: "a=a25-- c=c10-- d=d9---",
		30: "a=a25-- c=c10-- d=d9---",
		20: "a=a10-- b=b10-- c=c10-- d=wrong",
	} {
		b := open(t, Options{AsOf: second(at)}, root)
		if got := values(t, b); got != want || len(b.Notes()) > 0 {
			t.Errorf("as of %d: %s, want %s; notes %v", at, got, want, b.Notes())
		}
	}
}

// TestDescriptorsOfLayers takes them from the layer that knows: all from the last
// one at its end, what changed where there are revisions.
func TestDescriptorsOfLayers(t *testing.T) {
	desc := func(id uint64, name string) wire.Message {
		return wire.Message(nil).Bytes(1, wire.Message(nil).Bytes(1, []byte(name)).Int(3, id))
	}
	change := func(at int64, id uint64, d wire.Message) wire.Message {
		m := wire.Message(nil).Bytes(1, stamp(at)).Int(2, id)
		if d != nil {
			m = m.Bytes(3, d)
		}
		return m
	}
	first := manifest(0, 20).Int(13, 1).Bytes(5, desc(52, "a")).Bytes(5, desc(53, "b")).Bytes(16, change(5, 52, desc(52, "old"))).Bytes(16, change(6, 53, desc(53, "b")))
	second30 := manifest(20, 30).Int(13, 1).Bytes(16, change(25, 52, desc(52, "new"))).Bytes(16, change(28, 53, nil)).Bytes(5, desc(52, "new"))
	last := manifest(30, 40).Bytes(5, desc(52, "last")).Bytes(5, wire.Message(nil).Bytes(9, nil))
	folders := []fs.FS{fstest.MapFS{"BACKUP": raw(first)}, fstest.MapFS{"BACKUP": raw(last)}, fstest.MapFS{"BACKUP": raw(second30)}}
	for at, want := range map[int64]string{10: "old b", 20: "a b", 26: "new b", 29: "new", 30: "new", 40: "? last"} {
		list, err := open(t, Options{AsOf: second(at)}, folders...).Descriptors()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, d := range list {
			name := "?"
			if d.ID != 0 {
				_, name, _ = strings.Cut(string(d.Desc), "\n")
				name = name[3 : 3+name[2]]
			}
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("as of %d: %q, want %q", at, got, want)
		}
	}
}

// TestRefused holds what cannot be read against what is said of it.
func TestRefused(t *testing.T) {
	full := raw(manifest(0, 20))
	for _, c := range []struct {
		name, want string
		root       fs.FS
		options    Options
	}{
		{"nothing", "no manifest in the folder", fstest.MapFS{"x.sst": full}, Options{}},
		{"unfinished", "never finished", fstest.MapFS{"BACKUP-CHECKPOINT": full}, Options{}},
		{"unfinished, later", "never finished", fstest.MapFS{"progress/BACKUP-CHECKPOINT-1": full}, Options{}},
		{"encrypted", "encrypted", fstest.MapFS{"BACKUP_MANIFEST": {Data: []byte("encrypt\x02.........")}}, Options{}},
		{"encrypted, by its info", "encrypted", fstest.MapFS{"ENCRYPTION-INFO": full}, Options{}},
		{"incremental alone", "without the full backup", fstest.MapFS{"BACKUP": raw(manifest(20, 30))}, Options{}},
		{"checksum", "its checksum is", fstest.MapFS{"BACKUP_MANIFEST": full, "BACKUP_MANIFEST-CHECKSUM": {Data: []byte("abcd")}}, Options{}},
		{"cut", "parse the manifest", fstest.MapFS{"BACKUP": {Data: full.Data[:9]}}, Options{}},
		{"no end", "no end time", fstest.MapFS{"BACKUP": {}}, Options{}},
		{"before it", "it has the states of", fstest.MapFS{"BACKUP": full}, Options{AsOf: second(19)}},
		{"behind it", "it ends at", fstest.MapFS{"BACKUP": full}, Options{AsOf: second(21)}},
		{"lists missing", "filelist.sst", fstest.MapFS{"BACKUP_METADATA": raw(manifest(0, 20).Int(27, 1))}, Options{}},
		{"unknown elision", "elided in a way", fstest.MapFS{"BACKUP_METADATA": raw(manifest(0, 20).Int(28, 3))}, Options{}},
	} {
		if _, err := Open(context.Background(), []fs.FS{c.root}, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestGapInChain leaves a layer out: what follows it cannot be used.
func TestGapInChain(t *testing.T) {
	root := collection(t)
	for name := range root {
		if strings.Contains(name, "20230602/100000.00/") {
			delete(root, name)
		}
	}
	b := open(t, Options{}, root)
	if b.AsOf() != second(20) || len(b.Notes()) != 1 || !strings.Contains(b.Notes()[0], "left out") {
		t.Errorf("as of %v, notes %v", b.AsOf(), b.Notes())
	}
}

// TestMissingTable is damage with the right span, and the rest is read.
func TestMissingTable(t *testing.T) {
	root := collection(t)
	delete(root, "2023/06/02-093257.93/data/1.sst")
	root["2023/06/02-093257.93/data/2.sst"] = &fstest.MapFile{Data: []byte("encrypt\x02and then whatever a table that is encrypted has in it")}
	b := open(t, Options{Name: "b", AsOf: second(20)}, root)
	it := b.View().Iter(keys.Span{})
	for it.Next() {
		t.Errorf("%q is there", it.Key())
	}
	var got []string
	for _, d := range it.Damage() {
		got = append(got, fmt.Sprintf("%s %s %q %q", d.Store, path.Base(d.File), d.Span.From, d.Span.To))
	}
	want := []string{fmt.Sprintf("b 1.sst %q %q", p+"a", p+"c\x00"), fmt.Sprintf("b 2.sst %q %q", p+"c", p+"z\x00")}
	if d := gocmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := it.Close(); err != nil {
		t.Error(err)
	}
	if lost, err := b.Verify(context.Background(), 1); err != nil || len(lost.Damage) != 1 {
		t.Errorf("verify: %v, %v", lost, err)
	}
}

// TestSlim reads the form of 23.1 and later, with elided prefixes and revisions of
// descriptors, partitioned over two folders.
func TestSlim(t *testing.T) {
	desc := func(name string) string {
		return string(wire.Message(nil).Bytes(1, wire.Message(nil).Bytes(1, []byte(name)).Int(3, 52)))
	}
	for elided, strip := range map[Elision]string{ElideNone: "", ElideTenant: "\xfe\x8a", ElideTenantAndTable: "\xfe\x8a\xbc"} {
		prefix := "\xfe\x8a\xbc\x89" // tenant 2, /Table/52/1
		cut := func(s string) string { return strings.TrimPrefix(prefix+s, strip) }
		main := fstest.MapFS{
			"BACKUP_METADATA": raw(manifest(0, 20).Int(13, 1).Int(27, 1).Int(28, uint64(elided)).Bytes(26, wire.Message(nil).Bytes(1, wire.Message(nil).Int(1, 2)))),
			"filelist.sst": table(t, []entry{
				{"\x12a", 0, string(fileMessage([3]string{"data/1.sst", prefix + "a", prefix + "c"}))},
				{"\x12c", 0, string(fileMessage([3]string{"data/2.sst", prefix + "c", prefix + "z"}).Bytes(9, []byte("zone=b")))},
			}),
			"descriptorslist.sst": table(t, []entry{{"desc/\xbc", 18, desc("new")}, {"desc/\xbc", 12, desc("old")}, {"desc/\xbd", 15, ""}, {"desc/\xbd", 12, desc("gone")}}),
			"data/1.sst":          table(t, []entry{{cut("a"), 10, "a10--"}, {cut("b"), 10, "b10--"}}),
		}
		other := fstest.MapFS{"data/2.sst": table(t, []entry{{cut("c"), 11, "c11--"}, {cut("c"), 10, "c10--"}})}
		b := open(t, Options{}, main, other)
		want := fmt.Sprintf("%[1]sa=a10-- %[1]sb=b10-- %[1]sc=c11--", prefix)
		if got := values(t, b); got != want {
			t.Errorf("elided %d: %q, want %q", elided, got, want)
		}
		if got := b.Layers()[0].Tenants; len(got) != 1 || got[0] != 2 {
			t.Errorf("tenants %v", got)
		}
		for at, want := range map[int64]string{0: desc("new"), 14: desc("old") + desc("gone"), 17: desc("old")} {
			list, err := open(t, Options{AsOf: second(at)}, main, other).Descriptors()
			var got string
			for _, d := range list {
				got += string(d.Desc)
			}
			if err != nil || got != want {
				t.Errorf("descriptors as of %d: %q, want %q, %v", at, got, want, err)
			}
		}
	}
}

// FuzzManifest looks for manifests that are read wrongly or not at all.
func FuzzManifest(f *testing.F) {
	root := fixtures(f)
	for _, name := range []string{"restore_old_versions/exports/v1.0.7", "restore_old_versions/exports/v19.1.4", "restore_mid_schema_change/exports/20.1/midmany"} {
		data, err := readFile(os.DirFS(root), path.Join(name, "BACKUP"), maxManifest)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(manifest(1, 2, [3]string{"a", "b", "c"}).Bytes(16, wire.Message(nil).Int(2, 3)).Bytes(26, span("", "")).Int(28, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open(context.Background(), []fs.FS{fstest.MapFS{"BACKUP": {Data: data}}}, Options{})
		if err != nil {
			return
		}
		_, _ = b.Descriptors()
		it := b.View().Iter(keys.Span{})
		for it.Next() {
			t.Fatal("an entry out of no table")
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		b.View().Split(keys.Span{}, 1)
		if _, err := b.View().RangeTombstones(keys.Span{}); err != nil {
			t.Fatal(err)
		}
	})
}
