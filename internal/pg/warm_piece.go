package pg

import (
	"cmp"
	"iter"
	"slices"
)

// piece is what one session reads at once.
type piece struct {
	relation *warmRelation
	// ranges are the blocks to read.
	ranges []blockRange
	// whole is the part of the relation that is read once this piece is, with
	// what was taken out of it as hot; empty: this is such a part.
	whole blockRange
	// where is the condition for the rows to read of a relation in parts.
	where string
	// hot tells that its blocks belong to the hot set.
	hot bool
}

// blockRange is from included, to not.
type blockRange struct{ from, to int64 }

// pieceBlocks is the size of a piece, 32 MiB, and pieceSeconds how long one
// may take where the rate is bounded.
const (
	pieceBlocks  = 4096
	pieceSeconds = 0.5
)

// pieceLength is the size of a piece in blocks at a rate in bytes a second.
func (s *warmSet) pieceLength(rate int64) int64 {
	if rate <= 0 {
		return pieceBlocks
	}
	return min(pieceBlocks, max(1, int64(float64(rate)*pieceSeconds)/s.blockSize))
}

// pieces cuts the set up in the order in which it is read: the segments that
// are hot, then the relations. done is how many blocks of a relation were read
// earlier.
func (s *warmSet) pieces(way warmWay, rate int64, done map[uint32]int64) iter.Seq[piece] {
	length := s.pieceLength(rate)
	return func(yield func(piece) bool) {
		for _, g := range s.Segments {
			for p := range g.cut(length) {
				if !yield(p) {
					return
				}
			}
		}
		hot := s.segmentsByRelation()
		for _, r := range s.Relations {
			for b, where := range way.cut(r, length) {
				if b.from = max(b.from, done[r.OID]); b.from >= b.to {
					continue
				}
				p := piece{relation: r, where: where, ranges: without(hot[r], b.from, b.to), whole: b, hot: r.hot}
				if !yield(p) {
					return
				}
			}
		}
	}
}

// cut yields the segment in pieces of a length.
func (g warmSegment) cut(length int64) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for from := g.from; from < g.to; from += length {
			to := min(from+length, g.to)
			if !yield(piece{relation: g.relation, ranges: []blockRange{{from, to}}, hot: true}) {
				return
			}
		}
	}
}

// segmentsByRelation gives the segments of each relation in order of blocks.
func (s *warmSet) segmentsByRelation() map[*warmRelation][]warmSegment {
	sorted := map[*warmRelation][]warmSegment{}
	for _, g := range s.Segments {
		sorted[g.relation] = append(sorted[g.relation], g)
	}
	for _, list := range sorted {
		slices.SortFunc(list, func(a, b warmSegment) int { return cmp.Compare(a.from, b.from) })
	}
	return sorted
}

// without is what is left of a range when the segments, in order, are taken
// out of it.
func without(segments []warmSegment, from, to int64) (left []blockRange) {
	first, _ := slices.BinarySearchFunc(segments, from, func(g warmSegment, from int64) int { return cmp.Compare(g.to, from+1) })
	for _, g := range segments[first:] {
		if g.from >= to {
			break
		}
		if g.from > from {
			left = append(left, blockRange{from, g.from})
		}
		from = g.to
	}
	if from < to {
		left = append(left, blockRange{from, to})
	}
	return left
}
