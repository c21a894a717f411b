// Package mvcc reads the versions of keys as the database itself would at one
// moment: intents resolved by the records of their transactions, tombstones and
// range tombstones honoured, values without their headers.
package mvcc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// ErrValue is a value that cannot be what its place says it is.
var ErrValue = errors.New("not a value of this kind")

// TxnID is the UUID of a transaction.
type TxnID [16]byte

// Txn is what an intent and a record both say of a transaction
// (CockroachDB's TxnMeta).
type Txn struct {
	ID       TxnID
	Anchor   []byte // the key that the record lies beside
	Epoch    int32
	Write    keys.Timestamp // when it will have happened, should it commit
	Sequence int32          // of an intent: which of the transaction's writes it is
}

// Meta is what stands beside the versions of a key (CockroachDB's MVCCMetadata):
// either a transaction, then it is an intent for the version at Timestamp, or an
// inline value.
type Meta struct {
	IsIntent  bool
	Txn       Txn
	Timestamp keys.Timestamp
	Deleted   bool      // of an intent: its version is a tombstone
	Inline    []byte    // the whole value
	History   []Earlier // earlier writes of the same transaction, oldest first
}

// Earlier is a value that a transaction wrote before the one that stands.
type Earlier struct {
	Sequence int32
	Value    []byte
}

// ParseMeta reads a Meta; its slices are parts of b.
func ParseMeta(b []byte) (m Meta, err error) {
	err = wire.Each(b, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			m.IsIntent = true
			m.Txn, err = parseTxn(f.Data)
		case 2:
			m.Timestamp, err = ParseTimestamp(f.Data)
		case 3:
			m.Deleted = f.Int != 0
		case 6:
			m.Inline = f.Data
		case 8:
			var e Earlier
			e, err = parseEarlier(f.Data)
			m.History = append(m.History, e)
		}
		return err
	})
	if err != nil {
		return m, fmt.Errorf("read MVCC metadata: %w", err)
	}
	return m, nil
}

func parseEarlier(b []byte) (e Earlier, err error) {
	err = wire.Each(b, func(f wire.Field) error {
		switch f.Num {
		case 1:
			e.Sequence = int32(f.Int)
		case 2:
			e.Value = f.Data
		}
		return nil
	})
	return e, err
}

func parseTxn(b []byte) (t Txn, err error) {
	err = wire.Each(b, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			if copy(t.ID[:], f.Data) != len(t.ID) {
				return fmt.Errorf("transaction ID of %d bytes: %w", len(f.Data), ErrValue)
			}
		case 3:
			t.Anchor = f.Data
		case 4:
			t.Epoch = int32(f.Int)
		case 5:
			t.Write, err = ParseTimestamp(f.Data)
		case 7:
			t.Sequence = int32(f.Int)
		}
		return err
	})
	return t, err
}

// ParseTimestamp reads a moment of the hybrid clock.
func ParseTimestamp(b []byte) (t keys.Timestamp, err error) {
	err = wire.Each(b, func(f wire.Field) error {
		switch f.Num {
		case 1:
			t.Wall = int64(f.Int)
		case 2:
			t.Logical = int32(f.Int)
		}
		return nil
	})
	return t, err
}

// Message is the protocol buffer message that an inline value of a local key
// holds; its checksum, if it has one, must be that of the key.
func Message(user, value []byte) ([]byte, error) {
	m, err := ParseMeta(value)
	if err != nil {
		return nil, err
	}
	if m.IsIntent || len(m.Inline) < 5 {
		return nil, fmt.Errorf("inline value of %d bytes: %w", len(m.Inline), ErrValue)
	}
	return ValueBytes(user, m.Inline)
}

// tagBytes marks a value that holds bytes (CockroachDB's ValueType BYTES).
const tagBytes = 3

// ValueBytes is what a value of type BYTES holds, its checksum verified.
func ValueBytes(user, value []byte) ([]byte, error) {
	if len(value) < 5 || value[4] != tagBytes {
		return nil, fmt.Errorf("value of %d bytes: %w", len(value), ErrValue)
	}
	if want := binary.BigEndian.Uint32(value); want != 0 && want != checksum(user, value[4:]) {
		return nil, fmt.Errorf("checksum of the value of key %x: %w", user, ErrValue)
	}
	return value[5:], nil
}

// checksum is the CRC-32 (IEEE) over a user key and its value; 0 stands for
// none and is never one.
func checksum(user, data []byte) uint32 {
	if crc := crc32.Update(crc32.ChecksumIEEE(user), crc32.IEEETable, data); crc != 0 {
		return crc
	}
	return 1
}

// extended marks a value with a header before it, from 22.1 on.
const extended = 0x65

// StripHeader takes off a value's header, if it has one. What remains is empty
// for a tombstone.
func StripHeader(value []byte) ([]byte, error) {
	if len(value) < 5 || value[4] != extended {
		return value, nil
	}
	n := uint64(binary.BigEndian.Uint32(value))
	if n > uint64(len(value)-5) {
		return nil, fmt.Errorf("value header of %d bytes: %w", n, ErrValue)
	}
	return value[5+n:], nil
}
