package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// ErrBatch is a write batch that is cut or not one.
var ErrBatch = errors.New("not a write batch")

// The operations of a batch, by the numbers of RocksDB and Pebble.
const (
	opDelete        = 0
	opSet           = 1
	opMerge         = 2
	opLogData       = 3
	opSingleDelete  = 7
	opRangeDelete   = 15
	opSetWithDelete = 18
	opRangeKeyDel   = 19
	opRangeKeyUnset = 20
	opRangeKeySet   = 21
	opDeleteSized   = 23
)

// batchHeader is a sequence number and a count.
const batchHeader = 12

// ParseBatch reads a write batch in its stored form: a header of twelve bytes,
// then operations. The slices of the changes are parts of it.
func ParseBatch(repr []byte) ([]engine.Change, error) {
	if len(repr) < batchHeader {
		return nil, fmt.Errorf("%d bytes: %w", len(repr), ErrBatch)
	}
	count := binary.LittleEndian.Uint32(repr[8:])
	rest := repr[batchHeader:]
	out := make([]engine.Change, 0, min(int(count), len(rest)/2))
	var seen uint32
	for len(rest) > 0 {
		kind := rest[0]
		var key, value []byte
		var ok bool
		if key, rest, ok = takeString(rest[1:]); !ok {
			return nil, fmt.Errorf("operation %d: %w", seen, ErrBatch)
		}
		if hasValue(kind) {
			if value, rest, ok = takeString(rest); !ok {
				return nil, fmt.Errorf("operation %d: %w", seen, ErrBatch)
			}
		}
		if kind == opLogData {
			continue // not counted, and nothing to do
		}
		seen++
		var err error
		if out, err = appendChange(out, kind, key, value); err != nil {
			return nil, fmt.Errorf("operation %d: %w", seen, err)
		}
	}
	if seen != count {
		return nil, fmt.Errorf("%d operations of %d: %w", seen, count, ErrBatch)
	}
	return out, nil
}

func hasValue(kind byte) bool {
	switch kind {
	case opDelete, opLogData, opSingleDelete:
		return false
	}
	return true
}

func appendChange(out []engine.Change, kind byte, key, value []byte) ([]engine.Change, error) {
	switch kind {
	case opDelete, opSingleDelete, opDeleteSized:
		return append(out, engine.Change{Op: engine.Delete, Key: key}), nil
	case opSet, opSetWithDelete:
		return append(out, engine.Change{Op: engine.Set, Key: key, Value: value}), nil
	case opMerge:
		return append(out, engine.Change{Op: engine.Merge, Key: key, Value: value}), nil
	case opRangeDelete:
		return append(out, engine.Change{Op: engine.DeleteRange, Key: key, Value: value}), nil
	case opRangeKeyDel:
		return append(out, engine.Change{Op: engine.DropTombstones, Key: key, Value: value}), nil
	case opRangeKeySet, opRangeKeyUnset:
		return appendRangeKeys(out, kind, key, value)
	}
	return nil, fmt.Errorf("kind %d: %w", kind, ErrBatch)
}

// appendRangeKeys reads the end key and the suffixes, which an operation on
// range keys has in its value.
func appendRangeKeys(out []engine.Change, kind byte, from, value []byte) ([]engine.Change, error) {
	to, rest, ok := takeString(value)
	op := engine.UnsetTombstone
	if kind == opRangeKeySet {
		op = engine.SetTombstone
	}
	for ok && len(rest) > 0 {
		var suffix []byte
		if suffix, rest, ok = takeString(rest); !ok {
			break
		}
		if kind == opRangeKeySet {
			if _, rest, ok = takeString(rest); !ok { // its value: a header at most
				break
			}
		}
		if len(suffix) == 0 || int(suffix[len(suffix)-1]) != len(suffix) {
			return nil, fmt.Errorf("range key with suffix %x: %w", suffix, ErrBatch)
		}
		at, isVersion := keys.Version(suffix[:len(suffix)-1])
		if !isVersion {
			return nil, fmt.Errorf("range key with suffix %x: %w", suffix, ErrBatch)
		}
		out = append(out, engine.Change{Op: op, Key: from, Value: to, At: at})
	}
	if !ok {
		return nil, fmt.Errorf("range key: %w", ErrBatch)
	}
	return out, nil
}

// takeString takes a string with its length before it.
func takeString(b []byte) (s, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	return b[size : size+int(n) : size+int(n)], b[size+int(n):], true
}
