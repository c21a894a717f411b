package engine

import (
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Overlay is a view with changes laid over it, as if they had been applied.
type Overlay struct {
	base  View
	layer *Layer
}

// NewOverlay lays changes over a base, the first first. It keeps the slices.
func NewOverlay(base View, changes []Change) *Overlay { return NewLayer(changes).Over(base) }

// Over lays the layer over a base.
func (l *Layer) Over(base View) *Overlay { return &Overlay{base, l} }

// Split cuts as the base does: the changes are few beside it.
func (o *Overlay) Split(span keys.Span, bytes int64) [][]byte { return o.base.Split(span, bytes) }

// Size is that of the base and of the changes in the span.
func (o *Overlay) Size(span keys.Span) int64 { return o.base.Size(span) + o.layer.size(span) }

// RangeTombstones are those of the base with the changes applied to them.
func (o *Overlay) RangeTombstones(span keys.Span) ([]RangeTombstone, error) {
	list, err := o.base.RangeTombstones(span)
	if err != nil || len(o.layer.ranged) == 0 {
		return list, err
	}
	list = slices.Clone(list)
	for _, c := range o.layer.ranged {
		from, _, errFrom := keys.Split(c.Key)
		to, _, errTo := keys.Split(c.Value)
		at := keys.Span{From: from, To: to}
		if errFrom != nil || errTo != nil || !at.Overlaps(span) {
			continue
		}
		if c.Op == SetTombstone {
			list = append(list, RangeTombstone{Span: at, At: c.At})
			continue
		}
		list = without(list, at, func(t RangeTombstone) bool { return c.Op == DropTombstones || t.At == c.At })
	}
	return list, nil
}

// without takes the span out of those tombstones that match.
func without(list []RangeTombstone, span keys.Span, match func(RangeTombstone) bool) []RangeTombstone {
	var out []RangeTombstone
	for _, t := range list {
		if !match(t) || !t.Span.Overlaps(span) {
			out = append(out, t)
			continue
		}
		left := RangeTombstone{Span: keys.Span{From: t.Span.From, To: span.From}, At: t.At}
		right := RangeTombstone{Span: keys.Span{From: span.To, To: t.Span.To}, At: t.At}
		if !left.Span.Empty() {
			out = append(out, left)
		}
		if span.To != nil && !right.Span.Empty() {
			out = append(out, right)
		}
	}
	return out
}

// Iter walks base and changes together.
func (o *Overlay) Iter(span keys.Span) Iter {
	return &overlayIter{Iter: o.base.Iter(span), changes: o.layer.iter(span), cleared: o.layer.cleared}
}

// overlayIter merges the base's walk with the changes.
type overlayIter struct {
	Iter
	changes layerIter
	cleared []cut
	cut     int  // the first stretch of cleared that may still hold a key of the base
	begun   bool // the base stands on an entry, or is over
	more    bool // it stands on one that is not used yet
	use     bool // the current entry is key and value below, not the base's
	key     []byte
	value   []byte
	merged  []byte
}

// Next stops at the next entry of either side; of equal keys the change holds.
func (it *overlayIter) Next() bool {
	if !it.begun || !it.use {
		it.advance()
	}
	it.use = false
	for {
		e := it.changes.head()
		if e == nil {
			return it.more
		}
		c := -1
		if it.more {
			c = keys.Compare(e.key, it.Iter.Key())
		}
		if c > 0 {
			return true
		}
		it.changes.skip()
		if it.take(e, c == 0 && it.more) {
			return true
		}
	}
}

// advance moves the base to its next entry that no change has cleared.
func (it *overlayIter) advance() {
	if it.begun && !it.more {
		return
	}
	it.begun = true
	for it.more = it.Iter.Next(); it.more; it.more = it.Iter.Next() {
		key := it.Iter.Key()
		for it.cut < len(it.cleared) && keys.Compare(it.cleared[it.cut].to, key) <= 0 {
			it.cut++
		}
		if it.cut == len(it.cleared) || !it.cleared[it.cut].contains(key) {
			return
		}
	}
}

// take makes a change the current entry; both says that the base stands on the
// same key, which is thereby used up.
func (it *overlayIter) take(e *overlaid, both bool) bool {
	value := e.value
	if both {
		if e.op == Merge {
			it.merged = append(append(it.merged[:0], it.Iter.Value()...), e.value...)
			value = it.merged
		}
		it.advance()
	}
	if e.op == Delete {
		return false
	}
	it.use, it.key, it.value = true, e.key, value
	return true
}

func (it *overlayIter) Key() []byte {
	if it.use {
		return it.key
	}
	return it.Iter.Key()
}

func (it *overlayIter) Value() []byte {
	if it.use {
		return it.value
	}
	return it.Iter.Value()
}

// SeekGE moves both sides.
func (it *overlayIter) SeekGE(user []byte) {
	it.Iter.SeekGE(user)
	it.changes.seek(user)
	it.cut, it.begun, it.use = 0, false, false
}

// Err is that of either side.
func (it *overlayIter) Err() error {
	if err := it.changes.err(); err != nil {
		return err
	}
	return it.Iter.Err()
}
