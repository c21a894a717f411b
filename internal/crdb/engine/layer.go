package engine

import (
	"bytes"
	"slices"
	"sort"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/spill"
)

// Layer is changes as they are laid over a view: sorted once, each key with its
// last operation. Changes that are too many for one layer are several, the later
// ones over the earlier.
type Layer struct {
	entries []overlaid // by keys.Compare, each key once
	run     *spill.Run // holds them in their place once they are in a file
	cleared []cut      // where nothing of what lies below is left, by start, disjoint
	ranged  []Change   // operations on range tombstones, in their order
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

// NewLayer makes a layer out of changes, the first first. It keeps the slices.
func NewLayer(changes []Change) *Layer {
	l := &Layer{}
	var points, ranges []int // indexes into changes
	for i, c := range changes {
		switch c.Op {
		case DeleteRange:
			ranges = append(ranges, i)
		case SetTombstone, UnsetTombstone, DropTombstones:
			l.ranged = append(l.ranged, c)
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
			l.entries = append(l.entries, e)
		}
		points = points[n:]
	}
	l.cleared = clearedBy(changes, ranges)
	return l
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

// Spill moves the layer's entries to a file.
func (l *Layer) Spill(f *spill.File) error {
	run, err := f.Write(func(yield func(spill.Entry) bool) {
		for _, e := range l.entries {
			if !yield(spill.Entry{Key: e.key, Value: e.value, Kind: byte(e.op)}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	own := func(c Change) Change { // what the slices are parts of is not kept for them
		c.Key, c.Value = bytes.Clone(c.Key), bytes.Clone(c.Value)
		return c
	}
	for i := range l.ranged {
		l.ranged[i] = own(l.ranged[i])
	}
	for i, c := range l.cleared {
		l.cleared[i] = cut{bytes.Clone(c.from), bytes.Clone(c.to)}
	}
	l.run, l.entries = run, nil
	return nil
}

// in is where the entries of a span lie in memory.
func (l *Layer) in(span keys.Span) []overlaid {
	to := len(l.entries)
	if span.To != nil {
		to = l.search(span.To)
	}
	return l.entries[min(l.search(span.From), to):to]
}

// search is the first entry in memory whose user key is not before user.
func (l *Layer) search(user []byte) int {
	return sort.Search(len(l.entries), func(i int) bool {
		u, _, err := keys.Split(l.entries[i].key)
		return err != nil || bytes.Compare(u, user) >= 0
	})
}

// size is about how many bytes its entries in a span have.
func (l *Layer) size(span keys.Span) (n int64) {
	if l.run != nil {
		return l.run.Size(span)
	}
	for _, e := range l.in(span) {
		n += int64(len(e.key) + len(e.value))
	}
	return n
}

// layerIter walks a layer's entries.
type layerIter struct {
	layer *Layer
	span  keys.Span
	list  []overlaid  // in memory, from the current one on
	disk  *spill.Iter // nil: they are in memory
	entry overlaid    // of a file: the current one, if on
	on    bool
}

func (l *Layer) iter(span keys.Span) layerIter {
	if l.run != nil {
		return layerIter{disk: l.run.Iter(span)}
	}
	return layerIter{layer: l, span: span, list: l.in(span)}
}

// head is the current entry, nil at the end. It holds until the next head after a
// skip.
func (it *layerIter) head() *overlaid {
	if it.disk == nil {
		if len(it.list) == 0 {
			return nil
		}
		return &it.list[0]
	}
	if !it.on {
		e := it.disk.Next()
		if e == nil {
			return nil
		}
		it.entry, it.on = overlaid{key: e.Key, value: e.Value, op: Op(e.Kind)}, true
	}
	return &it.entry
}

// skip goes on behind the current entry.
func (it *layerIter) skip() {
	if it.disk == nil {
		it.list = it.list[1:]
	}
	it.on = false
}

func (it *layerIter) seek(user []byte) {
	if it.disk == nil {
		it.list = it.layer.in(keys.Span{From: it.span.Clamp(user), To: it.span.To})
		return
	}
	it.disk.SeekGE(user)
	it.on = false
}

func (it *layerIter) err() error {
	if it.disk == nil {
		return nil
	}
	return it.disk.Err()
}
