package sst

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The first byte of a Set's value in row tables from Pebble v3 on: its two high
// bits say where the value is, the next that the user key is that of the Set
// before, the low three are an attribute.
const (
	valueWhere  = 0xc0
	valueHere   = 0x00
	valueInBlob = 0x40
	valueBlock  = 0x80
)

var errBlobValue = errors.New("the value lies in a blob file")

// maxValueBlocks bounds the index of the value blocks.
const maxValueBlocks = 1 << 22

// loadValues reads the index of the value blocks: rows of fixed width of block
// number, offset and length. The entry of the metaindex holds a handle and the
// three widths.
func (t *Table) loadValues(b *blocks, entry []byte) error {
	h, n := readHandle(entry, t.size)
	if n == 0 || len(entry) != n+3 {
		return errRow
	}
	data, err := b.read(h, 0)
	if err != nil {
		return err
	}
	list, err := valueIndex(data, [3]byte(entry[n:]), t.size)
	t.values = list
	return err
}

func valueIndex(data []byte, widths [3]byte, file int64) ([]handle, error) {
	width := int(widths[0]) + int(widths[1]) + int(widths[2])
	if width == 0 || max(widths[0], widths[1], widths[2]) > 8 || len(data)%width != 0 || len(data)/width > maxValueBlocks {
		return nil, errRow
	}
	list := make([]handle, 0, len(data)/width)
	for ; len(data) > 0; data = data[width:] {
		number := fixed(data[:widths[0]])
		off := fixed(data[widths[0]:][:widths[1]])
		size := fixed(data[widths[0]+widths[1]:][:widths[2]])
		h, n := readHandle(binary.AppendUvarint(binary.AppendUvarint(nil, off), size), file)
		if n == 0 || number != uint64(len(list)) {
			return list, errRow
		}
		list = append(list, h)
	}
	return list, nil
}

// fixed is a little-endian number of any width up to eight.
func fixed(b []byte) uint64 {
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// values fetches values out of value blocks, for one iterator. Versions of a key
// stand one after the other in both, so one block at a time is enough.
type values struct {
	blocks
	number int // of the block at hand
	data   []byte
	err    error // why it cannot be read
	loaded bool
}

// fetch follows what a data block says in place of a value: the length of the
// value, the number of the block, the offset in it.
func (v *values) fetch(ref []byte) ([]byte, error) {
	if len(ref) > 0 && ref[0]&valueWhere == valueInBlob {
		return nil, errBlobValue
	}
	size, number, off, n := lengths(ref[min(1, len(ref)):])
	if n == 0 {
		return nil, errRow
	}
	if number >= uint64(len(v.t.values)) {
		return nil, fmt.Errorf("value block %d of %d is not known", number, len(v.t.values))
	}
	if !v.loaded || v.number != int(number) {
		v.number, v.loaded = int(number), true
		h := v.t.values[number]
		v.data, v.err = v.read(h, h.end()+readBehind)
	}
	if v.err != nil {
		return nil, v.err
	}
	if off > uint64(len(v.data)) || size > uint64(len(v.data))-off {
		return nil, errRow
	}
	return v.data[off : off+size : off+size], nil
}
