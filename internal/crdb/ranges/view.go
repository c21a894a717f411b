package ranges

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// ErrReadAgain says that a walk met damage which the map did not know of, behind
// what it had handed out already. The map knows it now: the same walk again gets
// the keys from elsewhere.
var ErrReadAgain = errors.New("damage was found: read the span again")

// View is the newest state of all ranges: user keys, the keys local to ranges,
// and the lock table. Keys local to range IDs and stores are not in it.
func (m *Map) View() engine.View { return authority{m} }

// authority is the view over all parts.
type authority struct{ m *Map }

// zones is how often the parts occur in the order of stored keys.
const zones = 4

// zone is the stored keys of a part: local to the range, locks on those, locks
// on user keys, and the user keys.
func (p *part) zone(z int) keys.Span {
	addr := p.span
	if bytes.Equal(addr.From, keys.LocalMax()) {
		addr.From = nil // the first range's own records have the empty address
	}
	switch z {
	case 0:
		return keys.RangeLocalSpan(addr)
	case 1:
		return keys.LockSpan(keys.RangeLocalSpan(addr))
	case 2:
		return keys.LockSpan(p.span)
	}
	return p.span
}

// place is a part in one of its zones.
type place struct{ zone, part int }

// find is the first place whose keys end behind a key; ok is false behind all.
func (m *Map) find(user []byte) (at place, ok bool) {
	for z := range zones {
		i := sort.Search(len(m.parts), func(i int) bool {
			to := m.parts[i].zone(z).To
			return to == nil || bytes.Compare(to, user) > 0
		})
		if i < len(m.parts) {
			return place{z, i}, true
		}
	}
	return place{}, false
}

// after is the next place.
func (m *Map) after(at place) (place, bool) {
	if at.part++; at.part == len(m.parts) {
		at = place{zone: at.zone + 1}
	}
	return at, at.zone < zones
}

// pieces calls f for each piece of a span, as far as the damage is known now.
func (m *Map) pieces(span keys.Span, f func(piece) error) error {
	at, ok := m.find(span.From)
	for ; ok; at, ok = m.after(at) {
		p := &m.parts[at.part]
		stored := p.zone(at.zone)
		if span.To != nil && bytes.Compare(stored.From, span.To) >= 0 {
			return nil
		}
		for rest := stored.Intersect(span); !rest.Empty(); {
			got := p.pick(rest)
			if err := f(got); err != nil {
				return err
			}
			if got.span.To == nil {
				break
			}
			rest.From = got.span.To
		}
	}
	return nil
}

// RangeTombstones are those of each piece's view.
func (a authority) RangeTombstones(span keys.Span) ([]engine.RangeTombstone, error) {
	var out []engine.RangeTombstone
	err := a.m.pieces(span, func(p piece) error {
		list, err := p.view.RangeTombstones(p.span)
		for _, t := range list {
			if t.Span = t.Span.Intersect(p.span); !t.Span.Empty() {
				out = append(out, t)
			}
		}
		return err
	})
	return out, err
}

// Size is about how many stored bytes the chosen replicas have of a span.
func (a authority) Size(span keys.Span) (size int64) {
	a.m.chosen(span, func(v engine.View, s keys.Span) { size += v.Size(s) })
	return size
}

// Split cuts by what the chosen replicas hold, whatever damage has been found
// since.
func (a authority) Split(span keys.Span, size int64) [][]byte {
	var out [][]byte
	var sum int64
	a.m.chosen(span, func(v engine.View, s keys.Span) {
		n := v.Size(s)
		if sum > 0 && sum+n > size {
			out, sum = append(out, bytes.Clone(s.From)), 0
		}
		if sum += n; n > size {
			cuts := v.Split(s, size)
			out = append(out, cuts...)
			sum = n / int64(len(cuts)+1)
		}
	})
	return slices.CompactFunc(out, bytes.Equal)
}

// chosen calls f with the chosen replica of each part of the span.
func (m *Map) chosen(span keys.Span, f func(engine.View, keys.Span)) {
	at, ok := m.find(span.From)
	for ; ok; at, ok = m.after(at) {
		p := &m.parts[at.part]
		s := p.zone(at.zone)
		if span.To != nil && bytes.Compare(s.From, span.To) >= 0 {
			return
		}
		if s = s.Intersect(span); !s.Empty() {
			f(p.bases[0].replica.Source.View, s)
		}
	}
}

