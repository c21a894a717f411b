package pg

import (
	"hash/maphash"
)

// sums add up the rows of a relation on one side, order aside. Two relations
// with the same rows, each as often, have the same sums; two without differ
// but for a chance of about 1 in 2^128, because the hashes' keys are random.
type sums struct {
	hasher  *hasher
	buckets []bucket
	rows    int64
	read    func(rows int64)
	unsaid  int64
	long    *longRow // one that comes in pieces
}

// bucket is the share of the rows that fall into it.
type bucket struct {
	low, high uint64
	weight    int64 // what its rows would take in memory, in bytes
}

// hasher holds the keys of the hashes, the same for both sides, and says into
// which bucket a row falls: by its place, if there is a locator, and by its hash. A row that is not the same on both sides so makes two
// buckets disagree, that of either version, and both are at one place.
type hasher struct {
	low, high maphash.Seed
	places    *locator // nil: all rows are at place 0
	spread    int      // buckets at each place, a power of 2 by this exponent
}

// longRow is what is known of a row of which more is to come.
type longRow struct {
	low, high maphash.Hash
	place     int
	weight    int64
}

// rowOverhead is what a row takes in memory beyond its text.
const rowOverhead = 32

// sayEvery is how many rows are counted between two words of progress.
const sayEvery = 10_000

// bucketsOfLarge is how many buckets a relation has that is not small, as an
// exponent of 2; spreadOfPlace, how many there are at each of its places.
const bucketsOfLarge, spreadOfPlace, smallRelation = 14, 5, 4 << 20

// seeds are what all hashers of one comparison have in common.
type seeds struct{ low, high maphash.Seed }

func newSeeds() seeds { return seeds{maphash.MakeSeed(), maphash.MakeSeed()} }

// hasher makes one for a relation of about that many bytes.
func (s seeds) hasher(bytes int64, places *locator) *hasher {
	h := &hasher{low: s.low, high: s.high}
	switch {
	case bytes <= smallRelation:
	case places != nil:
		h.places, h.spread = places, spreadOfPlace
	default:
		h.spread = bucketsOfLarge
	}
	return h
}

// buckets is how many there are.
func (h *hasher) buckets() int { return h.places.count() << h.spread }

func (h *hasher) bucket(place int, hash uint64) int {
	return place<<h.spread | int(hash>>(64-h.spread))
}

// bucketOf is the bucket of a whole row.
func (h *hasher) bucketOf(row []byte) int {
	return h.bucket(h.places.place(row[:min(len(row), copyWindow)]), maphash.Bytes(h.low, row))
}

// newSums are the sums of no row yet.
func (h *hasher) newSums(read func(rows int64)) *sums {
	return &sums{hasher: h, buckets: make([]bucket, h.buckets()), read: read}
}

// take is a taker.
func (s *sums) take(row []byte, more bool) error {
	if more || s.long != nil {
		s.takePiece(row, more)
		return nil
	}
	low := maphash.Bytes(s.hasher.low, row)
	s.count(s.hasher.places.place(row), low, maphash.Bytes(s.hasher.high, row), int64(len(row)))
	return nil
}

func (s *sums) count(place int, low, high uint64, bytes int64) {
	b := &s.buckets[s.hasher.bucket(place, low)]
	b.low += low
	b.high += high
	b.weight += bytes + rowOverhead
	s.rows++
	if s.unsaid++; s.unsaid == sayEvery {
		s.say()
	}
}

// takePiece hashes a row that is too long to be in memory whole.
func (s *sums) takePiece(piece []byte, more bool) {
	if s.long == nil {
		s.long = &longRow{place: s.hasher.places.place(piece)}
		s.long.low.SetSeed(s.hasher.low)
		s.long.high.SetSeed(s.hasher.high)
	}
	for _, h := range []*maphash.Hash{&s.long.low, &s.long.high} {
		_, _ = h.Write(piece) // never fails
	}
	s.long.weight += int64(len(piece))
	if !more {
		s.count(s.long.place, s.long.low.Sum64(), s.long.high.Sum64(), s.long.weight)
		s.long = nil
	}
}

func (s *sums) say() {
	s.read(s.unsaid)
	s.unsaid = 0
}

// add takes the sums of another part of the same relation in.
func (s *sums) add(o *sums) {
	s.rows += o.rows
	for i := range s.buckets {
		s.buckets[i].low += o.buckets[i].low
		s.buckets[i].high += o.buckets[i].high
		s.buckets[i].weight += o.buckets[i].weight
	}
}

// same tells whether both are the sums of the same rows.
func (s *sums) same(o *sums) bool {
	at, _ := s.differ(o)
	return at == nil
}

// differ lists the buckets that disagree (nil: none), and what their rows on
// both sides would take in memory.
func (s *sums) differ(o *sums) (at []bool, weight int64) {
	for i, b := range s.buckets {
		if b == o.buckets[i] {
			continue
		}
		if at == nil {
			at = make([]bool, len(s.buckets))
		}
		at[i] = true
		weight += b.weight + o.buckets[i].weight
	}
	return at, weight
}
