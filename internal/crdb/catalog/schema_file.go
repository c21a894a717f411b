package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// ParseSchema makes a catalog out of SQL, for a cluster whose descriptors are
// lost in every store: CREATE TABLE, CREATE TYPE … AS ENUM, CREATE SEQUENCE and
// CREATE VIEW as SHOW CREATE writes them. Before each stands its id, in a comment
// or on a line of its own:
//
//	-- id 72
//	CREATE TABLE kingdom.public.hashed (…)
//
// Columns, indexes and families have the ids which a new table would give them,
// in the order in which they stand, unless a comment before one has another:
// /* id 4 */. Members of an enum have the bytes which a new type would give them,
// unless a comment has others: /* bytes 60 */. The database is the one of the
// name, of USE or of SET database.
func ParseSchema(sql string) (*Catalog, []Doubt, error) {
	s := &schemaFile{loader: newLoader(nil), parser: parser{tokens: lex(sql)}, database: "defaultdb"}
	for !s.end() {
		if s.accept(";") {
			continue
		}
		if err := s.statement(); err != nil {
			return nil, nil, fmt.Errorf("read the schema: line %d: %w", s.line(), err)
		}
	}
	s.link()
	s.resolve()
	return s.catalog, s.doubts, nil
}

// schemaFile is a file of SQL while it is read.
type schemaFile struct {
	*loader
	parser
	database string
	id       uint32 // of what comes next, 0 if none was given
	tables   []*schemaTable
}

// line is the number of the line that is being read.
func (s *schemaFile) line() int {
	n := 1
	for _, t := range s.tokens[:s.at] {
		n += strings.Count(t.raw, "\n")
	}
	return n
}

// idPattern finds an id in a comment.
var idPattern = regexp.MustCompile(`(?i)\bid\s*[:=]?\s*(\d+)`)

// bytesPattern finds the bytes of an enum's member in a comment.
var bytesPattern = regexp.MustCompile(`(?i)\bbytes\s*[:=]?\s*(?:0x)?((?:[0-9a-f]{2})+)`)

// commented is what the pattern finds in the comments right before the next
// token.
func (p *parser) commented(pattern *regexp.Regexp) (string, bool) {
	p.peek()
	for i := p.at - 1; i >= 0 && p.tokens[i].kind == space; i-- {
		if m := pattern.FindStringSubmatch(p.tokens[i].raw); m != nil {
			return m[1], true
		}
	}
	return "", false
}

// given is the id in a comment before the next token, else the other.
func (p *parser) given(other uint32) uint32 {
	if text, ok := p.commented(idPattern); ok {
		if id, err := strconv.ParseUint(text, 10, 32); err == nil {
			return uint32(id)
		}
	}
	return other
}

// statement takes one statement.
func (s *schemaFile) statement() error {
	s.id = s.given(s.id)
	switch {
	case s.accept("table", "id"), s.accept("id"):
		id, err := s.integer()
		s.id = uint32(id)
		return err
	case s.accept("use"), s.accept("set", "database", "="), s.accept("set", "database", "to"):
		name, err := s.identifier()
		s.database = name
		return err
	case s.accept("create", "table"):
		return s.createTable()
	case s.accept("create", "type"):
		return s.createType()
	case s.accept("create", "sequence"):
		return s.createSequence()
	case s.accept("create", "view"):
		return s.createView(false)
	case s.accept("create", "materialized", "view"):
		return s.createView(true)
	case s.accept("alter", "table"):
		return s.alterTable()
	}
	s.skip()
	return nil
}

// skip passes over the rest of a statement.
func (s *schemaFile) skip() {
	for !s.end() && !s.peek().is(";") {
		s.next()
	}
	s.id = 0
}

