package pg

import (
	"bytes"
	"fmt"
	"hash/maphash"
)

// sums add up the rows of a relation on one side, order aside. Two relations
// with the same rows, each as often, have the same sums; two without differ
// but for a chance of 1 in 2^128, because the hashes' keys are random.
type sums struct {
	hasher  *hasher
	keys    int // how many fields, from the first, are the row's key
	buckets []bucket
	rows    int64
	read    func(rows int64)
	unsaid  int64
}

// bucket is the share of the rows whose keys fall into it.
type bucket struct {
	low, high uint64
	weight    int64 // what its rows would take in memory, in bytes
}

// hasher holds the keys of the hashes, the same for both sides.
type hasher struct{ low, high maphash.Seed }

func newHasher() *hasher { return &hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

// rowOverhead is what a row takes in memory beyond its text.
const rowOverhead = 32

// sayEvery is how many rows are counted between two words of progress.
const sayEvery = 10_000

// Write takes one row as COPY sends it: a line of text.
func (s *sums) Write(message []byte) (int, error) {
	row, err := line(message)
	if err != nil {
		return 0, err
	}
	b := &s.buckets[s.hasher.bucket(row, s.keys, len(s.buckets))]
	b.low += maphash.Bytes(s.hasher.low, row)
	b.high += maphash.Bytes(s.hasher.high, row)
	b.weight += int64(len(row)) + rowOverhead
	s.rows++
	if s.unsaid++; s.unsaid == sayEvery {
		s.say()
	}
	return len(message), nil
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

// bucket is where a row belongs, by its key.
func (h *hasher) bucket(row []byte, keys, buckets int) int {
	if buckets == 1 {
		return 0
	}
	return int(maphash.Bytes(h.low, keyOf(row, keys)) % uint64(buckets))
}

// line is a message without its line end. PostgreSQL sends each row as a
// message of its own.
func line(message []byte) ([]byte, error) {
	if n := len(message) - 1; n >= 0 && message[n] == '\n' {
		return message[:n], nil
	}
	return nil, fmt.Errorf("a row of %d bytes came without a line end", len(message))
}

// keyOf is the part of a row that holds its first n fields; all of it if n is 0.
func keyOf(row []byte, n int) []byte {
	if n == 0 {
		return row
	}
	end := 0
	for {
		i := bytes.IndexByte(row[end:], '\t')
		if i < 0 {
			return row
		}
		if n--; n == 0 {
			return row[:end+i]
		}
		end += i + 1
	}
}
