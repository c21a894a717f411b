package sst

import (
	"encoding/binary"
	"errors"
)

var errRow = errors.New("the block's checksum holds, its contents do not")

// rowCursor walks the entries of a row block: each key shares its beginning with
// the key before it. What it returns holds until the next call.
type rowCursor struct {
	data   []byte // the entries, without the restart points behind them
	pos    int
	prefix int    // how many bytes stand before every key (synthetic prefix)
	key    []byte // prefix and stored key
	value  []byte
	bad    bool // the walk ended at something that is not an entry
}

// reset begins a block. What is in key up to prefix stays.
func (c *rowCursor) reset(block []byte) error {
	c.pos, c.bad, c.key, c.data = 0, false, c.key[:c.prefix], nil
	if len(block) < 4 {
		c.bad = true
		return errRow
	}
	restarts := uint64(binary.LittleEndian.Uint32(block[len(block)-4:]))
	if restarts == 0 || (restarts+1)*4 > uint64(len(block)) {
		c.bad = true
		return errRow
	}
	c.data = block[:len(block)-int(restarts+1)*4]
	return nil
}

// next moves to the next entry. It is the innermost loop of all reading, hence
// the numbers read in place while they are of one byte, as nearly all are.
func (c *rowCursor) next() bool {
	b := c.data[c.pos:]
	var shared, rest, value uint64
	var n int
	if len(b) >= 3 && b[0]|b[1]|b[2] < 0x80 {
		shared, rest, value, n = uint64(b[0]), uint64(b[1]), uint64(b[2]), 3
	} else if len(b) == 0 {
		return false
	} else if shared, rest, value, n = lengths(b); n == 0 {
		c.bad = true
		return false
	}
	b = b[n:]
	have := uint64(len(c.key) - c.prefix)
	if shared > have || rest > uint64(len(b)) || value > uint64(len(b))-rest {
		c.bad = true
		return false
	}
	c.key = append(c.key[:c.prefix+int(shared)], b[:rest]...)
	c.value = b[rest : rest+value : rest+value]
	c.pos += n + int(rest+value)
	return true
}

// lengths reads the three numbers before an entry; n is 0 if they are not there.
func lengths(b []byte) (shared, rest, value uint64, n int) {
	var l [3]uint64
	for i := range l {
		v, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return 0, 0, 0, 0
		}
		l[i], n = v, n+m
	}
	return l[0], l[1], l[2], n
}

// handle is where a block lies in its file, without its trailer.
type handle struct{ off, size int64 }

// end is the first byte behind the block and its trailer.
func (h handle) end() int64 { return h.off + h.size + trailerLen }

// readHandle reads a handle off b; n is 0 if there is none that could lie within
// a file of so many bytes.
func readHandle(b []byte, file int64) (h handle, n int) {
	off, i := binary.Uvarint(b)
	if i <= 0 {
		return handle{}, 0
	}
	size, j := binary.Uvarint(b[i:])
	if j <= 0 || off > uint64(file) || size > uint64(file)-off || size > maxBlock {
		return handle{}, 0
	}
	h = handle{off: int64(off), size: int64(size)}
	if h.end() > file {
		return handle{}, 0
	}
	return h, i + j
}
