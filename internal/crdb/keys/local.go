package keys

import (
	"bytes"
	"encoding/binary"
)

// The key space, from its first key on. What lies before LocalMax is local to a
// range or to a store; the rest is what ranges cut between them.
var (
	localRangeID = []byte("\x01i") // per range ID: the state of a replica
	localRange   = []byte("\x01k") // per range, addressed by a key in it
	localStore   = []byte("\x01s") // per store
	localLock    = []byte("\x01zk")
)

// Suffix names one key of a range or a store: four bytes.
type Suffix string

// Keys by range ID. Those of the Raft state machine are replicated, the others
// belong to one replica.
const (
	AppliedState    Suffix = "rask" // replicated: applied index and statistics
	OldAppliedIndex Suffix = "rfta" // replicated, before the above: an integer
	OldLeaseIndex   Suffix = "rlla" // replicated, likewise
	RangeLease      Suffix = "rll-" // replicated
	GCThreshold     Suffix = "lgc-" // replicated: versions before it may be gone
	AbortSpan       Suffix = "abc-" // replicated
	HardState       Suffix = "rfth" // Raft's term, vote and commit
	RaftLog         Suffix = "rftl" // and the index as eight bytes, big-endian
	TruncatedState  Suffix = "rftt" // the index before the first of the log
	RangeTombstone  Suffix = "rftb" // replica IDs below its number are dead
	RaftReplicaID   Suffix = "rftr" // from 22.1 on
)

// Keys by address, and of a store.
const (
	Descriptor Suffix = "rdsc"
	TxnRecord  Suffix = "txn-"
	StoreIdent Suffix = "iden"
)

// LocalMax is the first key that is not local.
func LocalMax() []byte { return []byte{2} }

// MaxKey is the key behind the last one that a range can hold.
func MaxKey() []byte { return []byte{0xff, 0xff} }

// RangeIDKey is a key local to a range ID, in its parts.
type RangeIDKey struct {
	RangeID    uint64
	Replicated bool
	Suffix     Suffix
	Detail     []byte // what follows: the index of a log entry, a transaction
}

// Append appends the user key.
func (k RangeIDKey) Append(dst []byte) []byte {
	dst = AppendUvarint(append(dst, localRangeID...), k.RangeID)
	kind := byte('u')
	if k.Replicated {
		kind = 'r'
	}
	return append(append(append(dst, kind), k.Suffix...), k.Detail...)
}

// ParseRangeID takes a key local to a range ID apart.
func ParseRangeID(user []byte) (k RangeIDKey, ok bool) {
	rest, ok := bytes.CutPrefix(user, localRangeID)
	if !ok {
		return k, false
	}
	if k.RangeID, rest, ok = TakeUvarint(rest); !ok || len(rest) < 5 || (rest[0] != 'r' && rest[0] != 'u') {
		return k, false
	}
	k.Replicated, k.Suffix, k.Detail = rest[0] == 'r', Suffix(rest[1:5]), rest[5:]
	return k, true
}

// RangeIDSpan is every key local to some range ID.
func RangeIDSpan() Span { return PrefixSpan(localRangeID) }

// LogKey is the user key of one entry of a Raft log.
func LogKey(dst []byte, rangeID, index uint64) []byte {
	dst = RangeIDKey{RangeID: rangeID, Suffix: RaftLog}.Append(dst)
	return binary.BigEndian.AppendUint64(dst, index)
}

// RangeLocalKey is a key local to a range and addressed by a key in it.
type RangeLocalKey struct {
	Addr   []byte
	Suffix Suffix
	Detail []byte // of a transaction record: its ID
}

// Append appends the user key.
func (k RangeLocalKey) Append(dst []byte) []byte {
	dst = AppendBytes(append(dst, localRange...), k.Addr)
	return append(append(dst, k.Suffix...), k.Detail...)
}

// ParseRangeLocal takes a key local to a range apart; buf holds the address.
func ParseRangeLocal(buf, user []byte) (k RangeLocalKey, ok bool) {
	rest, ok := bytes.CutPrefix(user, localRange)
	if !ok {
		return k, false
	}
	if k.Addr, rest, ok = TakeBytes(buf, rest); !ok || len(rest) < 4 {
		return k, false
	}
	k.Suffix, k.Detail = Suffix(rest[:4]), rest[4:]
	return k, true
}

// RangeLocalSpan is the keys local to ranges that are addressed by a key of the span.
func RangeLocalSpan(s Span) Span { return wrap(localRange, s) }

// TxnKey is the user key of a transaction's record: in the range of its anchor.
func TxnKey(dst, anchor []byte, id [16]byte) []byte {
	return RangeLocalKey{Addr: Addr(nil, anchor), Suffix: TxnRecord, Detail: id[:]}.Append(dst)
}

// LockKey is the lock table's user key of a user key; the transaction follows as
// its version.
func LockKey(dst, user []byte) []byte { return AppendBytes(append(dst, localLock...), user) }

// LockSpan is the lock table's keys for the user keys of a span.
func LockSpan(s Span) Span { return wrap(localLock, s) }

// wrap is the span of the keys that begin with a prefix and hold a key of s in
// the ordered encoding of bytes.
func wrap(prefix []byte, s Span) Span {
	out := Span{From: appendEscaped(append(bytes.Clone(prefix), bytesTag), s.From)}
	if s.To == nil {
		out.To = PrefixEnd(prefix)
	} else {
		out.To = appendEscaped(append(bytes.Clone(prefix), bytesTag), s.To)
	}
	return out
}

// ParseLock is the user key that an entry of the lock table is for; buf holds it.
func ParseLock(buf, user []byte) (locked []byte, ok bool) {
	rest, ok := bytes.CutPrefix(user, localLock)
	if !ok {
		return nil, false
	}
	locked, rest, ok = TakeBytes(buf, rest)
	return locked, ok && len(rest) == 0
}

// IsLocal says whether a user key is before every key that ranges cut between them.
func IsLocal(user []byte) bool { return len(user) > 0 && user[0] == 1 }

// StoreSpan is every key local to the store.
func StoreSpan() Span { return PrefixSpan(localStore) }

// StoreKey is a user key local to the store.
func StoreKey(dst []byte, suffix Suffix) []byte {
	return append(append(dst, localStore...), suffix...)
}

// Addr is the key by which a user key belongs to a range: itself, or what a
// range-local or lock key is addressed by; nil for keys of a range ID or a
// store. The answer may be a part of the key, or of buf.
func Addr(buf, user []byte) []byte {
	if !IsLocal(user) {
		return user
	}
	if locked, ok := ParseLock(buf, user); ok {
		if IsLocal(locked) {
			k, _ := ParseRangeLocal(nil, locked)
			return k.Addr
		}
		return locked
	}
	k, _ := ParseRangeLocal(buf, user)
	return k.Addr
}
