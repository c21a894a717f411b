package sst

import (
	"fmt"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Kind is what an entry of a table or of a write-ahead log does to its key. The
// numbers are those of the formats.
type Kind uint8

// The kinds that CockroachDB's stores hold.
const (
	Delete        Kind = 0
	Set           Kind = 1
	Merge         Kind = 2  // the value is appended to the older one
	SingleDelete  Kind = 7  // takes back the one Set below it
	RangeDelete   Kind = 15 // the key is where it begins, the value where it ends
	SetWithDelete Kind = 18 // a Set above a Delete or SingleDelete
	RangeKeyDel   Kind = 19
	RangeKeyUnset Kind = 20
	RangeKeySet   Kind = 21
	DeleteSized   Kind = 23 // a Delete whose value is the size of what it deletes

	separator Kind = 17   // a key that was made up for an index
	obsolete  Kind = 0x40 // set in tables from Pebble v4 on: a newer entry hides this one within the table
)

func (k Kind) point() bool {
	switch k {
	case Delete, Set, Merge, SingleDelete, SetWithDelete, DeleteSized:
		return true
	}
	return false
}

func (k Kind) String() string {
	names := map[Kind]string{Delete: "DEL", Set: "SET", Merge: "MERGE", SingleDelete: "SINGLEDEL", RangeDelete: "RANGEDEL",
		SetWithDelete: "SETWITHDEL", RangeKeyDel: "RANGEKEYDEL", RangeKeyUnset: "RANGEKEYUNSET", RangeKeySet: "RANGEKEYSET", DeleteSized: "DELSIZED"}
	if n, ok := names[k]; ok {
		return n
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Entry is one physical entry. Its bytes hold until its source moves on.
type Entry struct {
	Key   []byte // the engine key
	Value []byte
	Seq   uint64
	Kind  Kind
}

// Source is a walk over physical entries in the order of keys.Compare; entries
// of one engine key come newest first. A Source serves one goroutine.
type Source interface {
	// Next is the next entry, nil when there are no more. The same *Entry may be
	// returned again and again with other contents.
	Next() *Entry
	// SeekGE makes the following Next return the first entry whose user key is
	// not before user. It goes in both directions.
	SeekGE(user []byte)
	// Err is what ended the walk too early; damage does not.
	Err() error
	// Damage is what lay in the way so far and could not be read.
	Damage() []engine.Damage
	Close() error
}

// RangeDel deletes every entry with From <= key < To, both engine keys, whose
// sequence number is below Seq.
type RangeDel struct {
	From, To []byte
	Seq      uint64
}

// RangeKey is an entry of a table's range key block: for RangeKeySet and
// RangeKeyUnset the Suffix is an engine key's version with its length byte, for
// RangeKeyDel it is empty. From and To are engine keys without version.
// CockroachDB's MVCC range tombstones are RangeKeySets.
type RangeKey struct {
	From, To      []byte
	Suffix, Value []byte
	Seq           uint64
	Kind          Kind
}

// userKey is the user key of an engine key. Of what is not an engine key, as an
// index of the RocksDB era may hold it, it is all there is.
func userKey(key []byte) []byte {
	user, _, err := keys.Split(key)
	if err != nil {
		return key
	}
	return user
}

// after is the first user key behind user.
func after(user []byte) []byte {
	return append(user[:len(user):len(user)], 0)
}
