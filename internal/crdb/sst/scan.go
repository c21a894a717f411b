package sst

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A table without its index is read by the checksums of its blocks alone. From
// the end of one block the next is found by running a CRC over what follows
// until the bytes there are the CRC itself. Behind a broken block no beginning is
// known; but CRCs are linear: the CRC of any stretch follows from those of the
// two stretches that begin at the same point and end where it begins and ends.
// So one pass that remembers the CRC of every beginning, and one lookup per
// possible end, finds each stretch that is proved by the four bytes behind it.

const (
	scanWindow = 1 << 20  // where beginnings and ends are matched
	scanBlock  = 16 << 20 // how far a block with a known beginning is followed
)

// scanner finds blocks in a stretch of one file, up to end.
type scanner struct {
	b      *blocks // of its own: buf lies in its buffer
	end    int64
	buf    []byte
	at     int64 // where buf begins
	tested []byte
	// accept says whether contents can be those of a block; certain, that its
	// beginning was known.
	accept func(h handle, contents []byte, certain bool) bool

	running, shift []uint32 // see match
	begins         remainders
}

// next finds the first block that begins at or behind from.
func (s *scanner) next(from int64) (handle, bool, error) {
	window, err := s.window(from, scanBlock)
	if err != nil {
		return handle{}, false, err
	}
	if h, ok := s.follow(window, from); ok {
		return h, true, nil
	}
	for ; from < s.end; from += scanWindow / 2 { // a block may lie over the border of two windows
		if window, err = s.window(from, scanWindow); err != nil {
			return handle{}, false, err
		}
		if h, ok := s.match(window, from); ok {
			return h, true, nil
		}
		if from+scanWindow >= s.end {
			break
		}
	}
	return handle{}, false, nil
}

// window is n bytes of the file, less at its end.
func (s *scanner) window(from, n int64) ([]byte, error) {
	n = min(n, s.end-from)
	if from < s.at || from+n > s.at+int64(len(s.buf)) {
		size := min(2*scanBlock, s.end-from)
		raw, err := s.b.stretch(from, size, from+size)
		if err != nil {
			return nil, err
		}
		s.buf, s.at = raw, from
	}
	return s.buf[from-s.at:][:n], nil
}

// follow finds the end of a block that begins at from.
func (s *scanner) follow(window []byte, from int64) (handle, bool) {
	crc := ^uint32(0)
	for i := 0; i+4 < len(window); i++ {
		crc = castagnoli[byte(crc)^window[i]] ^ crc>>8
		if compression(window[i]) && mask(^crc) == binary.LittleEndian.Uint32(window[i+1:]) {
			if h := (handle{off: from, size: int64(i)}); s.holds(window, h, 0, true) {
				return h, true
			}
		}
	}
	return handle{}, false
}

// match finds the block in the window that ends first.
func (s *scanner) match(window []byte, from int64) (handle, bool) {
	n := len(window)
	s.running = slices.Grow(s.running[:0], n+1)[:n+1] // the CRC register, from zero, before each byte
	running := s.running
	running[0] = 0
	for i, c := range window {
		running[i+1] = castagnoli[byte(running[i])^c] ^ running[i]>>8
	}
	s.shift = slices.Grow(s.shift[:0], n+1)[:n+1] // x to the power of eight times the distance to the end
	shift := s.shift
	shift[n] = 1 << 31
	for i := n; i > 0; i-- {
		shift[i-1] = castagnoli[byte(shift[i])] ^ shift[i]>>8
	}
	begins := &s.begins
	begins.reset(n)
	for i := 0; i+4 < n; i++ {
		begins.add(product(^running[i], shift[i]), int32(i))
		if !compression(window[i]) {
			continue
		}
		register := ^unmask(binary.LittleEndian.Uint32(window[i+1:])) ^ running[i+1]
		sought := product(register, shift[i+1])
		for slot := begins.first(sought); slot >= 0; slot = begins.after(slot, sought) {
			begin := begins.begin(slot)
			if h := (handle{off: from + int64(begin), size: int64(i - begin)}); s.holds(window, h, begin, false) {
				return h, true
			}
		}
	}
	return handle{}, false
}

// holds checks the CRC of a stretch once more, unpacks it and asks whether it
// can be a block.
func (s *scanner) holds(window []byte, h handle, begin int, certain bool) bool {
	raw := window[begin : begin+int(h.size)+trailerLen]
	if verify(raw, checksumCRC32C) != nil {
		return false
	}
	contents, buf, err := s.b.unpack(s.tested, raw[:h.size], raw[h.size])
	s.tested = buf
	return err == nil && s.accept(h, contents, certain)
}

// product multiplies two polynomials over GF(2) modulo that of CRC-32C, in the
// order of bits that CRCs are kept in: the highest bit is the constant term.
func product(a, b uint32) uint32 {
	var p uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			p ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.Castagnoli
		} else {
			b >>= 1
		}
	}
	return p
}

// remainders is a hash table from remainders to where they began. Each slot is
// written once; a window fills at most half of it.
type remainders struct {
	slots []int64 // remainder and beginning+1
	mask  uint32
}

func (r *remainders) reset(n int) {
	size := 2
	for size < 2*n {
		size *= 2
	}
	if len(r.slots) != size {
		r.slots = make([]int64, size)
	}
	clear(r.slots)
	r.mask = uint32(size - 1)
}

func (r *remainders) add(remainder uint32, begin int32) {
	at := remainder & r.mask
	for r.slots[at] != 0 {
		at = (at + 1) & r.mask
	}
	r.slots[at] = int64(remainder)<<32 | int64(begin+1)
}

// first is the slot of the first beginning with a remainder, -1 if there is none.
func (r *remainders) first(remainder uint32) int64 { return r.find(remainder&r.mask, remainder) }

// after is the next one behind slot.
func (r *remainders) after(slot int64, remainder uint32) int64 {
	return r.find(uint32(slot+1)&r.mask, remainder)
}

func (r *remainders) find(at, remainder uint32) int64 {
	for ; r.slots[at] != 0; at = (at + 1) & r.mask {
		if uint32(uint64(r.slots[at])>>32) == remainder {
			return int64(at)
		}
	}
	return -1
}

// begin is where the stretch of a slot begins.
func (r *remainders) begin(slot int64) int { return int(uint32(r.slots[slot])) - 1 }
