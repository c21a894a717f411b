package catalog

import (
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Table is a table, a view or a sequence, as one version of its descriptor has it.
type Table struct {
	ID                     uint32
	Tenant                 uint64
	Database, Schema, Name string
	DatabaseID, SchemaID   uint32
	Version                uint32         // of the descriptor
	At                     keys.Timestamp // when this version was written
	State                  State
	OfflineReason          string
	Temporary              bool
	Columns                []Column // those that users see, hidden ones too; rows hold the others as well, see Mutations
	Families               []Family
	Primary                Index
	Indexes                []Index // the public secondary indexes
	Mutations              []Mutation
	Checks                 []Check
	Foreign                []ForeignKey
	Unique                 []Unique  // unique constraints without an index of their own
	Sequence               *Sequence // set if it is a sequence
	View                   string    // the query, if it is a view
	Materialized           bool      // a view that has rows
	DropTime               int64     // nanoseconds since 1970, 0 if none
	ReplacementOf          uint32    // the table that TRUNCATE replaced by this one, before 20.2
	DroppedIndexes         []uint32  // index ids whose entries the garbage collector has still to remove
	NextIndex              uint32    // the first index id that was never given
	ImportEpoch            uint32
	ImportStart            int64 // nanoseconds; rows written since are of an IMPORT that has not ended
	External               bool  // its rows lie elsewhere, in another tenant or in a backup
	RowTTL                 bool
	Locality               string // GLOBAL, REGIONAL BY …; empty if none was given
	Triggers, Policies     []string
	Comment                string
	Gone                   *Gone // set if users can no longer reach the rows, see History

	format uint32   // the version of the mapping of rows to keys
	legacy []legacy // foreign keys as descriptors before 19.2 have them
}

// HasRows says that rows of the table are stored in the form of tables: it is no
// sequence and no view, unless a materialized one.
func (t *Table) HasRows() bool { return t.Sequence == nil && (t.View == "" || t.Materialized) }

// Live says that users see the table, or will once an IMPORT or RESTORE has
// ended. One that is being added or dropped they do not.
func (t *Table) Live() bool { return t.Gone == nil && (t.State == Public || t.State == Offline) }

// System says that the table is one of the database's own.
func (t *Table) System() bool { return t.DatabaseID == SystemDatabase }

// Column is a column of a table.
type Column struct {
	ID            uint32
	Name          string
	Type          enc.Type
	Mod           Modifiers
	Nullable      bool
	Hidden        bool
	Inaccessible  bool   // made for an expression index
	Computed      string // the expression, if it is a computed column
	Virtual       bool   // computed and not stored
	Default       string // the expression
	OnUpdate      string // the expression
	Identity      Identity
	IdentityOpts  string // as SQL has them between the brackets
	UsesSequences []uint32
	OwnsSequences []uint32
	Comment       string
}

// Modifiers is what the declaration of a type says beyond enc.Type; for an
// array it speaks of the elements.
type Modifiers struct {
	PrecisionSet bool   // the precision was given, so that 0 means no fraction
	Interval     string // the fields of an INTERVAL: YEAR, DAY TO SECOND …
	Shape        string // of GEOMETRY and GEOGRAPHY: POINT …
	SRID         int32
	UserType     uint32 // the descriptor of a user-defined type
}

// Identity is how an identity column makes its values.
type Identity uint8

// The kinds of identity columns, by CockroachDB's numbers.
const (
	NoIdentity        Identity = 0
	IdentityAlways    Identity = 1
	IdentityByDefault Identity = 2
)

// Family is a column family: its columns share a key-value pair.
type Family struct {
	ID      uint32
	Name    string
	Columns []uint32
	Default uint32 // the column of a pair that is no tuple, 0 if none
}

// IndexKind is what the keys of an index hold, by CockroachDB's numbers.
type IndexKind uint8

// The kinds of indexes. Only Forward ones have one entry a row, made of the
// columns' ordered encodings.
const (
	Forward  IndexKind = 0
	Inverted IndexKind = 1
	Vector   IndexKind = 2
)

// Index is an index of a table, its primary one too.
type Index struct {
	ID               uint32
	Name             string
	Kind             IndexKind
	Unique           bool
	Columns          []uint32
	Desc             []bool   // of each of Columns
	Extra            []uint32 // the primary key's other columns, ascending; of an old index the stored ones too
	Store            []uint32 // columns that are value-encoded in the entries; of a primary index says nothing
	OldStoring       []uint32 // those of Extra that were declared STORING, in the form before 2.0
	Composite        []uint32 // columns that an entry repeats in its value where the key loses something
	Version          uint32   // from 1 on secondary indexes have families
	PrimaryEncoding  bool     // its entries are whole rows
	Disabled         bool
	DeletePreserving bool // its values are wrapped, never read rows from them
	Predicate        string
	Shards           int32 // buckets of a hash-sharded index, 0 if it is none
	ShardColumn      string
	ShardedBy        []string
	Ancestors        []Ancestor // the tables which the index is interleaved into, outermost first
	NotVisible       bool
	ConstraintID     uint32
	Comment          string
	Partitioning     []byte // the proto PartitioningDescriptor, empty if not partitioned

	names, storeNames []string
}

// Ancestor is a table which an index is interleaved into.
type Ancestor struct {
	Table, Index uint32
	Shared       uint32 // how many columns it shares, without those shared with its own ancestors
}

// Direction says where a schema change leads.
type Direction uint8

// The directions of a mutation, by CockroachDB's numbers.
const (
	Add  Direction = 1
	Drop Direction = 2
)

// MutationState is how far a schema change is, by CockroachDB's numbers.
type MutationState uint8

// The states of a mutation.
const (
	DeleteOnly  MutationState = 1
	WriteOnly   MutationState = 2
	Backfilling MutationState = 3
	Merging     MutationState = 4
)

// Mutation is a column, an index or a constraint in the middle of being added
// or dropped. One of Column, Index, Constraint is set, or What alone.
type Mutation struct {
	ID         uint32
	State      MutationState
	Direction  Direction
	Rollback   bool
	Column     *Column
	Index      *Index
	Constraint string // its name
	NewPrimary uint32 // of a change of the primary key: the index that is to be the primary one
	What       string // "column", "index", "constraint", "primary key swap" …
}

// Validity says whether all rows keep a constraint, by CockroachDB's numbers.
type Validity uint8

// The validities.
const (
	Validated   Validity = 0
	Unvalidated Validity = 1
	Validating  Validity = 2
	Dropping    Validity = 3
)

// Check is a CHECK constraint.
type Check struct {
	Name     string
	Expr     string
	Validity Validity
	Columns  []uint32
	NotNull  bool // it stands for a NOT NULL that is being added
	Hidden   bool // made by the database
}

// Action is what a foreign key does, by CockroachDB's numbers.
type Action uint8

var actionNames = [...]string{"NO ACTION", "RESTRICT", "SET NULL", "SET DEFAULT", "CASCADE"}

// String is the action as SQL writes it.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return actionNames[0]
}

