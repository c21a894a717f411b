package rows

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// flushAt is how much text a CSV gathers before it writes.
const flushAt = 256 << 10

// CSV writes rows as PostgreSQL's COPY writes them in CSV format (RFC 4180): a
// header line, LF behind each line, quotes where they are needed and around each
// document, NULL as an empty field without quotes and an empty string as one with
// them.
type CSV struct {
	w       io.Writer
	null    string
	marks   bool // of doubtful rows, values which have no text show their bytes
	fields  []fieldKind
	buf     []byte
	written int64
}

// fieldKind is what the text of a column can be.
type fieldKind uint8

const (
	anyField      fieldKind = iota
	plainField              // never in need of quotes
	stringField             // the bytes of the value
	documentField           // with quotes in nearly all of them
)

// NewCSV writes to w. A null text other than the empty one stands for NULL, and
// a value which is that text is quoted.
func NewCSV(w io.Writer, null string) *CSV { return &CSV{w: w, null: null} }

// NewDoubtfulCSV writes rows that are not proved. A value which has no text, for
// it is damaged, stands there as its bytes.
func NewDoubtfulCSV(w io.Writer, null string) *CSV { return &CSV{w: w, null: null, marks: true} }

// Begin writes the header line.
func (c *CSV) Begin(d *Decoder) error {
	if c.buf == nil {
		c.buf = make([]byte, 0, flushAt+flushAt/8)
	}
	c.fields = c.fields[:0]
	for i, col := range d.Columns() {
		c.fields = append(c.fields, c.kindOf(&col.Type))
		c.buf = append(appendField(c.buf, []byte(col.Name), c.null), ',')
		if i == d.shown-1 {
			c.buf[len(c.buf)-1] = '\n'
		}
	}
	return nil
}

func (c *CSV) kindOf(t *enc.Type) fieldKind {
	switch {
	case t.Family == enc.StringFamily && (t.OID == enc.OIDText || t.OID == enc.OIDVarChar):
		return stringField
	case t.Family == enc.JSONFamily:
		return documentField
	case c.null == "" && t.PlainText():
		return plainField
	}
	return anyField
}

// Row writes a line.
func (c *CSV) Row(r *Row) error {
	dst, start := c.buf, len(c.buf)
	for i, field := range c.fields {
		var err error
		switch kind, cell := r.kinds[i], &r.cells[i]; {
		case kind == null:
			dst = append(dst, c.null...)
		case field == plainField && kind == tupleValue: // as AppendText does it
			dst, err = r.d.texts[i].value(dst, cell.typ, cell.data)
		case field == plainField:
			dst, err = r.AppendText(dst, i)
		case field == stringField && kind == tupleValue && cell.typ == enc.BytesValue:
			dst = appendField(dst, cell.data, c.null)
		case field == documentField && kind == tupleValue && cell.typ == enc.JSONValue:
			dst, err = enc.AppendDocumentField(dst, cell.data)
		default:
			from := len(dst)
			if dst, err = r.AppendText(dst, i); err == nil {
				dst = quote(dst, from, c.null)
			}
		}
		if err != nil {
			if !c.marks {
				c.buf = dst[:start]
				return r.cellError(i, err)
			}
			dst = r.Raw(dst, i)
		}
		dst = append(dst, ',')
	}
	if len(dst) > start {
		dst[len(dst)-1] = '\n'
	}
	if c.buf = dst; len(dst) >= flushAt {
		return c.flush()
	}
	return nil
}

// End writes what is left.
func (c *CSV) End() error { return c.flush() }

// Written is how many bytes of text there are.
func (c *CSV) Written() int64 { return c.written + int64(len(c.buf)) }

func (c *CSV) flush() error {
	n, err := c.w.Write(c.buf)
	c.written += int64(n)
	c.buf = c.buf[:0]
	return err
}

// needsQuotes says that a field does not stand by itself: it is empty, is the text
// of NULL, is the end that COPY knows (\.), or has a comma, a quote or an end of
// line in it.
func needsQuotes(field []byte, null string) bool {
	return len(field) == 0 || special(field) || string(field) == null || string(field) == `\.`
}

// appendField appends a field, with quotes if it needs them.
func appendField(dst, field []byte, null string) []byte {
	if !needsQuotes(field, null) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(field, '"')
		if i < 0 {
			return append(append(dst, field...), '"')
		}
		dst = append(append(dst, field[:i+1]...), '"')
		field = field[i+1:]
	}
}

// quote puts quotes around the field that stands behind from, if it needs them.
func quote(dst []byte, from int, null string) []byte {
	field := dst[from:]
	if !needsQuotes(field, null) {
		return dst
	}
	end, extra := len(dst), 2+bytes.Count(field, []byte{'"'})
	dst = slices.Grow(dst, extra)[:end+extra]
	field = dst[from : end+extra]
	n := end - from
	field[len(field)-1] = '"'
	if extra == 2 {
		copy(field[1:], field[:n])
	} else {
		double(field, n)
	}
	field[0] = '"'
	return dst
}

// double moves the first n bytes of a field to its end, before the closing quote,
// and doubles the quotes in them. Each byte is written with a quote before it,
// which the next one overwrites unless it is needed: where quotes stand is
// nothing that a processor could guess.
func double(field []byte, n int) {
	for i, at := n-1, len(field)-2; i >= 0 && at > i; i-- {
		c, step := field[i], 1
		field[at] = c
		field[at-1] = '"'
		if c == '"' {
			step = 2
		}
		at -= step
	}
}

// Eight bytes at a time: a byte of x is zero where (x - ones) & ^x has its high
// bit, or a byte below it did borrow, which is only so if that one was zero.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special says that a field has a comma, a quote or an end of line.
func special(field []byte) bool {
	for len(field) >= 8 {
		v := binary.LittleEndian.Uint64(field)
		quote, comma, lf, cr := v^ones*'"', v^ones*',', v^ones*'\n', v^ones*'\r'
		if ((quote-ones)&^quote|(comma-ones)&^comma|(lf-ones)&^lf|(cr-ones)&^cr)&highs != 0 {
			return true
		}
		field = field[8:]
	}
	for _, c := range field {
		if c == '"' || c == ',' || c == '\n' || c == '\r' {
			return true
		}
	}
	return false
}
