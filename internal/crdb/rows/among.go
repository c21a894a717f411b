package rows

import "github.com/evac-io/evac/internal/crdb/keys"

// Among says whose rows a key in the table's span belongs to, if it is that of a
// table which is interleaved into this one.
type Among struct {
	d     *Decoder
	parts [][]byte
}

// Among tells the keys of interleaved tables from the table's own. It is for one
// goroutine.
func (d *Decoder) Among() *Among { return &Among{d, make([][]byte, len(d.primary.parts))} }

// Table is the id of the table that a key belongs to; not ok if it is this one's,
// or nobody's.
func (a *Among) Table(key []byte) (id uint32, ok bool) {
	rest, whose := a.d.primary.split(key, a.parts)
	if whose != other || len(rest) == 0 {
		return 0, false
	}
	n, _, ok := keys.TakeUvarint(rest[1:])
	return uint32(n), ok
}
