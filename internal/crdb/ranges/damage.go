package ranges

import (
	"bytes"
	"slices"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// damages are the spans of one store in which keys may be missing. They grow
// while the store is read.
type damages struct {
	mu    sync.RWMutex
	list  []engine.Damage // each once
	spans []keys.Span     // of the list: sorted, disjoint
}

func newDamages(list []engine.Damage) *damages {
	d := &damages{}
	d.add(list)
	return d
}

// add takes damage in and returns what of it is new. The torn end of a log is
// none: each crash leaves one, and nobody was told of what it held.
func (d *damages) add(list []engine.Damage) (news []engine.Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range list {
		if x.Torn || slices.ContainsFunc(d.list, func(o engine.Damage) bool { return same(o, x) }) {
			continue
		}
		x.Span = keys.Span{From: bytes.Clone(x.Span.From), To: bytes.Clone(x.Span.To)}
		d.list, news = append(d.list, x), append(news, x)
	}
	if len(news) > 0 {
		d.spans = nil
		for _, x := range d.list {
			d.spans = append(d.spans, x.Span)
		}
		d.spans = join(d.spans)
	}
	return news
}

func same(a, b engine.Damage) bool {
	return a.File == b.File && a.Offset == b.Offset && a.Size == b.Size &&
		bytes.Equal(a.Span.From, b.Span.From) && bytes.Equal(a.Span.To, b.Span.To) && (a.Span.To == nil) == (b.Span.To == nil)
}

// touches says whether a key of the span may be missing.
func (d *damages) touches(span keys.Span) bool {
	_, hit := d.next(span)
	return hit
}

// next is the first stretch of the span in which keys may be missing.
func (d *damages) next(span keys.Span) (keys.Span, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	i, _ := slices.BinarySearchFunc(d.spans, span.From, func(s keys.Span, from []byte) int {
		if s.To != nil && bytes.Compare(s.To, from) <= 0 {
			return -1
		}
		return 1
	})
	if i == len(d.spans) {
		return keys.Span{}, false
	}
	hit := d.spans[i].Intersect(span)
	return hit, !hit.Empty()
}

// all is a copy of what is known.
func (d *damages) all() []engine.Damage {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.list)
}

// join sorts spans and joins those that touch.
func join(spans []keys.Span) []keys.Span {
	slices.SortFunc(spans, func(a, b keys.Span) int { return bytes.Compare(a.From, b.From) })
	out := spans[:0]
	for _, s := range spans {
		if s.Empty() {
			continue
		}
		if n := len(out) - 1; n >= 0 && (out[n].To == nil || bytes.Compare(s.From, out[n].To) <= 0) {
			if out[n].To != nil && (s.To == nil || bytes.Compare(s.To, out[n].To) > 0) {
				out[n].To = s.To
			}
			continue
		}
		out = append(out, s)
	}
	return out
}
