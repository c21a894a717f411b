package catalog

import (
	"slices"
	"strings"
)

// references takes REFERENCES and what stands behind it.
func (s *schemaFile) references(t *schemaTable, called string, columns []string) error {
	if err := s.expect("references"); err != nil {
		return err
	}
	ref := schemaRef{ForeignKey: ForeignKey{Name: called}, columns: columns}
	var err error
	if ref.to, err = s.path(); err != nil {
		return err
	}
	if s.peek().is("(") {
		if ref.references, err = s.names(); err != nil {
			return err
		}
	}
	for {
		switch {
		case s.accept("match", "full"):
			ref.Match = MatchFull
		case s.accept("match", "simple"):
		case s.accept("on", "delete"):
			ref.OnDelete = s.action()
		case s.accept("on", "update"):
			ref.OnUpdate = s.action()
		case s.accept("not", "valid"):
			ref.Validity = Unvalidated
		default:
			t.refs = append(t.refs, ref)
			return nil
		}
	}
}

// action takes what a foreign key does.
func (s *schemaFile) action() Action {
	for a, name := range actionNames {
		if s.accept(strings.Fields(name)...) {
			return Action(a)
		}
	}
	return 0
}

// alterTable takes ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY or CHECK, and
// passes over any other.
func (s *schemaFile) alterTable() error {
	path, err := s.path()
	if err != nil {
		return err
	}
	t := s.tableNamed(path, nil)
	if t == nil || !s.accept("add", "constraint") {
		s.skip()
		return nil
	}
	called, err := s.identifier()
	if err != nil {
		return err
	}
	switch {
	case s.accept("foreign", "key"):
		columns, err := s.names()
		if err != nil {
			return err
		}
		return s.references(t, called, columns)
	case s.accept("check"):
		expr, err := s.bracketed()
		validity := Validated
		if s.accept("not", "valid") {
			validity = Unvalidated
		}
		t.Checks = append(t.Checks, Check{Name: called, Expr: expr, Validity: validity})
		return err
	}
	s.skip()
	return nil
}

// tableNamed is the table of the file with that path, of which from names the
// missing parts.
func (s *schemaFile) tableNamed(path []string, from *schemaTable) *schemaTable {
	database, schema := s.database, "public"
	if from != nil {
		database = from.Database
	}
	if len(path) > 1 {
		schema = path[len(path)-2]
	}
	if len(path) > 2 {
		database = path[len(path)-3]
	}
	i := slices.IndexFunc(s.tables, func(t *schemaTable) bool {
		return t.Name == path[len(path)-1] && t.Schema == schema && t.Database == database
	})
	if i < 0 {
		return nil
	}
	return s.tables[i]
}
