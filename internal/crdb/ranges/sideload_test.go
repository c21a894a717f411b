package ranges

import (
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/evac-io/evac/internal/crdb/wire"
)

// tableFile is a table of rows as a command adds it.
func tableFile(t *testing.T, format sstable.TableFormat, rows ...string) []byte {
	t.Helper()
	fs := vfs.NewMem()
	f, err := fs.Create("t", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	schema := cockroachkvs.KeySchema
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{
		Comparer: &cockroachkvs.Comparer, KeySchema: &schema, TableFormat: format, MergerName: "nullptr",
	})
	for _, r := range rows {
		c := rowChange(r, 1, "loaded")
		if err := w.Set(c.Key, c.Value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := fs.Open("t")
	if err != nil {
		t.Fatal(err)
	}
	info, err := g.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, info.Size())
	if _, err := g.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSideloaded(t *testing.T) {
	for _, format := range []sstable.TableFormat{sstable.TableFormatRocksDBv2, sstable.TableFormatPebblev4, sstable.TableFormatPebblev5} {
		data := tableFile(t, format, "c", "e")
		crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
		bad := append([]byte{}, data...)
		bad[10] ^= 1
		for _, c := range []struct {
			name  string
			files map[string][]byte
			want  string
			says  bool
		}{
			{"newer place", map[string][]byte{"auxiliary/sideloading/r0XXXX/r1/i11.t1": data}, "a=1 c=loaded e=loaded f=after", false},
			{"older place", map[string][]byte{"auxiliary/sideloading/1/1.1/i11.t1": data}, "a=1 c=loaded e=loaded f=after", false},
			{"missing", nil, "a=1", true},
			{"damaged", map[string][]byte{"auxiliary/sideloading/r0XXXX/r1/i11.t1": bad}, "a=1", true},
		} {
			f := newFake(1)
			f.ReadFile = files(c.files)
			f.replica(desc(1, 1, "", "", 1), state{applied: 10})
			f.row("a", 1, "1")
			load := command{sideloaded: true, result: wire.Message{}.Bytes(17, wire.Message{}.Int(2, uint64(crc)))}
			f.log(1, 11, 1, load, write("f", 2, "after"))
			m := survey(t, Auto, f)
			if got := rows(t, m); got != c.want || (said(m) != "") != c.says {
				t.Errorf("%v, %s: %q, want %q; says %q", format, c.name, got, c.want, said(m))
			}
		}
	}
}
