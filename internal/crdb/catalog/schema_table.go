package catalog

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// schemaTable is a table of a file of SQL, with what can only be known when all
// of the file is.
type schemaTable struct {
	Table
	primary []part             // the columns of the primary key, none if it has to be made
	shards  int32              // of the primary key
	indexes []schemaIndex      // in the order in which they stand
	parents map[int]schemaTree // by the number of the index, -1 is the primary one
	refs    []schemaRef
	types   map[uint32][]string // user-defined types of columns
	keyName string
	keyID   uint32
}

// part is one column of an index.
type part struct {
	name string
	desc bool
}

type schemaIndex struct {
	Index
	parts   []part
	storing []string
	extra   []string // from a comment; nil: those of the primary key
	shards  int32
}

// schemaTree is INTERLEAVE IN PARENT.
type schemaTree struct {
	parent []string
	shared int
}

// schemaRef is a foreign key with names.
type schemaRef struct {
	ForeignKey
	columns, to, references []string
}

// createTable takes CREATE TABLE.
func (s *schemaFile) createTable() error {
	head, err := s.named()
	if err != nil {
		return err
	}
	t := &schemaTable{Table: head, types: map[uint32][]string{}, parents: map[int]schemaTree{}}
	t.format = 3
	if err := s.expect("("); err != nil {
		return err
	}
	for !s.accept(")") {
		if err := s.element(t); err != nil {
			return fmt.Errorf("table %q: %w", t.Name, err)
		}
		if !s.accept(",") && !s.peek().is(")") {
			return fmt.Errorf("table %q: a comma expected, %q found", t.Name, s.peek().raw)
		}
	}
	if err := s.indexTail(t, -1, nil); err != nil {
		return err
	}
	s.skip()
	s.file(t)
	return nil
}

// element takes one element of CREATE TABLE.
func (s *schemaFile) element(t *schemaTable) error {
	id := s.given(0)
	called, err := s.constraintName()
	if err != nil {
		return err
	}
	switch {
	case s.accept("primary", "key"):
		return s.primaryKey(t, called, id)
	case s.accept("unique", "without", "index"):
		return s.uniqueWithout(t, called)
	case s.accept("unique", "index"), s.accept("unique"):
		return s.index(t, called, id, Index{Unique: true})
	case s.accept("inverted", "index"):
		return s.index(t, called, id, Index{Kind: Inverted})
	case s.accept("vector", "index"):
		return s.index(t, called, id, Index{Kind: Vector})
	case s.accept("index"):
		return s.index(t, called, id, Index{})
	case s.accept("check"):
		expr, err := s.bracketed()
		t.Checks = append(t.Checks, Check{Name: called, Expr: expr})
		return err
	case s.accept("foreign", "key"):
		columns, err := s.names()
		if err != nil {
			return err
		}
		return s.references(t, called, columns)
	case s.accept("family"):
		return s.family(t, id)
	default:
		return s.column(t, id)
	}
}

// constraintName takes CONSTRAINT and a name.
func (s *schemaFile) constraintName() (string, error) {
	if s.accept("constraint") {
		return s.identifier()
	}
	return "", nil
}

// bracketed takes an expression between brackets.
func (s *schemaFile) bracketed() (string, error) {
	if err := s.expect("("); err != nil {
		return "", err
	}
	expr := s.rest(func(token) bool { return false })
	return expr, s.expect(")")
}

// names takes names between brackets.
func (s *schemaFile) names() ([]string, error) {
	parts, err := s.parts()
	var out []string
	for _, p := range parts {
		out = append(out, p.name)
	}
	return out, err
}

// parts takes the columns of an index between brackets.
func (s *schemaFile) parts() ([]part, error) {
	if err := s.expect("("); err != nil {
		return nil, err
	}
	var out []part
	for !s.accept(")") {
		if s.peek().is("(") {
			return nil, fmt.Errorf("an index of an expression is not understood")
		}
		name, err := s.identifier()
		if err != nil {
			return nil, err
		}
		p := part{name: name}
		for !s.peek().is(",") && !s.peek().is(")") && !s.end() { // direction, operator class
			p.desc = s.next().is("desc") || p.desc
		}
		out = append(out, p)
		s.accept(",")
	}
	return out, nil
}

func (s *schemaFile) primaryKey(t *schemaTable, called string, id uint32) (err error) {
	t.keyName, t.keyID = called, id
	if t.primary, err = s.parts(); err != nil {
		return err
	}
	t.shards, err = s.sharded()
	if err != nil {
		return err
	}
	return s.indexTail(t, -1, nil)
}

// sharded takes USING HASH, by its older and its newer form.
func (s *schemaFile) sharded() (int32, error) {
	if !s.accept("using", "hash") {
		return 0, nil
	}
	if s.accept("with", "bucket_count", "=") {
		n, err := s.integer()
		return int32(n), err
	}
	if s.accept("with", "(", "bucket_count", "=") {
		n, err := s.integer()
		if err == nil {
			err = s.expect(")")
		}
		return int32(n), err
	}
	return 16, nil
}

