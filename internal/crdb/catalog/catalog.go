package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// The fixed ids of descriptors.
const (
	SystemDatabase = 1  // the database of the system tables
	PublicSchema   = 29 // the public schema of every database before 22.2
)

// Raw is one version of one descriptor as it was found.
type Raw struct {
	Tenant uint64         // 0 and 1 are the system tenant
	ID     uint32         // of the descriptor; 0 if only the descriptor itself knows it, as in a BACKUP
	At     keys.Timestamp // when this version was written
	Bytes  []byte         // the proto Descriptor; empty if the descriptor was deleted then
}

// Name is one row of system.namespace.
type Name struct {
	Tenant         uint64
	Parent, Schema uint32 // 0 if it is the name of a database or, Schema alone, of a schema
	Name           string
	ID             uint32
}

// Until keeps the versions that were written up to a moment: the descriptors as
// they then were.
func Until(descs []Raw, at keys.Timestamp) []Raw {
	var out []Raw
	for _, raw := range descs {
		if raw.At.Compare(at) <= 0 {
			out = append(out, raw)
		}
	}
	return out
}

// known gives a version the number of its tenant and its own id.
func (raw Raw) known() Raw {
	raw.Tenant = tenantOf(raw.Tenant)
	if raw.ID == 0 {
		raw.ID = idOf(raw.Bytes)
	}
	return raw
}

// Doubt is something about a descriptor that was not as it should be.
type Doubt struct {
	Tenant uint64
	ID     uint32
	Name   string // if it is known
	Why    string
}

func (d Doubt) String() string { return fmt.Sprintf("descriptor %d %q: %s", d.ID, d.Name, d.Why) }

// State says whether users see a database, schema, type or table.
type State uint8

// The states of a descriptor, by CockroachDB's numbers.
const (
	Public  State = 0
	Adding  State = 1 // CREATE TABLE AS or a restore still fills it
	Dropped State = 2 // its data lasts until the garbage collector comes
	Offline State = 3 // an IMPORT or RESTORE is under way
)

var stateNames = [...]string{Public: "public", Adding: "being added", Dropped: "dropped", Offline: "offline"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", s)
}

// Catalog is all that the descriptors of one moment describe.
type Catalog struct {
	Databases []Database // each list by tenant, then by id
	Schemas   []Schema
	Types     []UserType
	Functions []Function
	Tables    []*Table // by tenant, database, schema, name, id; views and sequences too
	byID      map[object]*Table
}

// object is an id within its tenant.
type object struct {
	tenant uint64
	id     uint32
}

// Database is a database.
type Database struct {
	Tenant  uint64
	ID      uint32
	Name    string
	State   State
	Comment string
	schemas map[uint32]string // the schemas it names itself
}

// Schema is a schema. Public schemas without a descriptor of their own, all of
// those before 22.2, are not listed.
type Schema struct {
	Tenant     uint64
	ID         uint32
	DatabaseID uint32
	Database   string
	Name       string
	State      State
	Comment    string
}

// TypeKind is what a user-defined type is, by CockroachDB's numbers.
type TypeKind uint8

// The kinds of user-defined types.
const (
	EnumKind      TypeKind = 0
	AliasKind     TypeKind = 1 // the array type which comes with each other one
	RegionsKind   TypeKind = 2 // the enum of a database's regions
	CompositeKind TypeKind = 4
)

// UserType is a user-defined type.
type UserType struct {
	Tenant               uint64
	ID                   uint32
	DatabaseID, SchemaID uint32
	Database, Schema     string
	Name                 string
	State                State
	Kind                 TypeKind
	Members              enc.Enum // of an enum, in their order
	Fields               []Field  // of a composite type
	ArrayID              uint32   // the type of arrays of it
	Comment              string
	members              []member
}

// Field is one field of a composite type.
type Field struct {
	Name string
	Type enc.Type
	Mod  Modifiers
}

// member is a member of an enum as its descriptor has it.
type member struct {
	enc.Member
	readOnly, removing bool
}

// Function is a user-defined function or procedure.
type Function struct {
	Tenant               uint64
	ID                   uint32
	DatabaseID, SchemaID uint32
	Database, Schema     string
	Name                 string
	State                State
	Body                 string
}

// Table is the table, view or sequence with that id, nil if there is none.
func (c *Catalog) Table(tenant uint64, id uint32) *Table { return c.byID[object{tenant, id}] }

// Add puts a table into the catalog, in place of another with its id.
func (c *Catalog) Add(t *Table) {
	c.Tables = slices.DeleteFunc(c.Tables, func(o *Table) bool { return o.Tenant == t.Tenant && o.ID == t.ID })
	c.Tables = append(c.Tables, t)
	c.order()
}

// Remove takes a table out of the catalog.
func (c *Catalog) Remove(t *Table) {
	c.Tables = slices.DeleteFunc(c.Tables, func(o *Table) bool { return o == t })
	c.order()
}

// order sorts what the catalog lists.
func (c *Catalog) order() {
	slices.SortFunc(c.Tables, compareTables)
	slices.SortFunc(c.Databases, func(a, b Database) int { return a.object().compare(b.object()) })
	slices.SortFunc(c.Schemas, func(a, b Schema) int { return object{a.Tenant, a.ID}.compare(object{b.Tenant, b.ID}) })
	slices.SortFunc(c.Types, func(a, b UserType) int { return object{a.Tenant, a.ID}.compare(object{b.Tenant, b.ID}) })
	slices.SortFunc(c.Functions, func(a, b Function) int { return object{a.Tenant, a.ID}.compare(object{b.Tenant, b.ID}) })
	c.byID = make(map[object]*Table, len(c.Tables))
	for _, t := range c.Tables {
		c.byID[object{t.Tenant, t.ID}] = t
	}
}

func compareTables(a, b *Table) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Schema, b.Schema),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
}

func (d Database) object() object { return object{d.Tenant, d.ID} }

func (o object) compare(p object) int {
	return cmp.Or(cmp.Compare(o.tenant, p.tenant), cmp.Compare(o.id, p.id))
}
