package sst

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Options say where a table stands and what its store's MANIFEST knows of it.
type Options struct {
	Store, Name string // for damage: the store's name and the file's, relative to the store

	// SeqNum, if set, is the sequence number of every entry: an ingested table has
	// none of its own.
	SeqNum *uint64
	// Within, if set, is a span that has every user key of the table. It narrows
	// what damage names, and range deletions do not reach beyond it.
	Within *keys.Span
	// NoRanges says that the table has no range key and no deletion of a range
	// which could hide anything, so that none is missing with a lost metaindex.
	NoRanges bool
	// Bounds, if set, is the part of the file that a virtual table shows.
	Bounds *keys.Span
	// SyntheticPrefix stands before every key of the file; SyntheticSuffix takes
	// the place of every version (with its length byte).
	SyntheticPrefix, SyntheticSuffix []byte
}

// Table is one table file. Iterators over it may be used by several goroutines,
// each by one.
type Table struct {
	file      io.ReaderAt
	size      int64
	o         Options
	limits    keys.Span // Within and Bounds
	format    Format
	checksum  byte
	prefixed  bool // values of Sets begin with a byte that says where they are
	pieces    []piece
	before    []int64 // of each piece, and behind the last: the stored bytes before it
	buffers   sync.Pool
	values    []handle // the value blocks, by number
	props     Properties
	rangeDels []RangeDel
	rangeKeys []RangeKey
	damage    []engine.Damage
}

// piece is a data block, or a stretch of the file that should have been some.
type piece struct {
	handle
	first []byte // user key of the first entry; nil if only the index is known
	last  []byte // no user key of the piece lies behind it; nil if that is not known
	gap   string // why it cannot be read; empty for a block
}

// Open reads everything but the entries of a table. An error means that the file
// cannot be read at all or is of a kind that evac does not read; what is merely
// broken is in Damage.
func Open(ctx context.Context, file io.ReaderAt, size int64, o Options) (*Table, error) {
	t := &Table{file: file, size: size, o: o}
	if o.Within != nil {
		t.limits = *o.Within
	}
	if o.Bounds != nil {
		t.limits = t.limits.Intersect(*o.Bounds)
	}
	if err := t.load(ctx); err != nil {
		return nil, fmt.Errorf("open table %q: %w", o.Name, err)
	}
	t.sum()
	return t, nil
}

// Properties is what the table says of itself.
func (t *Table) Properties() Properties { return t.props }

// RangeDels are the table's range deletions, cut to where they may reach.
func (t *Table) RangeDels() []RangeDel { return t.rangeDels }

// RangeKeys are the table's range keys.
func (t *Table) RangeKeys() []RangeKey { return t.rangeKeys }

// Damage is what Open found broken: footer, indexes, and stretches of the file
// in which blocks are missing. A block that is broken itself is found by the
// iterators, and by Check.
func (t *Table) Damage() []engine.Damage { return t.damage }

// Cuts are user keys that cut the span into pieces of about so many stored
// bytes.
func (t *Table) Cuts(span keys.Span, bytes int64) [][]byte {
	var cuts [][]byte
	var sum int64
	span = span.Intersect(t.limits)
	for i := t.seek(span.From); i < len(t.pieces); i++ {
		p := &t.pieces[i]
		if p.last == nil || !span.Contains(p.last) {
			break
		}
		if sum += p.size; sum >= bytes && len(p.last) > 0 {
			cuts, sum = append(cuts, p.last), 0
		}
	}
	return cuts
}

// Size is about how many stored bytes the span has. Value blocks count with the
// share that the span has of the data blocks.
func (t *Table) Size(span keys.Span) int64 {
	span = span.Intersect(t.limits)
	if span.Empty() || len(t.pieces) == 0 {
		return 0
	}
	first, behind := t.seek(span.From), len(t.pieces)
	if span.To != nil { // the piece that has its end may begin behind it
		behind = min(behind, t.seek(span.To)+1)
		for behind > first && !span.Overlaps(t.span(behind-1)) {
			behind--
		}
	}
	if behind <= first {
		return 0
	}
	in := t.before[behind] - t.before[first]
	all := t.before[len(t.pieces)]
	var values int64
	for _, v := range t.values {
		values += v.size
	}
	return in + int64(float64(values)*float64(in)/float64(max(all, 1)))
}

// sum adds up the sizes of the pieces, once they are known.
func (t *Table) sum() {
	t.before = make([]int64, 1, len(t.pieces)+1)
	for i := range t.pieces {
		t.before = append(t.before, t.before[i]+t.pieces[i].size)
	}
}

// seek is the first piece that can have a user key not before user.
func (t *Table) seek(user []byte) int {
	return sort.Search(len(t.pieces), func(i int) bool {
		last := t.pieces[i].last
		return last == nil || bytes.Compare(last, user) >= 0
	})
}

// span has every user key that piece i can have.
func (t *Table) span(i int) keys.Span {
	s := keys.Span{From: t.pieces[i].first}
	if s.From == nil && i > 0 {
		s.From = t.pieces[i-1].last // versions of one user key may go over the border
	}
	if last := t.pieces[i].last; last != nil {
		s.To = after(last)
	}
	return s.Intersect(t.limits)
}

// lost makes a piece that cannot be read into damage.
func (t *Table) lost(i int, why string) engine.Damage {
	return t.damaged(t.pieces[i].handle, t.span(i), why)
}

func (t *Table) damaged(h handle, span keys.Span, why string) engine.Damage {
	return engine.Damage{Store: t.o.Store, File: t.o.Name, Offset: h.off, Size: h.size, Span: span, Why: why}
}

// noKeys is the span of damage for which no key is missing.
func noKeys() keys.Span { return keys.Span{To: []byte{}} }