// Known says whether the map's view can be believed where it has nothing for a
// user key: false in holes, where what remains is not proved to be all, and where
// later writes may be lost.
func (m *Map) Known(user []byte) bool {
	known := false
	_ = m.pieces(only(user), func(p piece) error {
		known = p.part.rng.doubt(p.base == nil) == ""
		return nil
	})
	return known
}

// Iter walks the pieces of a span one after the other.
func (a authority) Iter(span keys.Span) engine.Iter {
	it := &iter{m: a.m, span: span, from: span.From}
	return it
}

// iter is a walk over pieces, each by its own view.
type iter struct {
	m      *Map
	span   keys.Span
	from   []byte // where the next piece begins
	piece  piece
	phys   engine.Iter // of the piece; nil between pieces
	count  uint        // of its entries
	last   []byte      // the last user key that was handed out
	out    bool        // one was, of this piece
	hurt   []engine.Damage
	before int // how much of hurt is of earlier pieces
	tally  *Tally
	sum    *sum // of the piece; nil without a tally
	err    error
}

// lookEvery is how often, in entries, a walk looks for damage on the way; it
// always looks at the end of a piece.
const lookEvery = 256

// Next moves on, from piece to piece.
func (it *iter) Next() bool {
	for it.err == nil {
		if it.phys == nil && !it.open() {
			return false
		}
		more := it.phys.Next()
		if it.count++; !more || it.count%lookEvery == 0 {
			if it.meet(); it.err != nil {
				return false
			}
		}
		if !more {
			it.shut()
			continue
		}
		user, _, err := keys.Split(it.phys.Key())
		switch {
		case err != nil:
		case it.piece.span.To != nil && bytes.Compare(user, it.piece.span.To) >= 0:
			it.shut()
		default:
			it.last, it.out = append(it.last[:0], user...), true
			if it.sum != nil {
				it.sum.add(it.phys.Key(), it.phys.Value())
			}
			return true
		}
	}
	return false
}

// open begins the next piece.
func (it *iter) open() bool {
	at, ok := it.m.find(it.from)
	for ; ok; at, ok = it.m.after(at) {
		p := &it.m.parts[at.part]
		rest := p.zone(at.zone)
		if it.span.To != nil && bytes.Compare(rest.From, it.span.To) >= 0 {
			return false
		}
		rest = rest.Intersect(keys.Span{From: it.from, To: it.span.To})
		if rest.Empty() {
			continue
		}
		it.piece = p.pick(rest)
		it.phys, it.count, it.out = it.piece.view.Iter(it.piece.span), 0, false
		it.before, it.sum = len(it.hurt), it.tally.begin(it.piece)
		return true
	}
	return false
}

// shut ends a piece: the next one begins behind it.
func (it *iter) shut() {
	if it.err = closed(it.phys); it.err != nil {
		it.err = fmt.Errorf("read range %d: %w", it.piece.part.rng.RangeID, it.err)
	}
	it.phys = nil
	it.from = it.piece.span.To
	if it.from == nil {
		it.from = keys.MaxKey()
	}
}

// meet takes in the damage that the walk has come upon. What it concerns of this
// piece is taken from elsewhere, if none of it has been handed out.
func (it *iter) meet() {
	list := it.phys.Damage()
	if it.piece.base == nil {
		if len(list) > len(it.hurt)-it.before {
			it.m.learn(list)
		}
		it.hurt = append(it.hurt[:it.before], list...)
		return
	}
	source := it.piece.base.replica.Source
	if len(list) == 0 || len(source.damaged.add(list)) == 0 && !source.damaged.touches(it.piece.span) {
		return
	}
	cut, hit := source.damaged.next(it.piece.span)
	switch {
	case !hit:
	case it.out && bytes.Compare(cut.From, it.last) <= 0:
		it.err = fmt.Errorf("store %q lacks keys from %x on: %w", source.Name, cut.From, ErrReadAgain)
	default:
		it.piece.span.To = bytes.Clone(cut.From)
	}
}

func (it *iter) Key() []byte   { return it.phys.Key() }
func (it *iter) Value() []byte { return it.phys.Value() }
func (it *iter) Err() error    { return it.err }

// Damage is what no replica could make good: those keys rest on the log.
func (it *iter) Damage() []engine.Damage { return it.hurt }

// SeekGE goes on at a key.
func (it *iter) SeekGE(user []byte) {
	if it.phys != nil {
		it.shut()
	}
	it.from = it.span.Clamp(user)
	if it.tally != nil {
		it.tally.broken = true
	}
}

func (it *iter) Close() error {
	if it.phys != nil {
		err := it.phys.Close()
		it.phys = nil
		if it.err == nil {
			return err
		}
	}
	return nil
}