// named takes the name of something new and files it: its database, its schema,
// its name and its id.
func (s *schemaFile) named() (t Table, err error) {
	s.accept("if", "not", "exists")
	path, err := s.path()
	if err != nil {
		return t, err
	}
	t = Table{ID: s.id, Tenant: tenantOf(0), Version: 1, Database: s.database, Schema: "public", Name: path[len(path)-1]}
	if len(path) > 1 {
		t.Schema = path[len(path)-2]
	}
	if len(path) > 2 {
		t.Database = path[len(path)-3]
	}
	t.DatabaseID, t.SchemaID = s.databaseID(t.Database), s.schemaID(t.Database, t.Schema)
	if t.ID == 0 {
		s.doubt(t.Tenant, 0, t.Name, "no id is given for it: its rows cannot be found")
	}
	s.id = 0
	return t, nil
}

// The ids that databases and schemas of a file get, above all real ones.
const firstMadeID = 1 << 31

// databaseID is the id of a database of the file.
func (s *schemaFile) databaseID(name string) uint32 {
	for _, d := range s.catalog.Databases {
		if d.Name == name {
			return d.ID
		}
	}
	d := Database{Tenant: tenantOf(0), ID: firstMadeID + uint32(len(s.catalog.Databases)), Name: name}
	s.catalog.Databases = append(s.catalog.Databases, d)
	return d.ID
}

// schemaID is the id of a schema of the file.
func (s *schemaFile) schemaID(database, name string) uint32 {
	if name == "public" {
		return PublicSchema
	}
	of := s.databaseID(database)
	for _, x := range s.catalog.Schemas {
		if x.DatabaseID == of && x.Name == name {
			return x.ID
		}
	}
	x := Schema{Tenant: tenantOf(0), ID: firstMadeID + 1<<16 + uint32(len(s.catalog.Schemas)), DatabaseID: of, Name: name}
	s.catalog.Schemas = append(s.catalog.Schemas, x)
	return x.ID
}

// createType takes CREATE TYPE … AS ENUM.
func (s *schemaFile) createType() error {
	t, err := s.named()
	if err != nil {
		return err
	}
	u := UserType{Tenant: t.Tenant, ID: t.ID, DatabaseID: t.DatabaseID, SchemaID: t.SchemaID, Name: t.Name, Kind: EnumKind}
	if !s.accept("as", "enum", "(") {
		s.skip()
		s.doubt(u.Tenant, u.ID, u.Name, "only types AS ENUM are understood")
		return nil
	}
	var given []string
	for !s.accept(")") {
		bytes, _ := s.commented(bytesPattern)
		label := s.next()
		if label.kind != text {
			return fmt.Errorf("a member of type %q expected, %q found", u.Name, label.raw)
		}
		u.Members.Members = append(u.Members.Members, enc.Member{Label: label.val})
		given = append(given, bytes)
		s.accept(",")
	}
	spread(u.Members.Members, nil, nil)
	for i, bytes := range given {
		if bytes != "" {
			u.Members.Members[i].Physical = unhex(bytes)
		}
		u.members = append(u.members, member{Member: u.Members.Members[i]})
	}
	if u.ID == 0 {
		u.ID = firstMadeID + 1<<17 + uint32(len(s.catalog.Types))
	}
	s.catalog.Types = append(s.catalog.Types, u)
	return nil
}

// createSequence takes CREATE SEQUENCE.
func (s *schemaFile) createSequence() error {
	t, err := s.named()
	if err != nil {
		return err
	}
	q := &Sequence{Increment: 1, Min: 1, Max: 1<<63 - 1, Start: 1}
	t.Sequence = q
	options := map[string]*int64{"minvalue": &q.Min, "maxvalue": &q.Max, "increment": &q.Increment, "start": &q.Start, "cache": &q.Cache}
	for !s.end() && !s.peek().is(";") {
		name := strings.ToLower(s.next().raw)
		if name == "virtual" {
			q.Virtual = true
		}
		if to, ok := options[name]; ok {
			s.accept("by")
			s.accept("with")
			if *to, err = s.integer(); err != nil {
				return err
			}
		}
	}
	s.file(&schemaTable{Table: t})
	return nil
}

