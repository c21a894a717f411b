package rows

import (
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Check says how far an index can be held against the rows.
type Check string

// The ways to check an index.
const (
	BothWays Check = "both ways" // each row has its entries, and each entry its row
	OneWay   Check = "one way"   // each entry has its row; which rows should have one, only its predicate knows
	No       Check = "not"       // see Index.Why
)

// Index is a secondary index as its entries are counted: what each row should
// have in it.
type Index struct {
	ID    uint32
	Name  string
	Check Check
	Why   string // it is not checked, or one way only

	layout   layout // of the declared columns; of an inverted index without the last
	inverted int    // the cell of the column that has many keys a row, -1 if there is none
	extra    []part // columns of the primary key behind them, of a unique index in its value
	unique   bool
	wholeKey bool // extra is the primary key as the rows have it
	values   []valueColumn
	byColumn []bool // by ID: the entries' values have the column
}

// valueColumn is a column that entries have in their values.
type valueColumn struct {
	id        uint32
	cell      int
	composite bool // only values whose key does not tell all
}

// Indexes are the table's secondary indexes.
func (d *Decoder) Indexes() []*Index { return d.indexes }

// Span is where the entries lie; ReadEntries passes over all others.
func (ix *Index) Span() keys.Span { return ix.layout.span() }

// counted says that rows ask for entries.
func (ix *Index) counted() bool { return ix.Check == BothWays }

// newIndex compiles an index. What is missing makes it one that is not checked.
func (d *Decoder) newIndex(from *catalog.Index) *Index {
	ix := &Index{ID: from.ID, Name: from.Name, unique: from.Unique, Check: BothWays, inverted: -1}
	ix.layout.prefix = d.table.Span(from).From
	switch {
	case from.Kind != catalog.Forward && from.Kind != catalog.Inverted:
		ix.Check, ix.Why = No, "a kind of index that is not known"
	case from.PrimaryEncoding:
		ix.Check, ix.Why = No, "its entries are whole rows"
	case from.DeletePreserving:
		ix.Check, ix.Why = No, "it is being built"
	case from.Predicate != "":
		ix.Check, ix.Why = OneWay, "it is a partial index"
	}
	if ix.Check == No {
		return ix
	}
	if why := d.compileIndex(ix, from); why != "" {
		ix.Check, ix.Why = No, why
	}
	return ix
}

// compileIndex lays out keys and values of the entries; it says what hinders it.
func (d *Decoder) compileIndex(ix *Index, from *catalog.Index) string {
	var err error
	if from.Kind == catalog.Inverted {
		if why := d.compileInverted(ix, &from); why != "" {
			return why
		}
	}
	if ix.layout, err = d.newLayout(from); err != nil {
		return err.Error()
	}
	for _, id := range from.Extra {
		at := d.cell(id)
		if at < 0 {
			return "it has a column which the table has not"
		}
		ix.extra = append(ix.extra, part{typ: &d.columns[at].Type, cell: at, own: d.keyPart[at]})
	}
	ix.wholeKey = d.isKey(ix.extra)
	for _, p := range slices.Concat(ix.layout.parts, ix.extra) {
		if f := p.typ.Family; f == enc.GeometryFamily || f == enc.GeographyFamily {
			return "the keys of spatial columns are not made anew"
		}
	}
	for _, id := range from.Composite {
		if at := d.cell(id); at >= 0 {
			ix.values = append(ix.values, valueColumn{id: id, cell: at, composite: true})
		}
	}
	for _, id := range from.Store {
		if at := d.cell(id); at >= 0 && !slices.ContainsFunc(ix.values, func(v valueColumn) bool { return v.id == id }) {
			ix.values = append(ix.values, valueColumn{id: id, cell: at})
		}
	}
	ix.byColumn = make([]bool, len(d.cells))
	for _, v := range ix.values {
		ix.byColumn[v.id] = true
	}
	return ""
}

// isKey says that parts are the columns of the primary key, encoded and in the
// order as there, with nothing between them.
func (d *Decoder) isKey(parts []part) bool {
	return len(d.primary.tail) == 0 && slices.EqualFunc(parts, d.primary.parts, func(p, own part) bool {
		return p.cell == own.cell && p.desc == own.desc && len(own.before) == 0
	})
}

// compileInverted takes the last column out, which has many keys a row.
func (d *Decoder) compileInverted(ix *Index, from **catalog.Index) string {
	plain := **from
	n := len(plain.Columns) - 1
	if n < 0 || d.cell(plain.Columns[n]) < 0 {
		return "it has a column which the table has not"
	}
	ix.inverted = d.cell(plain.Columns[n])
	if c := d.columns[ix.inverted]; !enc.Inverts(&c.Type) {
		return "inverted keys of such a column are not made anew"
	}
	plain.Columns, plain.Desc = plain.Columns[:n], plain.Desc[:n]
	*from = &plain
	return ""
}

// An entry counts as the sum of what it is made of, so that rows and entries
// need not meet: its key; of a unique index, the primary key in its value; each
// column in its value. Each is a hash that holds the key too.

// partHash is the hash of a part of an entry's value.
func partHash(key uint64, column uint64, data []byte) uint64 {
	return mix(key^0x9e3779b97f4a7c15, xxhash.Sum64(data)^column*0xd6e8feb86659fd93)
}

// mix makes one hash out of two numbers, so that changing either changes it.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0xa0761d6478bd642f, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

// extraPart stands for the primary key in the value of an entry.
const extraPart = 1 << 63

// columnPart stands for a column in the value of an entry. The payload alone
// does not tell true from false.
func columnPart(id uint32, typ enc.ValueType) uint64 { return uint64(id)<<8 | uint64(typ)&0xff }

// entryHasher adds up the entries which rows ask for.
type entryHasher struct {
	ix   *Index
	sum  *EntrySum
	each func(e *entryHasher, r *Row, part, hash uint64) // looks at each part; may be nil
	key  []byte                                          // of the current entry
	many enc.Inverter
	pk   []byte // of a unique index, what its value has of the primary key
	buf  []byte
}

// row adds the entry of a row.
func (h *entryHasher) row(r *Row) error {
	ix := h.ix
	key, anyNull, err := h.appendParts(append(h.key[:0], ix.layout.prefix...), ix.layout.parts, r)
	if err != nil {
		return err
	}
	key = append(key, ix.layout.tail...)
	if ix.inverted >= 0 {
		h.key = key
		return h.invertedRow(r)
	}
	if len(ix.extra) > 0 && (!ix.unique || anyNull) {
		if key, err = h.appendExtra(key, r); err != nil {
			return err
		}
	}
	h.key = key
	hash := xxhash.Sum64(key)
	h.sum.Want++
	h.add(r, 0, hash)
	if ix.unique && len(ix.extra) > 0 {
		if h.pk, err = h.appendExtra(h.pk[:0], r); err != nil {
			return err
		}
		h.add(r, extraPart, partHash(hash, extraPart, h.pk))
	}
	return h.valuesOf(r, hash)
}

// valuesOf adds the columns in the value of an entry.
func (h *entryHasher) valuesOf(r *Row, hash uint64) error {
	for i := range h.ix.values {
		v := &h.ix.values[i]
		if r.Null(v.cell) {
			continue
		}
		typ, payload, err := r.Value(h.buf, v.cell)
		if err != nil {
			return err
		}
		if v.composite && !enc.KeyLoses(&r.d.columns[v.cell].Type, typ, payload) {
			continue
		}
		column := columnPart(v.id, typ)
		h.add(r, column, partHash(hash, column, payload))
	}
	return nil
}

// invertedRow adds the entries of a row in an inverted index, whose columns before
// the inverted one stand in h.key.
func (h *entryHasher) invertedRow(r *Row) error {
	cell := h.ix.inverted
	if r.Null(cell) {
		return nil
	}
	typ, payload, err := r.Value(h.buf, cell)
	if err != nil {
		return err
	}
	list, err := h.many.Keys(&r.d.columns[cell].Type, typ, payload)
	if err != nil {
		return &CellError{Column: r.d.columns[cell].Name, Err: err}
	}
	if h.pk, err = h.appendExtra(h.pk[:0], r); err != nil {
		return err
	}
	n := len(h.key)
	for _, one := range list {
		h.key = append(append(h.key[:n], one...), h.pk...)
		hash := xxhash.Sum64(h.key)
		h.sum.Want++
		h.add(r, 0, hash)
		if err := h.valuesOf(r, hash); err != nil {
			return err
		}
	}
	return nil
}

func (h *entryHasher) add(r *Row, part, hash uint64) {
	h.sum.WantSum += hash
	if h.each != nil {
		h.each(h, r, part, hash)
	}
}

// appendExtra appends what an entry has of the primary key behind its own columns.
func (h *entryHasher) appendExtra(dst []byte, r *Row) ([]byte, error) {
	if h.ix.wholeKey {
		return append(dst, r.key[len(r.d.primary.prefix):]...), nil
	}
	dst, _, err := h.appendParts(dst, h.ix.extra, r)
	return dst, err
}

// appendParts appends columns of a row as an index has them in its keys.
func (h *entryHasher) appendParts(dst []byte, parts []part, r *Row) (out []byte, anyNull bool, err error) {
	for i := range parts {
		p := &parts[i]
		if len(p.before) > 0 {
			dst = append(dst, p.before...)
		}
		c := &r.cells[p.cell]
		switch {
		case p.own >= 0: // what the key has, though the value may say it again
			own, key := &r.d.primary.parts[p.own], r.parts[p.own]
			anyNull = anyNull || isNullKey(own, key)
			if own.desc == p.desc {
				dst = append(dst, key...)
			} else {
				dst, _, err = enc.KeyFromKey(dst, p.typ, p.desc, key, own.desc)
			}
		case r.kinds[p.cell] == tupleValue:
			dst, err = enc.KeyFromValue(dst, p.typ, p.desc, c.typ, c.data)
		case r.kinds[p.cell] == null:
			anyNull = true
			dst, err = enc.AppendKey(dst, p.typ, p.desc, enc.Null())
		default:
			var typ enc.ValueType
			var payload []byte
			if typ, payload, err = r.Value(h.buf, p.cell); err == nil {
				dst, err = enc.KeyFromValue(dst, p.typ, p.desc, typ, payload)
			}
		}
		if err != nil {
			return dst, anyNull, &CellError{Column: r.d.columns[p.cell].Name, Err: err}
		}
	}
	return dst, anyNull, nil
}
