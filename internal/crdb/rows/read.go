package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Source walks committed key-value pairs in the order of their keys, as
// mvcc.Iter does. Key and Value hold until the next call of Next.
type Source interface {
	Next() bool
	Key() []byte   // the user key
	Value() []byte // checksum, tag, data
	Doubt() bool   // a transaction wrote the key too, whose outcome cannot be known
	Err() error    // what ended the walk too early
}

// Output is where rows go. Each part may be nil.
type Output struct {
	Rows     Sink // proved
	Doubtful Sink // those whose bytes are not what was written, or not all there
}

// heartbeat is how many pairs are read between two looks at the context.
const heartbeat = 1 << 12

// Read reads the rows whose keys a source has; the source must not begin or end
// within a row (see RowStart). An error is the source's, the sink's or the
// context's: what is wrong with a row is a doubt in the result.
func (d *Decoder) Read(ctx context.Context, src Source, out Output) (Result, error) {
	s := newScan(d, out)
	for _, sink := range [...]Sink{out.Rows, out.Doubtful} {
		if sink != nil {
			if err := sink.Begin(d); err != nil {
				return s.res, err
			}
		}
	}
	if err := s.walk(ctx, src); err != nil {
		return s.res, err
	}
	for _, sink := range [...]Sink{out.Rows, out.Doubtful} {
		if sink != nil {
			if err := sink.End(); err != nil {
				return s.res, err
			}
		}
	}
	return s.res, nil
}

// scan is one walk over the keys of a table.
type scan struct {
	d    *Decoder
	out  Output
	res  Result
	row  Row
	open bool   // a row is being put together
	base bool   // its family 0 was met
	bad  Reason // why it is not proved, empty if it is
	why  string
	// unsettled says that a key of the row has a write which may count
	unsettled bool
	alone     bool   // rows are one pair each
	buf       []byte // the row's keys and values without checksums, zeros before each; its cells lie in it
	entries   []entryHasher
}

func newScan(d *Decoder, out Output) *scan {
	s := &scan{d: d, out: out, alone: len(d.families) <= 1, buf: make([]byte, lead, 4<<10)}
	s.row = Row{d: d, kinds: make([]cellKind, len(d.columns)), cells: make([]cell, len(d.columns)), parts: make([][]byte, len(d.primary.parts))}
	for i, ix := range d.indexes {
		if ix.counted() {
			s.entries = append(s.entries, entryHasher{ix: d.indexes[i], sum: s.res.entry(ix.ID)})
		}
	}
	for i := range s.entries { // the list has moved while it grew
		s.entries[i].sum = s.res.entry(s.entries[i].ix.ID)
	}
	return s
}

func (s *scan) walk(ctx context.Context, src Source) error {
	for n := 1; src.Next(); n++ {
		if n%heartbeat == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.pair(src.Key(), src.Value(), src.Doubt()); err != nil {
			return err
		}
	}
	if err := src.Err(); err != nil {
		return err
	}
	return s.flush()
}

