package rows

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// maxNamed bounds the mismatches that are named one by one.
const maxNamed = 1000

// balanceSize is about what one hash costs in memory, in bytes.
const balanceSize = 48

// Mismatch is one difference between an index and its rows.
type Mismatch struct {
	Key    []byte // of the entry, without family
	Kind   string // Missing or Extra
	Column string // whose value differs; empty if the entry as such does
	Text   string // of that column
}

func (m Mismatch) String() string {
	if m.Column == "" {
		return fmt.Sprintf("%s entry %x", m.Kind, m.Key)
	}
	return fmt.Sprintf("%s value %q of column %q in entry %x", m.Kind, m.Text, m.Column, m.Key)
}

// The kinds of mismatches.
const (
	Missing = "missing" // a row asks for it, the index has it not
	Extra   = "extra"   // the index has it, no row asks for it
)

// Size bounds what Compare takes of the machine.
type Size struct {
	Rows   int64 // of the table, or about
	Memory int64 // in bytes; 0 is no bound
}

// Opener opens a source anew: Compare walks several times. It closes sources
// that have a Close.
type Opener func() (Source, error)

// Compare names what differs between an index and its rows, after their sums
// did: the first thousand mismatches by key, and how many there are. Of a
// partial index only extra entries count. What memory it takes is bounded: the
// hashes are balanced a share at a time.
func (d *Decoder) Compare(ctx context.Context, index uint32, rows, entries Opener, size Size) (named []Mismatch, count int64, err error) {
	ix := d.index(index)
	if ix == nil || ix.Check == No {
		return nil, 0, fmt.Errorf("compare index %d of table %q: it cannot be checked", index, d.name)
	}
	shares := uint64(1)
	if size.Memory > 0 {
		shares += uint64(size.Rows * balanceSize * int64(2+len(ix.values)) / size.Memory)
	}
	for share := range shares {
		c := comparison{d: d, ix: ix, share: share, shares: shares, balance: map[uint64]int32{}}
		if err := c.run(ctx, rows, entries); err != nil {
			return nil, 0, err
		}
		named, count = append(named, c.named...), count+c.count
	}
	kept := settle(named)
	count -= int64(len(named) - len(kept))
	return kept[:min(len(kept), maxNamed)], count, nil
}

// settle sorts mismatches and leaves out those that say nothing new: values of an
// entry that is missing or extra as such, and values which are the same, but
// which two releases encoded in two ways.
func settle(named []Mismatch) []Mismatch {
	slices.SortFunc(named, compareMismatches)
	has := func(m Mismatch) (Mismatch, bool) {
		at, found := slices.BinarySearchFunc(named, m, compareMismatches)
		if !found {
			return m, false
		}
		return named[at], true
	}
	kept := make([]Mismatch, 0, len(named))
	for _, m := range named {
		if m.Column != "" {
			if _, whole := has(Mismatch{Key: m.Key, Kind: m.Kind}); whole {
				continue
			}
			twin := m
			if twin.Kind = Extra; m.Kind == Extra {
				twin.Kind = Missing
			}
			if o, both := has(twin); both && o.Text == m.Text {
				continue
			}
		}
		kept = append(kept, m)
	}
	return kept
}

func compareMismatches(a, b Mismatch) int {
	return cmp.Or(bytes.Compare(a.Key, b.Key), cmp.Compare(a.Column, b.Column), cmp.Compare(b.Kind, a.Kind))
}

// comparison balances one share of the hashes: those of rows against those of
// entries.
type comparison struct {
	d             *Decoder
	ix            *Index
	share, shares uint64
	balance       map[uint64]int32
	named         []Mismatch
	count         int64
}

func (c *comparison) run(ctx context.Context, rows, entries Opener) error {
	err := c.walk(ctx, rows, entries,
		func(_ *entryHasher, _ *Row, _ uint64, hash uint64) { c.put(hash, 1) },
		func(_ *entryWalk, _ []byte, _ uint64, hash uint64, _ []byte) { c.put(hash, -1) })
	if err != nil {
		return err
	}
	for hash, n := range c.balance {
		if n == 0 || n > 0 && c.ix.Check == OneWay {
			delete(c.balance, hash)
		}
	}
	if len(c.balance) == 0 {
		return nil
	}
	if err := c.walk(ctx, rows, entries, c.nameRow, c.nameEntry); err != nil {
		return err
	}
	return nil
}

func (c *comparison) put(hash uint64, n int32) {
	if hash%c.shares != c.share {
		return
	}
	if c.balance[hash] += n; c.balance[hash] == 0 {
		delete(c.balance, hash)
	}
}

// walk walks the rows and then the entries.
func (c *comparison) walk(ctx context.Context, rows, entries Opener, row func(*entryHasher, *Row, uint64, uint64),
	entry func(*entryWalk, []byte, uint64, uint64, []byte)) error {
	src, err := rows()
	if err != nil {
		return err
	}
	s := newScan(c.d, Output{})
	s.entries = []entryHasher{{ix: c.ix, sum: s.res.entry(c.ix.ID), each: row}}
	if err := errors.Join(s.walk(ctx, src), closeSource(src)); err != nil {
		return err
	}
	if src, err = entries(); err != nil {
		return err
	}
	w := newEntryWalk(c.d, c.ix)
	w.each = entry
	return errors.Join(w.walk(ctx, src), closeSource(src))
}

func closeSource(src Source) error {
	if c, ok := src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// nameRow names what a row asks for and the index has not.
func (c *comparison) nameRow(h *entryHasher, r *Row, part, hash uint64) {
	if c.balance[hash] <= 0 {
		return
	}
	m := c.name(h.key, part, Missing)
	switch {
	case m == nil || part == 0:
	case part == extraPart:
		m.Text = hex.EncodeToString(h.pk)
	default:
		cell := c.d.cell(uint32(part >> 8))
		text, err := r.AppendText(nil, cell)
		if err != nil {
			text = r.Raw(nil, cell)
		}
		m.Text = string(text)
	}
}

// nameEntry names what the index has and no row asks for.
func (c *comparison) nameEntry(_ *entryWalk, key []byte, part, hash uint64, data []byte) {
	if c.balance[hash] >= 0 {
		return
	}
	m := c.name(key, part, Extra)
	if m == nil || part == 0 {
		return
	}
	m.Text = hex.EncodeToString(data)
	if part == extraPart {
		return
	}
	typ := &c.d.columns[c.d.cell(uint32(part>>8))].Type
	if text, err := enc.AppendValueText(nil, typ, enc.ValueType(part&0xff), data); err == nil {
		m.Text = string(text)
	}
}

// name adds a mismatch; nil if there are too many.
func (c *comparison) name(key []byte, part uint64, kind string) *Mismatch {
	c.count++
	if len(c.named) == maxNamed {
		return nil
	}
	m := Mismatch{Key: bytes.Clone(key), Kind: kind}
	switch {
	case part == extraPart:
		m.Column = "primary key"
	case part != 0:
		m.Column = c.d.columns[c.d.cell(uint32(part>>8))].Name
	}
	c.named = append(c.named, m)
	return &c.named[len(c.named)-1]
}
