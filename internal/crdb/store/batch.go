package store

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/evac-io/evac/internal/crdb/sst"
)

// The kinds of operations that only a log has.
const (
	logData sst.Kind = 3
	ingest  sst.Kind = 22 // key is the number of a table file, a varint
	excise  sst.Kind = 24 // key is the start, value the end: both kinds of range deletion at once
)

var errBatch = errors.New("not a batch of writes")

// batch walks the operations of a write batch:
// sequence number(8) ‖ count(4) ‖ { kind ‖ varint length ‖ key ‖ [varint length ‖ value] }.
type batch struct {
	seq        uint64 // of the current operation
	count      uint32
	kind       sst.Kind
	key, value []byte
	rest       []byte
	err        error
}

const batchHeader = 12

func readBatch(record []byte) (*batch, error) {
	if len(record) < batchHeader {
		return nil, errBatch
	}
	return &batch{
		seq:   binary.LittleEndian.Uint64(record) - 1,
		count: binary.LittleEndian.Uint32(record[8:]),
		rest:  record[batchHeader:],
	}, nil
}

// next moves to the next operation; each but a remark of the log has a sequence
// number of its own.
func (b *batch) next() bool {
	if len(b.rest) == 0 || b.err != nil {
		return false
	}
	b.kind = sst.Kind(b.rest[0])
	c := cursor{data: b.rest[1:]}
	b.key, b.value = c.bytes(), nil
	switch fields(b.kind) {
	case 2:
		b.value = c.bytes()
	case 0:
		c.err = errBatch
	}
	if c.err != nil {
		b.err = errBatch
		return false
	}
	if b.kind != logData {
		b.seq++
	}
	b.rest = c.data
	return true
}

// fields is how many an operation of a kind has: key and value, the key alone, or
// none if there is no such kind.
func fields(kind sst.Kind) int {
	switch kind {
	case sst.Set, sst.Merge, sst.RangeDelete, sst.SetWithDelete, sst.RangeKeyDel, sst.RangeKeyUnset, sst.RangeKeySet, sst.DeleteSized, excise:
		return 2
	case sst.Delete, sst.SingleDelete, logData, ingest:
		return 1
	}
	return 0
}

// reach is how long a record is at least of which this is the beginning: up to the
// end of the operation whose value is cut off; 0 if something else is.
func reach(record []byte) int {
	at := batchHeader
	for at < len(record) {
		n := fields(sst.Kind(record[at]))
		if n == 0 {
			return 0
		}
		at++
		for range n {
			if at > len(record) { // the key is cut off
				return 0
			}
			size, used := binary.Uvarint(record[at:])
			if used <= 0 || size > math.MaxInt32 {
				return 0
			}
			at += used + int(size)
		}
		if n == 1 && at > len(record) {
			return 0
		}
	}
	return at
}

// holed is the hole that the current operation's value has, if it has one. A hole
// never lies elsewhere: see logReader.bridge.
func (b *batch) holed(length int, holes []hole) *hole {
	end := length - len(b.rest)
	for i := range holes {
		if h := &holes[i]; h.from < end && h.to > end-len(b.value) {
			return h
		}
	}
	return nil
}
