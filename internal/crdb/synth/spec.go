package synth

import "github.com/evac-io/evac/internal/crdb/keys"

// Spec says what a cluster's stores hold. The zero value of every field but
// Template is good: three stores of release 20.2, each with three levels and a
// log, and a plain copy of each table of the template.
type Spec struct {
	Template *Template
	Seed     uint64

	Bytes  int64 // about so many stored bytes in each store; 0: Copies decides
	Copies int   // how often each table of the template is there; 0 is 1
	Stores int   // how many stores, each with a replica of every range; 0 is 3
	Ranges int   // about how many ranges; 0 is one for every few tables

	Engine Engine
	// Fates are further tables, each a copy of the template's smallest table of at
	// least ten rows, whose rows came to their state in a special way.
	Fates []Fate
	// Plain leaves out what makes reading hard: one level, nothing overwritten, no
	// ingested table, no older versions.
	Plain bool
	// StoreKey encrypts the stores by AES in counter mode with a data key under
	// this key of 16, 24 or 32 bytes; empty: they are not encrypted.
	StoreKey []byte
	// TableSize is when a table is closed and the next one begins; 0 is 8 MiB.
	TableSize int64
	// LogShare is how many of a thousand entries are in the write-ahead log only; 0
	// is 5, less than zero is none. At most 64 MiB go there.
	LogShare int
}

// Engine is a release's way to store.
type Engine uint8

// The engines, by the releases that they stand for. The number of a Pebble store
// is its format major version.
const (
	Pebble1  Engine = iota // 20.2 and 21.1: CURRENT, tables as of RocksDB
	RocksDB                // up to 20.1
	Pebble13               // 23.1: markers, range keys, value blocks
	Pebble16               // 23.2
	Pebble19               // 24.3: columnar blocks
	Pebble24               // 25.3: columnar blocks with checksummed footers
)

// Fate is how the rows of a table came to the state that they are in. Names are
// parts of the tables' names.
type Fate string

// The fates, and what of their tables a right reading shows.
const (
	Deleted      Fate = "deleted"       // nothing: every key has a tombstone
	RangeDeleted Fate = "range_deleted" // nothing: an MVCC range tombstone lies over all; from Pebble13 on
	Cleared      Fate = "cleared"       // nothing: the engine's range deletion lies over all, older versions below it

	Committed  Fate = "committed"   // all rows: intents of a committed transaction
	Pushed     Fate = "pushed"      // all rows, at a later moment than their provisional versions'
	Staging    Fate = "staging"     // all rows: a parallel commit with every write in place
	Savepoint  Fate = "savepoint"   // all rows, with the values before a rolled back savepoint
	Aborted    Fate = "aborted"     // nothing
	Pending    Fate = "pending"     // nothing
	NoRecord   Fate = "no_record"   // nothing: a transaction without a record
	HalfStaged Fate = "half_staged" // nothing: a parallel commit of which one write is missing
	OldEpoch   Fate = "old_epoch"   // nothing: written before the transaction began anew, and committed after
	RolledBack Fate = "rolled_back" // nothing: committed, and the savepoint with the writes rolled back

	Logged     Fate = "logged"     // all rows: committed in the Raft logs, applied nowhere
	LoggedOne  Fate = "logged_one" // all rows: applied by the first store only, in the logs of the others
	Sideloaded Fate = "sideloaded" // all rows: committed in the Raft logs, in a table beside them
	Truncated  Fate = "truncated"  // all rows: the last store fell behind; of what it misses its log has nothing
	Zombie     Fate = "zombie"     // all rows: the last store has a replica that was removed, with old values
)

// AllFates are the fates that a store of the engine can show.
func AllFates(e Engine) []Fate {
	all := []Fate{Deleted, Cleared, Committed, Pushed, Staging, Savepoint, Aborted, Pending, NoRecord, HalfStaged, OldEpoch, RolledBack,
		Logged, LoggedOne, Sideloaded, Truncated, Zombie}
	if e.rangeKeys() {
		all = append(all, RangeDeleted)
	}
	return all
}

// shows says that the rows of a table with the fate are there for users.
func (f Fate) shows() bool {
	switch f {
	case Deleted, RangeDeleted, Cleared, Aborted, Pending, NoRecord, HalfStaged, OldEpoch, RolledBack:
		return false
	}
	return true
}

// Truth is what a right reading of the stores gives.
type Truth struct {
	Stores  []string // the directories
	Cluster [16]byte
	Tables  []Table // by id
	Ranges  int
	KVs     int64 // of all tables, as users see them
	Bytes   int64 // of the stores' files
}

// Table is one table of the stores.
type Table struct {
	ID     uint32
	Name   string
	Source *TemplateTable // its rows, if it shows any
	Fate   Fate           // empty: none
	Shows  bool           // its rows are there for users
	Span   keys.Span
}

// KVs is how many keys of the table have a value, as users see them.
func (t *Table) KVs() int {
	if !t.Shows {
		return 0
	}
	return len(t.Source.kvs)
}

// Each calls f for every user key of the table with its value, as users see
// them, in order. The slices hold until the next call.
func (t *Table) Each(f func(user, value []byte)) {
	if !t.Shows {
		return
	}
	var b builder
	for i := range t.Source.kvs {
		f(b.kv(t, i))
	}
}
