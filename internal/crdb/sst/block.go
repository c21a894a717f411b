package sst

import (
	"fmt"
	"io"
)

// readBehind is how many bytes an iterator reads at once, and with them what
// memory it holds beside one unpacked block.
const readBehind = 256 << 10

// blocks reads the blocks of one table, for one goroutine. What it returns holds
// until the next call.
type blocks struct {
	codec
	t     *Table
	raw   []byte // a stretch of the file
	at    int64  // where raw begins
	plain []byte
}

// buffers is what blocks were read into, for the next who reads the table.
type buffers struct{ raw, plain []byte }

// close gives the buffers back to the table.
func (b *blocks) close() {
	b.codec.close()
	if cap(b.raw) > 0 {
		b.t.buffers.Put(&buffers{b.raw[:0], b.plain[:0]})
	}
	b.raw, b.plain, b.at = nil, nil, 0
}

// read returns the contents of a block whose checksum holds. Reading goes on to
// until, if what lies there will be asked for next.
func (b *blocks) read(h handle, until int64) ([]byte, error) {
	raw, err := b.stretch(h.off, h.size+trailerLen, until)
	if err != nil {
		return nil, err
	}
	if err := verify(raw, b.t.checksum); err != nil {
		return nil, err
	}
	contents, buf, err := b.unpack(b.plain, raw[:h.size], raw[h.size])
	b.plain = buf
	return contents, err
}

// stretch returns n bytes of the file at off.
func (b *blocks) stretch(off, n, until int64) ([]byte, error) {
	if off >= b.at && off+n <= b.at+int64(len(b.raw)) {
		return b.raw[off-b.at:][:n:n], nil
	}
	if off < 0 || n > b.t.size || off > b.t.size-n {
		return nil, fmt.Errorf("the block ends at byte %d of %d", off+n, b.t.size)
	}
	if b.raw == nil {
		if used, ok := b.t.buffers.Get().(*buffers); ok {
			b.raw, b.plain = used.raw, used.plain
		}
	}
	want := max(n, min(readBehind, until-off, b.t.size-off))
	b.raw, b.at = sized(b.raw, int(want)), off
	if got, err := b.t.file.ReadAt(b.raw, off); got < int(want) {
		b.raw = b.raw[:0]
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b.raw[:n:n], nil
}