// Match is how a foreign key treats NULLs, by CockroachDB's numbers.
type Match uint8

// The ways to match.
const (
	MatchSimple  Match = 0
	MatchFull    Match = 1
	MatchPartial Match = 2
)

// ForeignKey is a foreign key of the table it stands in.
type ForeignKey struct {
	Name               string
	Columns            []uint32
	Table              uint32 // that it refers to
	References         []uint32
	Validity           Validity
	OnDelete, OnUpdate Action
	Match              Match
}

// Unique is a unique constraint without an index of its own.
type Unique struct {
	Name      string
	Columns   []uint32
	Validity  Validity
	Predicate string
}

// Sequence is the options of a sequence.
type Sequence struct {
	Increment, Min, Max, Start, Cache int64
	Virtual                           bool   // its values are made by unique_rowid(), none is stored
	OwnerTable, OwnerColumn           uint32 // 0 if nobody owns it
	As                                string // the integer type
	Last                              *int64 // the value that it gave out last; nil: not known, or it has none
}

// Gone says why and since when the rows of a table, which lie under the indexes
// of this version of its descriptor, cannot be reached.
type Gone struct {
	Why string         // one of the constants Why…
	At  keys.Timestamp // when, as near as the versions of the descriptor tell
}

// legacy is a foreign key as an index had it before 19.2.
type legacy struct {
	ForeignKey
	index  uint32 // the referenced one
	shared int32
	from   uint32 // the index that has it
}
