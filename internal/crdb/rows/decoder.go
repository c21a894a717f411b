package rows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// maxColumnID bounds the IDs of columns, which CockroachDB counts up with each
// column that a table ever had.
const maxColumnID = 1 << 20

// Options say which columns are given out.
type Options struct {
	// Loadable leaves out the columns that a database makes by itself: computed ones
	// and the rowid that a table without a primary key has.
	Loadable bool
}

// Decoder knows everything about one table that its rows need, made once. It
// may be used from several goroutines at once.
type Decoder struct {
	table    *catalog.Table
	name     string // of the table, with database and schema
	primary  layout
	columns  []catalog.Column // the cells of a row: those given out in their order, then those that only indexes need
	shown    int              // how many are given out
	cells    []int32          // the cell of a column by its ID, -1 if there is none
	keyPart  []int            // of each cell: which column of the primary key it is, -1 if it is none
	notNull  []int            // the cells that may not be NULL
	texts    []texter         // of the cells
	families []familyPlan
	indexes  []*Index
	leftOut  []string
}

// familyPlan is a column family.
type familyPlan struct {
	id     uint32
	single int // the cell of a value that holds one column by itself, -1 if none can
}

// texter makes the text of one cell.
type texter struct {
	value func(dst []byte, typ enc.ValueType, payload []byte) ([]byte, error)
	key   func(dst, key []byte) (out, rest []byte, null bool, err error) // nil of a cell that is not in the primary key
}

// New compiles the decoder of a table that has rows.
func New(t *catalog.Table, opt Options) (*Decoder, error) {
	d := &Decoder{table: t, name: t.Database + "." + t.Schema + "." + t.Name}
	if err := d.addColumns(opt); err != nil {
		return nil, fmt.Errorf("decode table %q: %w", d.name, err)
	}
	d.keyPart = slices.Repeat([]int{-1}, len(d.columns))
	var err error
	if d.primary, err = d.newLayout(&t.Primary); err != nil {
		return nil, fmt.Errorf("decode table %q: %w", d.name, err)
	}
	for i := range d.shown {
		if c := &d.columns[i]; !c.Nullable && !t.System() {
			d.notNull = append(d.notNull, i)
		}
	}
	for i := range d.primary.parts {
		p := &d.primary.parts[i]
		p.own, d.keyPart[p.cell] = i, i
	}
	d.texts = make([]texter, len(d.columns))
	for i := range d.columns {
		d.texts[i].value = enc.ValueTexter(&d.columns[i].Type)
	}
	for _, p := range d.primary.parts {
		d.texts[p.cell].key = enc.KeyTexter(p.typ, p.desc)
	}
	for _, f := range t.Families {
		d.families = append(d.families, familyPlan{id: f.ID, single: d.singleCell(f)})
	}
	for i := range t.Indexes {
		d.indexes = append(d.indexes, d.newIndex(&t.Indexes[i]))
	}
	return d, nil
}

// addColumns makes a cell for each column that rows may hold and somebody asks
// for: those given out first, then computed ones and those of schema changes,
// which indexes may have.
func (d *Decoder) addColumns(opt Options) error {
	inKey := map[uint32]bool{}
	for _, id := range d.table.Primary.Columns {
		inKey[id] = true
	}
	var hidden []catalog.Column
	for _, c := range d.table.Columns {
		switch stored := !c.Virtual || inKey[c.ID]; {
		case !stored:
			d.leftOut = append(d.leftOut, c.Name)
		case opt.Loadable && (c.Computed != "" || inKey[c.ID] && isRowID(&c)):
			d.leftOut = append(d.leftOut, c.Name)
			hidden = append(hidden, c)
		default:
			d.columns = append(d.columns, c)
		}
	}
	d.shown = len(d.columns)
	for _, m := range d.table.Mutations {
		if m.Column != nil && !m.Column.Virtual {
			hidden = append(hidden, *m.Column)
		}
	}
	d.columns = append(d.columns, hidden...)
	highest := uint32(0)
	for _, c := range d.columns {
		highest = max(highest, c.ID)
	}
	if highest > maxColumnID {
		return fmt.Errorf("column ID %d is higher than any table can have", highest)
	}
	d.cells = make([]int32, highest+1)
	for i := range d.cells {
		d.cells[i] = -1
	}
	for i, c := range d.columns {
		d.cells[c.ID] = int32(i)
	}
	return nil
}

// isRowID says that a column is the key of a table for which none was declared.
func isRowID(c *catalog.Column) bool {
	return c.Hidden && strings.HasPrefix(c.Name, "rowid") && strings.HasPrefix(c.Default, "unique_rowid()")
}

// cell is where a row has a column; -1 if it is none that anybody asks for.
func (d *Decoder) cell(id uint32) int {
	if id >= uint32(len(d.cells)) {
		return -1
	}
	return int(d.cells[id])
}

// singleCell is the cell of a value of a family that is no tuple.
func (d *Decoder) singleCell(f catalog.Family) int {
	switch {
	case f.Default != 0:
		return d.cell(f.Default)
	case len(f.Columns) == 1:
		return d.cell(f.Columns[0])
	}
	return -1
}

// single is the cell of a value of a family that is no tuple, -1 if nobody asks
// for it.
func (d *Decoder) single(family uint32) int {
	for i := range d.families {
		if d.families[i].id == family {
			return d.families[i].single
		}
	}
	return -1
}

// Columns are those given out, in their order.
func (d *Decoder) Columns() []catalog.Column { return d.columns[:d.shown:d.shown] }

// LeftOut names the columns that are not given out: virtual ones, whose values
// are stored nowhere, and of loadable output those that the database makes.
func (d *Decoder) LeftOut() []string { return d.leftOut }

// Span is where the rows lie. Those of an interleaved table lie among its
// ancestor's, and Read passes over all others.
func (d *Decoder) Span() keys.Span { return d.primary.span() }

// RowStart is the first key of the row that a key belongs to. Whoever cuts a
// table must cut there, or a row of several families comes apart.
func (d *Decoder) RowStart(key []byte) []byte {
	columns := make([][]byte, len(d.primary.parts))
	rest, whose := d.primary.split(key, columns)
	if whose == mine {
		return key[:len(key)-len(rest)]
	}
	if row, _, ok := cutFamily(key); ok {
		return row
	}
	return key
}