// pair takes one key-value pair in. It is copied, for the cells of the row lie
// in it, and key and content in one piece, which makes checksum and hash cheap.
func (s *scan) pair(key, value []byte, unsettled bool) error {
	if rest, same := bytes.CutPrefix(key, s.row.key); same && len(s.row.key) > 0 {
		if id, ok := family(rest); ok { // of a row that was given out, it is a family that was dropped
			s.buf = append(s.buf, zeros[:]...)
			from := len(s.buf)
			s.buf = append(s.buf, key...)
			s.value(from, value, id, unsettled)
			return nil
		}
	}
	if s.open {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.buf = append(s.buf[:lead], key...)
	key = s.buf[lead:]
	rest, whose := s.d.primary.split(key, s.row.parts)
	if whose == other {
		s.among(rest)
		return nil
	}
	id, ok := family(rest)
	if whose == damaged || !ok {
		s.res.Pairs++
		s.res.doubt(Doubt{Table: s.d.name, Index: s.d.table.Primary.ID, Reason: Undecodable, Why: "the key has not the columns of the primary key", Span: only(key)})
		return nil
	}
	s.begin(key[: len(key)-len(rest) : len(key)-len(rest)])
	s.value(lead, value, id, unsettled)
	if s.alone && s.base {
		return s.flush()
	}
	return nil
}

// among notes whose keys lie among the rows of the table.
func (s *scan) among(rest []byte) {
	if len(rest) == 0 {
		return
	}
	id, _, ok := keys.TakeUvarint(rest[1:])
	if at, found := slices.BinarySearch(s.res.Among, uint32(id)); ok && !found && len(s.res.Among) < maxAmong {
		s.res.Among = slices.Insert(s.res.Among, at, uint32(id))
	}
}

// begin starts a row.
func (s *scan) begin(key []byte) {
	s.open, s.base, s.bad, s.unsettled = true, false, "", false
	s.row.key = key
	clear(s.row.kinds)
	for i := range s.d.primary.parts {
		p := &s.d.primary.parts[i]
		s.row.cells[p.cell].data = s.row.parts[i]
		switch {
		case isNullKey(p, s.row.parts[i]):
		case p.desc:
			s.row.kinds[p.cell] = keyDesc
		default:
			s.row.kinds[p.cell] = keyAsc
		}
	}
}

// isNullKey says that a column of a key is NULL.
func isNullKey(p *part, key []byte) bool {
	if p.typ.Family == enc.TupleFamily || len(key) != 1 {
		return false
	}
	return !p.desc && key[0] == 0 || p.desc && key[0] == 0xff
}

// value takes the value of one family, whose key is what buf has behind from,
// into the row.
func (s *scan) value(from int, value []byte, family uint32, unsettled bool) {
	n := len(s.buf) - from
	s.res.Pairs++
	s.res.Bytes += int64(n + len(value))
	s.unsettled = s.unsettled || unsettled
	s.base = s.base || family == 0
	if len(value) < enc.ValueHeader {
		s.spoil(Undecodable, "the value is too short to be one")
		return
	}
	s.buf = append(s.buf, value[4:]...)
	if !s.res.checksum(binary.BigEndian.Uint32(value), s.buf, from) {
		s.spoil(BadChecksum, "the value is not what was written")
	}
	data := s.buf[from+n:]
	if err := s.content(enc.Tag(data[0]), data[1:], family); err != nil {
		s.spoil(Undecodable, err.Error())
	}
}

// content puts the columns of one value into their cells.
func (s *scan) content(tag enc.Tag, data []byte, family uint32) error {
	if tag != enc.TagTuple {
		if family == 0 && len(data) == 0 {
			return nil // a row without columns, as 1.0 wrote it
		}
		if at := s.d.single(family); at >= 0 {
			s.row.kinds[at], s.row.cells[at] = soleValue, cell{tag: tag, data: data}
		}
		return nil
	}
	cells := s.d.cells
	var id uint32
	for len(data) > 0 {
		col, typ, payload, rest, ok := enc.NextValue(data, id)
		if !ok {
			return enc.TupleError(col, typ)
		}
		if col < uint32(len(cells)) && cells[col] >= 0 && typ != enc.NullValue {
			at := cells[col]
			s.row.kinds[at], s.row.cells[at] = tupleValue, cell{typ: typ, data: payload}
		}
		id, data = col, rest
	}
	return nil
}

// spoil makes the row one that is not proved; the first reason counts.
func (s *scan) spoil(reason Reason, why string) {
	if s.bad == "" {
		s.bad, s.why = reason, why
	}
}

// flush ends a row and gives it out.
func (s *scan) flush() error {
	if !s.open {
		return nil
	}
	s.open = false
	if s.res.First == nil {
		s.res.First = bytes.Clone(s.row.key)
	}
	s.res.Last = append(s.res.Last[:0], s.row.key...)
	if !s.base && !s.d.table.System() { // the database's own tables have rows without
		s.spoil(Incomplete, "family 0 is missing")
	}
	for i := range s.entries {
		if err := s.entries[i].row(&s.row); err != nil {
			s.spoil(Undecodable, err.Error())
		}
	}
	for _, at := range s.d.notNull {
		if s.row.kinds[at] == null {
			s.doubt(NullBroken, "column "+strconv.Quote(s.d.columns[at].Name)+" is NULL")
		}
	}
	if s.unsettled {
		s.doubt(Unsettled, "a transaction wrote this row whose outcome cannot be known; what stands is the row before it")
	}
	if s.bad == "" {
		err := s.give(s.out.Rows)
		if err == nil {
			s.res.Rows++
			return nil
		}
		if refused := new(CellError); !errors.As(err, &refused) {
			return fmt.Errorf("write a row of table %q: %w", s.d.name, err)
		}
		s.spoil(Undecodable, err.Error())
	}
	s.res.Withheld++
	s.doubt(s.bad, s.why)
	return s.give(s.out.Doubtful)
}

func (s *scan) give(sink Sink) error {
	if sink == nil {
		return nil
	}
	return sink.Row(&s.row)
}

func (s *scan) doubt(reason Reason, why string) {
	s.res.doubt(Doubt{Table: s.d.name, Index: s.d.table.Primary.ID, Reason: reason, Why: why, Span: keys.Span{
		From: bytes.Clone(s.row.key), To: keys.PrefixEnd(s.row.key)}})
}

// only is the span of one key.
func only(key []byte) keys.Span {
	return keys.Span{From: bytes.Clone(key), To: append(bytes.Clone(key), 0)}
}
