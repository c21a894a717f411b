package sst

import (
	"bytes"
	"encoding/binary"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Iter walks the entries of a table whose user keys lie in a span. It is a
// Source.
type Iter struct {
	t      *Table
	span   keys.Span
	b      blocks
	values values
	rows   rowCursor
	cols   columnCursor
	suffix []byte // buffer for keys with a synthetic suffix

	prefixed bool // values of Sets begin with a mark
	doubts   int  // how many more blocks are asked whether that is so

	piece  int    // the next piece to be read
	from   []byte // skip what lies before; nil if the entries at hand all lie behind
	ends   bool   // the piece at hand may reach over the end of the span
	open   bool   // a piece is at hand
	entry  Entry
	damage []engine.Damage
	known  map[int]bool // pieces whose damage is named already
}

var _ Source = (*Iter)(nil)

// Iter walks the entries of the span, from its first one. Of the damage that Open
// found its Damage names from the beginning what touches the span.
func (t *Table) Iter(span keys.Span) *Iter {
	it := &Iter{t: t, span: span.Intersect(t.limits), prefixed: t.prefixed}
	if t.format >= Pebblev1 && t.format <= Pebblev4 {
		it.doubts = 4
	}
	it.b.t, it.values.t = t, t
	it.rows.prefix = len(t.o.SyntheticPrefix)
	it.rows.key = bytes.Clone(t.o.SyntheticPrefix)
	it.cols.prefix, it.cols.suffix = t.o.SyntheticPrefix, t.o.SyntheticSuffix
	for _, d := range t.damage {
		if d.Span.Overlaps(it.span) {
			it.damage = append(it.damage, d)
		}
	}
	it.SeekGE(it.span.From)
	return it
}

// SeekGE is part of Source.
func (it *Iter) SeekGE(user []byte) {
	if bytes.Compare(user, it.span.From) < 0 {
		user = it.span.From
	}
	it.from = append(it.from[:0], user...)
	it.piece, it.open = it.t.seek(it.from), false
	if it.span.Empty() {
		it.piece = len(it.t.pieces)
	}
}

// Err is part of Source. Whatever goes wrong in a table is damage, also a disk
// that gives nothing back.
func (it *Iter) Err() error { return nil }

// Damage is part of Source.
func (it *Iter) Damage() []engine.Damage { return it.damage }

// Close frees the iterator's buffers.
func (it *Iter) Close() error {
	it.b.close()
	it.values.close()
	it.piece, it.open = len(it.t.pieces), false
	return nil
}

// Next is part of Source.
func (it *Iter) Next() *Entry {
	for {
		if it.open {
			if it.t.format.columnar() {
				if it.nextColumn() {
					return &it.entry
				}
			} else if it.nextRow() {
				return &it.entry
			}
		}
		if it.piece >= len(it.t.pieces) || !it.openPiece() {
			it.open = false
			return nil
		}
	}
}

// openPiece reads the next piece that can be read; false at the end of the span.
func (it *Iter) openPiece() bool {
	for ; it.piece < len(it.t.pieces); it.piece++ {
		i := it.piece
		p := &it.t.pieces[i]
		if i > 0 && it.past(it.t.pieces[i-1].last) || it.past(p.first) {
			it.piece = len(it.t.pieces)
			return false
		}
		if p.gap != "" {
			continue // named when the table was opened
		}
		data, err := it.b.read(p.handle, it.until(i))
		if err == nil {
			err = it.begin(data)
		}
		if err != nil {
			it.lose(i, err.Error())
			continue
		}
		it.ends = it.span.To != nil && (p.last == nil || bytes.Compare(p.last, it.span.To) >= 0)
		it.open = true
		it.piece++
		return true
	}
	return false
}

// past says that keys from user on lie behind the span; of nil nothing is known.
func (it *Iter) past(user []byte) bool {
	return user != nil && it.span.To != nil && bytes.Compare(user, it.span.To) >= 0
}

// until is where in the file the span ends.
func (it *Iter) until(i int) int64 {
	end := it.t.pieces[i].end() + readBehind
	if it.span.To != nil {
		if last := it.t.seek(it.span.To); last < len(it.t.pieces) {
			return min(end, it.t.pieces[last].end())
		}
	}
	return min(end, it.t.pieces[len(it.t.pieces)-1].end())
}

func (it *Iter) begin(data []byte) error {
	if !it.t.format.columnar() {
		if it.doubts > 0 {
			it.doubt(data)
		}
		return it.rows.reset(data)
	}
	if len(it.b.plain) == 0 || len(data) == 0 || &data[0] != &it.b.plain[0] { // as it lay in the file, at any address
		it.b.plain = append(it.b.plain[:0], data...)
		data = it.b.plain
	}
	return it.cols.reset(data)
}

// doubt asks a block whether the footer told the truth about its values. No
// checksum covers the footers of these formats, and one bit of their version
// decides whether the first byte of a value belongs to it.
func (it *Iter) doubt(data []byte) {
	it.doubts--
	f := classifyRows(data)
	if f.role != entries || f.sets < 16 {
		return
	}
	it.doubts = 0
	if marked := f.marks == f.sets; marked != it.prefixed && (marked || f.marks < f.sets/4) {
		it.prefixed = marked
		it.damage = append(it.damage, it.t.damaged(handle{it.t.size - footerRocksDB, footerRocksDB}, noKeys(), "the footer's version is not that of the data"))
	}
}

// lose names the piece as damage, once.
func (it *Iter) lose(i int, why string) {
	if it.known[i] {
		return
	}
	if it.known == nil {
		it.known = map[int]bool{}
	}
	it.known[i] = true
	if d := it.t.lost(i, why); d.Span.Overlaps(it.span) {
		it.damage = append(it.damage, d)
	}
}

// loseEntry names one entry whose value cannot be read.
func (it *Iter) loseEntry(key []byte, why error) {
	user := userKey(key)
	p := &it.t.pieces[it.piece-1]
	if n := len(it.damage); n > 0 {
		if last := &it.damage[n-1]; last.Offset == p.off && last.Why == why.Error() {
			last.Span.To = append(append(last.Span.To[:0], user...), 0)
			return
		}
	}
	user = bytes.Clone(user)
	it.damage = append(it.damage, it.t.damaged(p.handle, keys.Span{From: user, To: append(bytes.Clone(user), 0)}, why.Error()))
}

// nextRow moves to the next entry of a row block; false at its end.
func (it *Iter) nextRow() bool {
	for it.rows.next() {
		n := len(it.rows.key) - 8
		if n < it.rows.prefix {
			it.rows.bad = true
			break
		}
		trailer := binary.LittleEndian.Uint64(it.rows.key[n:])
		e := &it.entry
		e.Key, e.Value, e.Seq, e.Kind = it.rows.key[:n:n], it.rows.value, trailer>>8, Kind(trailer)&^obsolete
		if !e.Kind.point() {
			it.rows.bad = true
			break
		}
		if it.prefixed && e.Kind == Set {
			if len(e.Value) == 0 || e.Value[0]&valueWhere != valueHere {
				value, err := it.values.fetch(e.Value)
				if err != nil {
					if it.inSpan(e.Key) {
						it.loseEntry(e.Key, err)
					}
					continue
				}
				e.Value = value
			} else {
				e.Value = e.Value[1:]
			}
		}
		if it.t.o.SeqNum != nil || len(it.t.o.SyntheticSuffix) > 0 {
			it.transform(e)
		}
		if (it.from != nil || it.ends) && !it.inSpan(e.Key) {
			continue
		}
		return true
	}
	it.leave(it.rows.bad)
	return false
}

// nextColumn moves to the next entry of a columnar block; false at its end.
func (it *Iter) nextColumn() bool {
	for it.cols.next() {
		e := &it.entry
		e.Key, e.Value, e.Seq, e.Kind = it.cols.key, it.cols.value, it.cols.trailer>>8, Kind(it.cols.trailer)&^obsolete
		if !e.Kind.point() {
			it.cols.bad = true
			break
		}
		if it.cols.handle {
			value, err := it.values.fetch(e.Value)
			if err != nil {
				if it.inSpan(e.Key) {
					it.loseEntry(e.Key, err)
				}
				continue
			}
			e.Value = value
		}
		if it.t.o.SeqNum != nil {
			e.Seq = *it.t.o.SeqNum
		}
		if (it.from != nil || it.ends) && !it.inSpan(e.Key) {
			continue
		}
		return true
	}
	it.leave(it.cols.bad)
	return false
}

// transform shows an entry as the MANIFEST wants it seen.
func (it *Iter) transform(e *Entry) {
	if it.t.o.SeqNum != nil {
		e.Seq = *it.t.o.SeqNum
	}
	if suffix := it.t.o.SyntheticSuffix; len(suffix) > 0 {
		user, version, err := keys.Split(e.Key)
		if err == nil && len(version) > 0 {
			it.suffix = append(append(append(it.suffix[:0], user...), 0), suffix...)
			e.Key = it.suffix
		}
	}
}

// inSpan says whether an entry at the border of the span is in it. The first one
// that is not before its beginning ends the looking for it.
func (it *Iter) inSpan(key []byte) bool {
	user := userKey(key)
	if it.from != nil {
		if bytes.Compare(user, it.from) < 0 {
			return false
		}
		it.from = nil
	}
	return !it.ends || bytes.Compare(user, it.span.To) < 0
}

// leave ends the piece at hand.
func (it *Iter) leave(bad bool) {
	it.open = false
	if bad {
		it.lose(it.piece-1, errRow.Error())
	}
}
