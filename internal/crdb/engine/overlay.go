package engine

import (
	"bytes"
	"slices"
	"sort"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Overlay is a view with changes laid over it, as if they had been applied. It
// holds the changes in memory, sorted once, each key with its last operation.
type Overlay struct {
	base    View
	entries []overlaid // by keys.Compare, each key once
	cleared []cut      // where nothing of the base is left, by start, disjoint
	ranged  []Change   // operations on range tombstones, in their order
	bytes   int64
}

// overlaid is what the changes made of one key.
type overlaid struct {
	key, value []byte
	op         Op // Set, Delete, or Merge with what the base has
}

// cut is a stretch of engine keys.
type cut struct{ from, to []byte }

func (c cut) contains(key []byte) bool {
	return keys.Compare(key, c.from) >= 0 && keys.Compare(key, c.to) < 0
}

// NewOverlay lays changes over a base, the first first. It keeps the slices.
func NewOverlay(base View, changes []Change) *Overlay {
	o := &Overlay{base: base}
	var points, ranges []int // indexes into changes
	for i, c := range changes {
		o.bytes += int64(len(c.Key) + len(c.Value))
		switch c.Op {
		case DeleteRange:
			ranges = append(ranges, i)
		case SetTombstone, UnsetTombstone, DropTombstones:
			o.ranged = append(o.ranged, c)
		default:
			points = append(points, i)
		}
	}
	slices.SortStableFunc(points, func(a, b int) int { return keys.Compare(changes[a].Key, changes[b].Key) })
	for len(points) > 0 {
		n := 1
		for n < len(points) && keys.Compare(changes[points[n]].Key, changes[points[0]].Key) == 0 {
			n++
		}
		if e, ok := fold(changes, points[:n], ranges); ok {
			o.entries = append(o.entries, e)
		}
		points = points[n:]
	}
	o.cleared = clearedBy(changes, ranges)
	return o
}

// fold is the outcome of the operations on one key, with the range deletions
// that lie between them; not ok if one of those came last.
func fold(changes []Change, points, ranges []int) (e overlaid, ok bool) {
	e.op = Merge // with nothing yet: the base as it is
	for _, i := range points {
		c := changes[i]
		for len(ranges) > 0 && ranges[0] < i {
			r := changes[ranges[0]]
			ranges = ranges[1:]
			if (cut{r.Key, r.Value}).contains(c.Key) {
				e = overlaid{op: Delete}
			}
		}
		e.key = c.Key
		switch {
		case c.Op != Merge:
			e.op, e.value = c.Op, c.Value
		case e.op == Delete:
			e.op, e.value = Set, c.Value
		default:
			e.value = append(slices.Clip(e.value), c.Value...)
		}
	}
	for _, i := range ranges {
		if r := changes[i]; (cut{r.Key, r.Value}).contains(e.key) {
			return e, false // the base is cleared there as well
		}
	}
	return e, true
}

// clearedBy joins the range deletions to disjoint stretches.
func clearedBy(changes []Change, ranges []int) []cut {
	var out []cut
	for _, i := range ranges {
		if c := changes[i]; keys.Compare(c.Key, c.Value) < 0 {
			out = append(out, cut{c.Key, c.Value})
		}
	}
	slices.SortFunc(out, func(a, b cut) int { return keys.Compare(a.from, b.from) })
	n := 0
	for _, c := range out {
		if n > 0 && keys.Compare(c.from, out[n-1].to) <= 0 {
			if keys.Compare(c.to, out[n-1].to) > 0 {
				out[n-1].to = c.to
			}
			continue
		}
		out[n], n = c, n+1
	}
	return out[:n]
}

// Bytes is how much memory the changes hold, keys and values.
func (o *Overlay) Bytes() int64 { return o.bytes }

// Split cuts as the base does: the changes are few beside it.
func (o *Overlay) Split(span keys.Span, bytes int64) [][]byte { return o.base.Split(span, bytes) }

// Size is that of the base and of the changes in the span.
func (o *Overlay) Size(span keys.Span) int64 {
	size := o.base.Size(span)
	for i := o.search(span.From); i < len(o.entries); i++ {
		user, _, err := keys.Split(o.entries[i].key)
		if err == nil && span.To != nil && bytes.Compare(user, span.To) >= 0 {
			break
		}
		size += int64(len(o.entries[i].key) + len(o.entries[i].value))
	}
	return size
}

// search is the first entry whose user key is not before user.
func (o *Overlay) search(user []byte) int {
	return sort.Search(len(o.entries), func(i int) bool {
		u, _, err := keys.Split(o.entries[i].key)
		return err != nil || bytes.Compare(u, user) >= 0
	})
}

// RangeTombstones are those of the base with the changes applied to them.
func (o *Overlay) RangeTombstones(span keys.Span) ([]RangeTombstone, error) {
	list, err := o.base.RangeTombstones(span)
	if err != nil || len(o.ranged) == 0 {
		return list, err
	}
	list = slices.Clone(list)
	for _, c := range o.ranged {
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
	return &overlayIter{Iter: o.base.Iter(span), o: o, span: span, at: o.search(span.From)}
}

// overlayIter merges the base's walk with the changes.
type overlayIter struct {
	Iter
	o      *Overlay
	span   keys.Span
	at     int  // the next of the changes
	cut    int  // the first stretch that may still hold a key of the base
	begun  bool // the base stands on an entry, or is over
	more   bool // it stands on one that is not used yet
	use    bool // the current entry is key and value below, not the base's
	key    []byte
	value  []byte
	merged []byte
}

// Next stops at the next entry of either side; of equal keys the change holds.
func (it *overlayIter) Next() bool {
	if !it.begun || !it.use {
		it.advance()
	}
	it.use = false
	for {
		e := it.change()
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
		it.at++
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
		cleared := it.o.cleared
		for it.cut < len(cleared) && keys.Compare(cleared[it.cut].to, key) <= 0 {
			it.cut++
		}
		if it.cut == len(cleared) || !cleared[it.cut].contains(key) {
			return
		}
	}
}

// change is the next of the changes within the span, or nil.
func (it *overlayIter) change() *overlaid {
	if it.at >= len(it.o.entries) {
		return nil
	}
	e := &it.o.entries[it.at]
	user, _, err := keys.Split(e.key)
	if err != nil || (it.span.To != nil && bytes.Compare(user, it.span.To) >= 0) {
		return nil
	}
	return e
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
	it.at = it.o.search(it.span.Clamp(user))
	it.cut, it.begun, it.use = 0, false, false
}
