package rows

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

const (
	sentinel   = 0xfe // stands where the rows of an interleaved table begin
	familyZero = 0x88 // how a key ends whose value is of family 0; other families end with familyZero and their length
)

// layout is how the keys of an index are built: prefix, columns, family. Those
// of an interleaved index lie among its ancestor's: after the columns which they
// share stands a mark that leads to the next table.
type layout struct {
	prefix []byte
	parts  []part
	tail   []byte // the mark behind the last column, if it stands there
}

// part is one column of a key.
type part struct {
	before []byte // the mark that stands before it
	typ    *enc.Type
	desc   bool
	cell   int // of the row
	own    int // which column of the primary key it is, -1 if it is none
}

// owner says whose a key is.
type owner int

const (
	mine    owner = iota
	other         // another table's, interleaved
	damaged       // nobody's
)

// split cuts the columns of a key that begins with the layout's prefix into
// cells of key encodings, and returns what stands behind them; of another table's
// key only if that lies among the rows of this one.
func (l *layout) split(key []byte, columns [][]byte) (rest []byte, whose owner) {
	if !bytes.HasPrefix(key, l.prefix) {
		return nil, damaged
	}
	rest = key[len(l.prefix):]
	for i := range l.parts {
		p := &l.parts[i]
		if len(p.before) > 0 {
			if !bytes.HasPrefix(rest, p.before) {
				return nil, other
			}
			rest = rest[len(p.before):]
		}
		next, err := enc.SkipKey(p.typ, p.desc, rest)
		if err != nil {
			return nil, damaged
		}
		columns[i] = rest[:len(rest)-len(next)]
		rest = next
	}
	if len(l.tail) > 0 {
		if !bytes.HasPrefix(rest, l.tail) {
			return nil, other
		}
		rest = rest[len(l.tail):]
	}
	if len(rest) > 0 && rest[0] == sentinel {
		return rest, other
	}
	return rest, mine
}

// interleaved says that the keys lie among another table's.
func (l *layout) interleaved() bool {
	return len(l.tail) > 0 || slices.ContainsFunc(l.parts, func(p part) bool { return len(p.before) > 0 })
}

// family reads what ends a key: the family's ID, and the length of that unless
// it is 0.
func family(rest []byte) (id uint32, ok bool) {
	if len(rest) == 1 && rest[0] == familyZero {
		return 0, true
	}
	v, tail, ok := keys.TakeUvarint(rest)
	if !ok || len(tail) != 1 || int(tail[0]) != familyZero+len(rest)-1 || v > 1<<32-1 {
		return 0, false
	}
	return uint32(v), true
}

// cutFamily cuts the family from the end of a key of an index.
func cutFamily(key []byte) (row []byte, id uint32, ok bool) {
	if len(key) == 0 || key[len(key)-1] < familyZero {
		return nil, 0, false
	}
	n := int(key[len(key)-1]) - familyZero
	at := len(key) - 1 - n
	if at < 0 {
		return nil, 0, false
	}
	id, ok = family(key[at:])
	return key[:at], id, ok
}

// newLayout lays out the keys of an index by the segments of its descriptor.
func (d *Decoder) newLayout(ix *catalog.Index) (layout, error) {
	segments := d.table.Segments(ix)
	l := layout{prefix: segments[0].Prefix}
	var mark []byte
	for i, s := range segments {
		if i > 0 {
			mark = append(mark, s.Prefix...)
		}
		for _, c := range s.Columns {
			if c.Column == nil || d.cell(c.ID) < 0 {
				return l, fmt.Errorf("index %q has a column which the table has not", ix.Name)
			}
			cell := d.cell(c.ID)
			l.parts = append(l.parts, part{before: mark, typ: &d.columns[cell].Type, desc: c.Desc, cell: cell, own: d.keyPart[cell]})
			mark = nil
		}
	}
	l.tail = mark
	return l, nil
}

// span is where the keys of the layout lie, among others if it is interleaved.
func (l *layout) span() keys.Span { return keys.PrefixSpan(l.prefix) }
