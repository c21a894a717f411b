package rows

import (
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"
)

// rowGroup is about how many bytes of values a Parquet keeps in memory before
// it writes them as a row group.
const rowGroup = 32 << 20

// Parquet writes rows as a Parquet file: integers, floats, truth values, dates,
// times and timestamps (in microseconds), UUIDs, bytes and documents as such,
// everything else as its text, so that nothing is rounded. Decimals are text too:
// Parquet's have no NaN and no more than 38 digits. Every column may be NULL.
type Parquet struct {
	w       io.Writer
	file    *parquet.GenericWriter[any]
	columns []parquetColumn
	row     parquet.Row
	text    []byte // the bytes of the current row's values
	buf     []byte
	pending int // bytes of the row group so far
}

// NewParquet writes to w.
func NewParquet(w io.Writer) *Parquet { return &Parquet{w: w} }

// Begin lays out the schema.
func (p *Parquet) Begin(d *Decoder) error {
	root := record{Group: parquet.Group{}}
	for _, c := range d.Columns() {
		col := parquetColumnOf(&c.Type)
		p.columns = append(p.columns, col)
		root.fields = append(root.fields, field{parquet.Optional(col.node), c.Name})
	}
	p.file = parquet.NewGenericWriter[any](p.w, parquet.NewSchema(d.table.Name, root), parquet.Compression(&parquet.Snappy))
	return nil
}

// Row adds a row.
func (p *Parquet) Row(r *Row) error {
	p.row, p.text = p.row[:0], p.text[:0]
	for i := range p.columns {
		v, level := parquet.NullValue(), 0
		if !r.Null(i) {
			var err error
			if v, err = p.columns[i].value(p, r, i); err != nil {
				return err
			}
			level = 1
		}
		p.row = append(p.row, v.Level(0, level, i))
	}
	if _, err := p.file.WriteRows([]parquet.Row{p.row}); err != nil {
		return err
	}
	if p.pending += len(p.text) + 8*len(p.row); p.pending < rowGroup {
		return nil
	}
	p.pending = 0
	return p.file.Flush()
}

// End writes what is left and the end of the file.
func (p *Parquet) End() error { return p.file.Close() }

// record is a group whose fields keep their order; the library's own sorts them
// by name.
type record struct {
	parquet.Group
	fields []parquet.Field
}

func (r record) Fields() []parquet.Field { return r.fields }

// field is a column by its name.
type field struct {
	parquet.Node
	name string
}

func (f field) Name() string { return f.name }

// Value is for rows out of Go structures, which nobody writes.
func (f field) Value(reflect.Value) reflect.Value { return reflect.Value{} }
