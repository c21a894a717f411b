package catalog

import (
	"cmp"
	"fmt"
	"slices"
)

// Load makes a catalog out of descriptors: of each id the newest version counts.
// Names, the rows of system.namespace, may be missing; they help where the
// descriptor of a database or a schema does. What is not as it should be is
// named, and everything else is loaded all the same.
func Load(descs []Raw, names []Name) (*Catalog, []Doubt) {
	l := newLoader(names)
	l.decode(newest(descs))
	l.resolve()
	return l.catalog, l.doubts
}

// loader is a catalog in the making.
type loader struct {
	catalog   *Catalog
	doubts    []Doubt
	names     map[object]string // of databases and schemas, from the namespace
	databases map[object]*Database
	schemas   map[object]*Schema
	types     map[object]*UserType
}

func newLoader(names []Name) *loader {
	l := &loader{
		catalog: &Catalog{}, names: map[object]string{},
		databases: map[object]*Database{}, schemas: map[object]*Schema{}, types: map[object]*UserType{},
	}
	for _, n := range names {
		if n.Schema == 0 { // a database, or a schema of one
			l.names[object{tenantOf(n.Tenant), n.ID}] = n.Name
		}
	}
	return l
}

// tenantOf makes one number of the two that the system tenant goes by.
func tenantOf(id uint64) uint64 { return max(id, 1) }

// newest keeps the newest version of each descriptor; a deleted one is none.
func newest(descs []Raw) []Raw {
	last := map[object]Raw{}
	for _, raw := range descs {
		raw = raw.known()
		o := object{raw.Tenant, raw.ID}
		if have, ok := last[o]; !ok || raw.At.Compare(have.At) >= 0 {
			last[o] = raw
		}
	}
	out := make([]Raw, 0, len(last))
	for _, raw := range last {
		if len(raw.Bytes) > 0 {
			out = append(out, raw)
		}
	}
	slices.SortFunc(out, func(a, b Raw) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID)) })
	return out
}

// decode decodes descriptors and files what they describe.
func (l *loader) decode(descs []Raw) {
	c := l.catalog
	for _, raw := range descs {
		d, err := decode(raw)
		if err != nil {
			l.doubt(raw.Tenant, raw.ID, "", "decode: %v", err)
			continue
		}
		switch {
		case d.table != nil:
			l.fileTable(d.table, raw)
		case d.database != nil:
			d.database.Tenant = raw.Tenant
			l.checkID(raw, d.database.ID, d.database.Name)
			c.Databases = append(c.Databases, *d.database)
		case d.schema != nil:
			d.schema.Tenant = raw.Tenant
			l.checkID(raw, d.schema.ID, d.schema.Name)
			c.Schemas = append(c.Schemas, *d.schema)
		case d.typ != nil:
			d.typ.Tenant = raw.Tenant
			l.checkID(raw, d.typ.ID, d.typ.Name)
			c.Types = append(c.Types, *d.typ)
		case d.function != nil:
			d.function.Tenant = raw.Tenant
			c.Functions = append(c.Functions, *d.function)
		default:
			l.doubt(raw.Tenant, raw.ID, "", "a kind of descriptor that no known release has")
		}
	}
}

// fileTable files a table with the moment at which its version was written.
func (l *loader) fileTable(t *Table, raw Raw) {
	t.Tenant = raw.Tenant
	if !raw.At.IsZero() {
		t.At = raw.At
	}
	l.checkID(raw, t.ID, t.Name)
	t.ID = raw.ID
	l.catalog.Tables = append(l.catalog.Tables, t)
}

// checkID doubts a descriptor that stands under another id than its own.
func (l *loader) checkID(raw Raw, id uint32, name string) {
	if id != raw.ID {
		l.doubt(raw.Tenant, raw.ID, name, "it says that its id is %d", id)
	}
}

func (l *loader) doubt(tenant uint64, id uint32, name, format string, args ...any) {
	l.doubts = append(l.doubts, Doubt{Tenant: tenant, ID: id, Name: name, Why: fmt.Sprintf(format, args...)})
}

// resolve puts names and types where descriptors have ids.
func (l *loader) resolve() {
	c := l.catalog
	for i := range c.Databases {
		l.databases[c.Databases[i].object()] = &c.Databases[i]
	}
	for i := range c.Schemas {
		s := &c.Schemas[i]
		s.Database = l.database(s.Tenant, s.DatabaseID)
		l.schemas[object{s.Tenant, s.ID}] = s
	}
	for i := range c.Types {
		u := &c.Types[i]
		u.Database, u.Schema = l.database(u.Tenant, u.DatabaseID), l.schema(u.Tenant, u.DatabaseID, u.SchemaID)
		l.types[object{u.Tenant, u.ID}] = u
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		f.Database, f.Schema = l.database(f.Tenant, f.DatabaseID), l.schema(f.Tenant, f.DatabaseID, f.SchemaID)
	}
	for i := range c.Types {
		u := &c.Types[i]
		for j := range u.Fields {
			l.resolveType(u.Tenant, u.ID, u.Name, &u.Fields[j].Type, u.Fields[j].Mod.UserType, 0)
		}
	}
	for _, t := range c.Tables {
		t.Database, t.Schema = l.database(t.Tenant, t.DatabaseID), l.schema(t.Tenant, t.DatabaseID, t.SchemaID)
		l.resolveTable(t)
	}
	c.order()
	for _, t := range c.Tables {
		l.resolveAncestors(t)
		l.resolveLegacy(t)
	}
}

// database is the name of a database; one that nothing names is called by its id.
func (l *loader) database(tenant uint64, id uint32) string {
	if d := l.databases[object{tenant, id}]; d != nil {
		return d.Name
	}
	if name, ok := l.names[object{tenant, id}]; ok {
		return name
	}
	if id == SystemDatabase {
		return "system"
	}
	return fmt.Sprintf("database_%d", id)
}

// schema is the name of a schema; one that nothing names is called by its id.
func (l *loader) schema(tenant uint64, database, id uint32) string {
	if id == 0 || id == PublicSchema {
		return "public"
	}
	if s := l.schemas[object{tenant, id}]; s != nil {
		return s.Name
	}
	if d := l.databases[object{tenant, database}]; d != nil {
		if name, ok := d.schemas[id]; ok {
			return name
		}
	}
	if name, ok := l.names[object{tenant, id}]; ok {
		return name
	}
	return fmt.Sprintf("schema_%d", id)
}
