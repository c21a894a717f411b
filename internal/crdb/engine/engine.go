// Package engine is what the parts of the salvage agree upon: a view of the
// physical entries of a store, or of several seen as one.
package engine

import (
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// View is a store's entries as they stand, or those of several laid over each
// other. A view may be used from several goroutines at once.
type View interface {
	// Iter walks the newest entry of each engine key whose user key lies in the
	// span, in the order of keys.Compare. What was deleted is not there.
	Iter(span keys.Span) Iter
	// RangeTombstones are the MVCC range tombstones that touch the span.
	RangeTombstones(span keys.Span) ([]RangeTombstone, error)
	// Split cuts the span at user keys into pieces of about so many stored bytes.
	// The same view always gives the same answer.
	Split(span keys.Span, bytes int64) [][]byte
	// Size is about how many stored bytes the span has.
	Size(span keys.Span) int64
}

// Iter is one walk. Key and Value hold until the next call.
type Iter interface {
	Next() bool
	Key() []byte   // the engine key
	Value() []byte // as it is stored
	// SeekGE makes the next Next stop at the first entry whose user key is not before user.
	SeekGE(user []byte)
	// Err is what ended the walk too early; damage does not, see Damage.
	Err() error
	// Damage is what lay in the way so far and could not be read.
	Damage() []Damage
	Close() error
}

// RangeTombstone deletes every version in Span that is older than At.
type RangeTombstone struct {
	Span keys.Span
	At   keys.Timestamp
}

// Damage is bytes that could not be read, and the user keys that may be missing
// for it.
type Damage struct {
	Store  string    // the store's name, as it was given
	File   string    // relative to the store
	Offset int64     // where in the file, in bytes; -1 if it is all of it
	Size   int64     // how many bytes, -1 if that is not known
	Span   keys.Span // as narrow as can be known
	// Torn is the end of a log as each crash leaves it: the write that was under
	// way. Nobody was told that it is on disk; yet a log that lost its end later
	// looks the same.
	Torn bool
	Why  string
}

func (d Damage) String() string {
	if d.Offset < 0 {
		return fmt.Sprintf("%s/%s: %s, keys %s", d.Store, d.File, d.Why, d.Span)
	}
	return fmt.Sprintf("%s/%s at byte %d: %s, keys %s", d.Store, d.File, d.Offset, d.Why, d.Span)
}

// Op is what one operation of a batch does to a key.
type Op uint8

// The operations that the write batches of Raft commands hold.
const (
	Set Op = iota
	Delete
	DeleteRange // every entry from Key up to Value, both engine keys
	Merge
	SetTombstone   // an MVCC range tombstone from Key up to Value, at At
	UnsetTombstone // takes away what one at At has there
	DropTombstones // takes away what any has there
)

// Change is one operation on an engine key.
type Change struct {
	Op         Op
	Key, Value []byte
	At         keys.Timestamp // of a range tombstone
}
