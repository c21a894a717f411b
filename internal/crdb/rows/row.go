package rows

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// Row is one row: its cells are those of Decoder.Columns. It and all that it
// returns hold until the sink returns.
type Row struct {
	d     *Decoder
	kinds []cellKind // of the cells
	cells []cell
	key   []byte   // without family
	parts [][]byte // the columns of the primary key, as keys
}

// cell is where a row has the value of a column.
type cell struct {
	typ  enc.ValueType // of a value among others
	tag  enc.Tag       // of a value by itself
	data []byte
}

type cellKind uint8

const (
	null       cellKind = iota
	keyAsc              // data is a column of the key
	keyDesc             // the same, descending
	tupleValue          // data is one value of several
	soleValue           // data is a value by itself
)

// Key is the row's key, without the family that ends it.
func (r *Row) Key() []byte { return r.key }

// Null says whether a column is NULL.
func (r *Row) Null(i int) bool { return r.kinds[i] == null }

// AppendText appends the text of a column that is not NULL.
func (r *Row) AppendText(dst []byte, i int) ([]byte, error) {
	c := &r.cells[i]
	var err error
	switch r.kinds[i] {
	case tupleValue:
		dst, err = r.d.texts[i].value(dst, c.typ, c.data)
	case keyAsc, keyDesc:
		dst, _, _, err = r.d.texts[i].key(dst, c.data)
	case soleValue:
		dst, err = enc.AppendSingleText(dst, &r.d.columns[i].Type, c.tag, c.data)
	}
	if err != nil {
		return dst, r.cellError(i, err)
	}
	return dst, nil
}

// cellError says which column an error is about.
func (r *Row) cellError(i int, err error) error {
	if told := new(CellError); errors.As(err, &told) {
		return err
	}
	return &CellError{Column: r.d.columns[i].Name, Err: err}
}

// Value is the value encoding of a column, NullValue if it is NULL. The payload
// stands in buf where it had to be written anew.
func (r *Row) Value(buf []byte, i int) (typ enc.ValueType, payload []byte, err error) {
	c := &r.cells[i]
	t := &r.d.columns[i].Type
	switch r.kinds[i] {
	case tupleValue:
		return c.typ, c.data, nil
	case keyAsc, keyDesc:
		typ, payload, _, err = enc.ValueFromKey(buf[:0], t, r.kinds[i] == keyDesc, c.data)
	case soleValue:
		typ, payload, err = enc.SingleValue(buf[:0], t, c.tag, c.data)
	default:
		typ = enc.NullValue
	}
	if err != nil {
		return 0, nil, r.cellError(i, err)
	}
	return typ, payload, nil
}

// Raw is the encoding of a column as it was found, for people to look at.
func (r *Row) Raw(dst []byte, i int) []byte {
	return hex.AppendEncode(append(dst, `\x`...), r.cells[i].data)
}

// CellError is a value that a sink cannot show.
type CellError struct {
	Column string
	Err    error
}

func (e *CellError) Error() string { return fmt.Sprintf("column %q: %v", e.Column, e.Err) }

func (e *CellError) Unwrap() error { return e.Err }

// Sink takes rows. Begin comes first and End last; a row that it refuses with a
// CellError leaves no trace in it.
type Sink interface {
	Begin(d *Decoder) error
	Row(r *Row) error
	End() error
}