func (s *schemaFile) index(t *schemaTable, called string, id uint32, ix Index) (err error) {
	out := schemaIndex{Index: ix}
	out.Name, out.ID = called, id
	if !s.peek().is("(") {
		if out.Name, err = s.identifier(); err != nil {
			return err
		}
	}
	if out.parts, err = s.parts(); err != nil {
		return err
	}
	if out.shards, err = s.sharded(); err != nil {
		return err
	}
	if err := s.indexTail(t, len(t.indexes), &out); err != nil {
		return err
	}
	t.indexes = append(t.indexes, out)
	return nil
}

// indexTail takes what may stand behind the columns of an index.
func (s *schemaFile) indexTail(t *schemaTable, n int, ix *schemaIndex) (err error) {
	for {
		switch {
		case ix != nil && (s.accept("storing") || s.accept("covering") || s.accept("include")):
			if ix.storing, err = s.names(); err != nil {
				return err
			}
		case ix != nil && s.accept("where"):
			ix.Predicate = s.rest(endOfElement)
		case ix != nil && s.accept("not", "visible"):
			ix.NotVisible = true
		case s.accept("interleave", "in", "parent"):
			path, err := s.path()
			if err != nil {
				return err
			}
			shared, err := s.names()
			if err != nil {
				return err
			}
			t.parents[n] = schemaTree{path, len(shared)}
		case s.accept("partition", "by"):
			s.rest(endOfElement)
		case s.accept("with", "("):
			s.rest(func(token) bool { return false })
			if err := s.expect(")"); err != nil {
				return err
			}
		default:
			if err := s.extraComment(ix); err != nil {
				return err
			}
			return s.interleaveComment(t, n)
		}
	}
}

// interleavePattern finds a comment that says what an index is interleaved into,
// which CREATE TABLE no longer takes since 22.1.
var interleavePattern = regexp.MustCompile(`^/\* INTERLEAVE IN PARENT (.*) \*/$`)

// extraPattern finds a comment that says which columns of a primary key the
// entries of an index have, where they are not those of the present one.
var extraPattern = regexp.MustCompile(`^/\* EXTRA (.*) \*/$`)

// extraComment takes it.
func (s *schemaFile) extraComment(ix *schemaIndex) (err error) {
	text, ok := s.commented(extraPattern)
	if ix == nil || !ok {
		return nil
	}
	inner := &schemaFile{parser: parser{tokens: lex(text)}}
	if ix.extra, err = inner.names(); ix.extra == nil {
		ix.extra = []string{}
	}
	return err
}

// interleaveComment takes it.
func (s *schemaFile) interleaveComment(t *schemaTable, n int) error {
	text, ok := s.commented(interleavePattern)
	if _, have := t.parents[n]; !ok || have {
		return nil
	}
	inner := &schemaFile{parser: parser{tokens: lex(text)}}
	path, err := inner.path()
	if err != nil {
		return err
	}
	shared, err := inner.names()
	t.parents[n] = schemaTree{path, len(shared)}
	return err
}

func endOfElement(t token) bool { return t.is(",") || t.is(";") }

func (s *schemaFile) uniqueWithout(t *schemaTable, called string) error {
	columns, err := s.names()
	if err != nil {
		return err
	}
	u := Unique{Name: called}
	for _, name := range columns {
		if c := t.named(name); c != nil {
			u.Columns = append(u.Columns, c.ID)
		}
	}
	if s.accept("where") {
		u.Predicate = s.rest(endOfElement)
	}
	t.Unique = append(t.Unique, u)
	return nil
}

// family takes FAMILY.
func (s *schemaFile) family(t *schemaTable, id uint32) error {
	f := Family{ID: id}
	if f.ID == 0 {
		f.ID = uint32(len(t.Families))
	}
	if !s.peek().is("(") {
		name, err := s.identifier()
		if err != nil {
			return err
		}
		f.Name = name
	}
	columns, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range columns {
		if t.named(name) == nil {
			s.hidden(t, name)
		}
		f.Columns = append(f.Columns, t.named(name).ID)
	}
	t.Families = append(t.Families, f)
	return nil
}

// hidden makes a column that SHOW CREATE did not show before 21.1 but names in a
// family: the rowid, or the bucket of a sharded index.
func (s *schemaFile) hidden(t *schemaTable, name string) *Column {
	c := Column{ID: t.nextColumn(), Name: name, Hidden: true, Type: enc.Type{Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8}}
	if name == "rowid" || strings.HasPrefix(name, "rowid_") {
		c.Default = "unique_rowid()"
	} else {
		c.Type = enc.Type{Family: enc.IntFamily, Width: 32, OID: enc.OIDInt4}
		c.Computed = "NULL" // the bucket; its expression is not in the file
	}
	t.Columns = append(t.Columns, c)
	return &t.Columns[len(t.Columns)-1]
}

// nextColumn is the id of the next column: behind the largest so far.
func (t *schemaTable) nextColumn() uint32 {
	var last uint32
	for _, c := range t.Columns {
		last = max(last, c.ID)
	}
	return last + 1
}
