package sst

import (
	"bytes"
	"context"
	"testing"
)

// Bytes of any kind behind a good checksum neither stop nor mislead the readers
// of row blocks, footers and indexes.
func FuzzRowBlock(f *testing.F) {
	data := tables(f, "tiny-v20.2a/n1.tar.zst")["000020.sst"]
	table := open(f, data, Options{})
	b := &blocks{t: table}
	for i := 0; i < len(table.pieces); i += 20 {
		contents, err := b.read(table.pieces[i].handle, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(contents))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c rowCursor
		if c.reset(data) == nil {
			for n := 0; c.next(); n++ {
				if n > len(data) {
					t.Fatal("more entries than bytes")
				}
			}
		}
		_ = rowSpans(data, func(RangeKey) {})
		_, _ = (&Table{size: 1 << 20}).indexEntries(data)
		_, _ = valueIndex(data, [3]byte{1, 2, 1}, 1<<20)
		classifyRows(data)
		var k codec
		for _, typ := range []byte{plain, snappied, zstandard, minlzed, 5} {
			_, _, _ = k.unpack(nil, data, typ)
		}
		k.close()
	})
}

// Files of any kind are opened and read, or refused.
func FuzzTable(f *testing.F) {
	for name, w := range synthetic(f) {
		if name == "v1-snappy-index200" || name == "v4-zstd-index200" || name == "v7-minlz-index200" {
			w.rows = w.rows[:100]
			f.Add(w.table(f))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := Open(context.Background(), bytes.NewReader(data), int64(len(data)), Options{})
		if err != nil {
			return
		}
		it := table.Iter(everywhere)
		for it.Next() != nil {
		}
		table.Cuts(everywhere, 100)
	})
}

func FuzzFooter(f *testing.F) {
	for _, w := range synthetic(f) {
		data := w.table(f)
		f.Add(data[len(data)-footerPebblev7:])
	}
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = readFooter(data, 1<<20) })
}
