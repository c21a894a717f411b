package store

import (
	"encoding/binary"
	"errors"

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
	switch b.kind {
	case sst.Set, sst.Merge, sst.RangeDelete, sst.SetWithDelete, sst.RangeKeyDel, sst.RangeKeyUnset, sst.RangeKeySet, sst.DeleteSized, excise:
		b.value = c.bytes()
	case sst.Delete, sst.SingleDelete, logData, ingest:
	default:
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
