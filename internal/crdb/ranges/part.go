package ranges

import (
	"bytes"
	"slices"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// part is a stretch of user keys with the replicas that may serve it. A range is
// one part, unless it absorbed another one in the log: the keys of that one are
// where its own replicas left them.
type part struct {
	span  keys.Span
	rng   *Range
	bases []*base
	after *Replay // what the range did to keys that it had absorbed; nil: it absorbed none

	rest *remains
}

// begins says whether a replay of all that the log still has begins where the
// range was empty: what it changed is then all that the range has.
func (r *Range) begins(all *Replay) bool {
	want := r.Replay.Stats
	return all.Problem == "" && want.Estimates == 0 && want != (raftlog.Stats{}) && all.Stats.SameData(want)
}

// remains is what is left of a part where every replica is damaged.
type remains struct {
	once sync.Once
	view engine.View
}

// layParts cuts the ranges into parts, in the order of their keys.
func (m *Map) layParts(list []*Range) []part {
	byID := map[uint64]*Range{}
	for _, r := range m.Ranges {
		byID[r.RangeID] = r
	}
	var out []part
	for _, r := range list {
		whole := &remains{}
		own := r.Spans
		for _, absorbed := range r.Replay.Merges {
			from := byID[absorbed.RangeID]
			if from == nil || len(from.bases) == 0 {
				r.note("the keys of range %d, which it absorbed in the log, are nowhere", absorbed.RangeID)
				continue
			}
			for _, s := range r.Spans {
				if cut := s.Intersect(absorbed.Span()); !cut.Empty() {
					out = append(out, part{span: cut, rng: r, bases: above(from.bases, r.Replay), after: r.Replay, rest: &remains{}})
					own = subtract(own, cut)
				}
			}
		}
		for _, s := range own {
			out = append(out, part{span: s, rng: r, bases: r.bases, rest: whole})
		}
	}
	slices.SortFunc(out, func(a, b part) int { return bytes.Compare(a.span.From, b.span.From) })
	return out
}

// subtract takes a span out of others.
func subtract(spans []keys.Span, cut keys.Span) []keys.Span {
	var out []keys.Span
	for _, s := range spans {
		if !s.Overlaps(cut) {
			out = append(out, s)
			continue
		}
		if left := (keys.Span{From: s.From, To: cut.From}); !left.Empty() {
			out = append(out, left)
		}
		if right := (keys.Span{From: cut.To, To: s.To}); cut.To != nil && !right.Empty() {
			out = append(out, right)
		}
	}
	return out
}

// piece is a stretch of stored keys and the view that serves it.
type piece struct {
	span keys.Span
	part *part
	base *base // nil: it rests on the log and on what remains
	view engine.View
}

// pick is the first piece of a span of stored keys: the preferred replica where
// it is whole, another one where that is, and else what remains.
func (p *part) pick(span keys.Span) piece {
	limit := span
	end := span // of what no replica has whole
	for i, b := range p.bases {
		if i > 0 && !b.reaches {
			break
		}
		hit, hurt := b.replica.Source.damaged.next(limit)
		switch {
		case !hurt:
			return piece{span: limit, part: p, base: b, view: b.open()}
		case bytes.Compare(hit.From, limit.From) > 0:
			return piece{span: keys.Span{From: limit.From, To: hit.From}, part: p, base: b, view: b.open()}
		}
		if i == 0 {
			limit = hit // what comes behind is the preferred replica's again
		}
		end = end.Intersect(hit)
	}
	return piece{span: end, part: p, view: p.remainder()}
}

// above lays what a log changed over bases.
func above(bases []*base, log *Replay) []*base {
	out := make([]*base, len(bases))
	for i, b := range bases {
		out[i] = &base{rng: b.rng, replica: b.replica, reaches: b.reaches, under: b, after: log}
	}
	return out
}

// remainder is everything the log still has over what is left in the stores.
func (p *part) remainder() engine.View {
	p.rest.once.Do(func() { p.rest.view = p.makeRemainder() })
	return p.rest.view
}

func (p *part) makeRemainder() engine.View {
	var left engine.Union
	for _, b := range p.bases {
		if b.reaches || len(left) == 0 {
			left = append(left, b.open())
		}
	}
	owner := p.bases[0].rng
	all := owner.log.replayAll(p.bases[0].replica, owner.Commit.Target)
	var below engine.View = left
	if owner.begins(all) {
		below = engine.Empty{}
	}
	return p.bases[0].replica.Source.room.whole(p.after.over(all.over(below)))
}
