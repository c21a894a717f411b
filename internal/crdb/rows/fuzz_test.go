package rows

import (
	"context"
	"io"
	"testing"

	"github.com/evac-io/evac/internal/crdb/catalog"
)

// FuzzRead feeds pairs that nobody wrote to the readers of rows and of entries,
// and holds that none panics and that every row is counted once.
func FuzzRead(f *testing.F) {
	var decoders []*Decoder
	tables := []*catalog.Table{families(), indexed()}
	tables = append(tables, open(f, "tiny").tables()...)
	for i, table := range tables {
		d, err := New(table, Options{})
		if err != nil {
			f.Fatal(err)
		}
		decoders = append(decoders, d)
		if i < 2 {
			f.Add(uint8(i), append(d.Span().From, 0x89, 0x88), unhex(f, "00000000 0a 26026869"), []byte{0x89, 0x89})
			continue
		}
		it := open(f, "tiny").reader.Iter(d.Span())
		for range 2 {
			if it.Next() {
				f.Add(uint8(i), append([]byte(nil), it.Key()...), append([]byte(nil), it.Value()...), []byte{0x89, 0x89})
			}
		}
		if err := it.Close(); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, table uint8, key, value, more []byte) {
		d := decoders[int(table)%len(decoders)]
		list := []pair{{key, value}, {append(append([]byte(nil), key[:max(0, len(key)-1)]...), more...), value}}
		res, err := d.Read(context.Background(), &pairs{list: list}, Output{Rows: NewCSV(io.Discard, ""), Doubtful: NewDoubtfulCSV(io.Discard, "")})
		if err != nil {
			t.Fatal(err)
		}
		if res.Rows+res.Withheld > 2 || res.Pairs > 2 || res.Withheld > res.DoubtCount {
			t.Errorf("%+v", res)
		}
		if start := d.RowStart(key); len(start) > len(key) {
			t.Errorf("the row of %x begins at %x", key, start)
		}
		for _, ix := range d.Indexes() {
			if ix.Check == No {
				continue
			}
			if _, err := d.ReadEntries(context.Background(), ix.ID, &pairs{list: list}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