// createView takes CREATE VIEW.
func (s *schemaFile) createView(materialized bool) error {
	t, err := s.named()
	if err != nil {
		return err
	}
	if s.accept("(") {
		for !s.accept(")") {
			column, err := s.identifier()
			if err != nil {
				return err
			}
			t.Columns = append(t.Columns, Column{ID: uint32(len(t.Columns) + 1), Name: column, Nullable: true, Type: enc.Type{Family: enc.UnknownFamily}})
			s.accept(",")
		}
	}
	if err := s.expect("as"); err != nil {
		return err
	}
	t.View = s.rest(func(t token) bool { return t.is(";") })
	if t.Materialized = materialized; materialized {
		s.doubt(t.Tenant, t.ID, t.Name, "the types of a materialized view's columns are not in a file: its rows cannot be read")
		return nil
	}
	s.file(&schemaTable{Table: t})
	return nil
}

// file files a table, unless it has no id.
func (s *schemaFile) file(t *schemaTable) {
	if t.ID == 0 {
		return
	}
	s.tables = append(s.tables, t)
	s.catalog.Tables = append(s.catalog.Tables, &t.Table)
}

// rest takes tokens as they stand until stop holds, outside of brackets.
func (p *parser) rest(stop func(token) bool) string {
	var out strings.Builder
	depth := 0
	for first := true; !p.end(); first = false {
		t := p.peek()
		if depth == 0 && !first && stop(t) || depth == 0 && t.is(")") {
			break
		}
		switch {
		case t.is("("), t.is("["):
			depth++
		case t.is(")"), t.is("]"):
			depth--
		}
		start := p.at
		p.next()
		out.WriteString(t.raw)
		if at := start + 1; at < len(p.tokens) && p.tokens[at].kind == space {
			out.WriteByte(' ')
		}
	}
	return strings.TrimSpace(out.String())
}

// Fill adds what the other catalog has and this one has not: tables and types by
// their ids, databases and schemas by their names. It says which tables were added.
func (c *Catalog) Fill(o *Catalog) (added []*Table) {
	o.moveInto(c)
	have := func(tenant uint64, id uint32) bool { return c.Table(tenant, id) != nil }
	for _, t := range o.Tables {
		if !have(t.Tenant, t.ID) {
			c.Tables, added = append(c.Tables, t), append(added, t)
		}
	}
	for _, d := range o.Databases {
		if !slices.ContainsFunc(c.Databases, func(x Database) bool { return x.object() == d.object() }) {
			c.Databases = append(c.Databases, d)
		}
	}
	for _, x := range o.Schemas {
		if !slices.ContainsFunc(c.Schemas, func(y Schema) bool { return y.Tenant == x.Tenant && y.ID == x.ID }) {
			c.Schemas = append(c.Schemas, x)
		}
	}
	for _, u := range o.Types {
		if !slices.ContainsFunc(c.Types, func(y UserType) bool { return y.Tenant == u.Tenant && y.ID == u.ID }) {
			c.Types = append(c.Types, u)
		}
	}
	c.order()
	return added
}

// moveInto gives databases and schemas the ids that the other catalog has for
// their names.
func (c *Catalog) moveInto(o *Catalog) {
	moved := map[object]uint32{}
	for i := range c.Databases {
		d := &c.Databases[i]
		for _, x := range o.Databases {
			if x.Tenant == d.Tenant && x.Name == d.Name {
				moved[d.object()], d.ID = x.ID, x.ID
			}
		}
	}
	for i := range c.Schemas {
		s := &c.Schemas[i]
		for _, x := range o.Schemas {
			if x.Tenant == s.Tenant && x.Database == s.Database && x.Name == s.Name {
				moved[object{s.Tenant, s.ID}], s.ID = x.ID, x.ID
			}
		}
	}
	move := func(tenant uint64, ids ...*uint32) {
		for _, id := range ids {
			if to, ok := moved[object{tenant, *id}]; ok {
				*id = to
			}
		}
	}
	for i := range c.Schemas {
		move(c.Schemas[i].Tenant, &c.Schemas[i].DatabaseID)
	}
	for i := range c.Types {
		move(c.Types[i].Tenant, &c.Types[i].DatabaseID, &c.Types[i].SchemaID)
	}
	for _, t := range c.Tables {
		move(t.Tenant, &t.DatabaseID, &t.SchemaID)
	}
}
