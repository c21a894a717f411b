// Package keys knows the form and the order of the keys in a CockroachDB store:
// engine keys with their versions, the local keys of ranges and stores, and the
// prefixes of tables and tenants.
package keys

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Kind is what the suffix of an engine key says it is.
type Kind uint8

// The kinds of engine keys, by the length byte that ends them.
const (
	Plain   Kind = iota // no version: an inline value, or an intent's metadata before 21.1
	MVCC                // a version of a user key
	Lock                // an entry of the lock table: strength and transaction
	Foreign             // a suffix that no known release writes
)

// ErrKey is a key that cannot be an engine key.
var ErrKey = errors.New("not an engine key")

// Split cuts an engine key into its user key and its version, which is without
// the sentinel and the length byte; a key without version has an empty one.
// The form is `user key ‖ 00 ‖ version ‖ len(version)+1`, or `user key ‖ 00`.
func Split(key []byte) (user, version []byte, err error) {
	if len(key) == 0 {
		return nil, nil, ErrKey
	}
	n := int(key[len(key)-1])
	if n == 0 {
		return key[:len(key)-1], nil, nil
	}
	at := len(key) - 1 - n // the sentinel
	if at < 0 || key[at] != 0 {
		return nil, nil, ErrKey
	}
	return key[:at], key[at+1 : len(key)-1], nil
}

// KindOf says what a version, as Split returns it, is.
func KindOf(version []byte) Kind {
	switch len(version) {
	case 0:
		return Plain
	case 8, 12, 13:
		return MVCC
	case 17:
		return Lock
	}
	return Foreign
}

// Version is the moment that the version of an MVCC key stands for. The
// synthetic mark of some releases says nothing about the order and is left out.
func Version(version []byte) (Timestamp, bool) {
	if KindOf(version) != MVCC {
		return Timestamp{}, false
	}
	t := Timestamp{Wall: int64(binary.BigEndian.Uint64(version))}
	if len(version) >= 12 {
		t.Logical = int32(binary.BigEndian.Uint32(version[8:]))
	}
	return t, true
}

// Append appends the engine key of a user key at a moment; the zero moment makes
// a key without version.
func Append(dst, user []byte, t Timestamp) []byte {
	dst = append(append(dst, user...), 0)
	if t.IsZero() {
		return dst
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Wall))
	if t.Logical == 0 {
		return append(dst, 9)
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(t.Logical)), 13)
}

// Compare is the order of a store (cockroach_comparator): user keys by their
// bytes; of one user key the one without version first, then the newest
// version first. A counter of zero and the synthetic mark do not count.
func Compare(a, b []byte) int {
	ua, va, errA := Split(a)
	ub, vb, errB := Split(b)
	if errA != nil || errB != nil {
		return bytes.Compare(a, b) // not engine keys: any order that is one
	}
	if c := bytes.Compare(ua, ub); c != 0 {
		return c
	}
	return CompareVersions(va, vb)
}

// CompareVersions orders two versions of one user key: none first, then the
// newest.
func CompareVersions(a, b []byte) int {
	if len(a) == 0 || len(b) == 0 {
		return len(a) - len(b)
	}
	return bytes.Compare(significant(b), significant(a))
}

// significant leaves out of a version what does not take part in the order.
func significant(version []byte) []byte {
	if len(version) == 13 {
		version = version[:12]
	}
	if len(version) == 12 && version[8]|version[9]|version[10]|version[11] == 0 {
		version = version[:8]
	}
	return version
}
