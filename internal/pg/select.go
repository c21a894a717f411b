package pg

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// Selection says by patterns which part of a database is meant; its zero value
// means all of it. A relation is meant if its schema is one of Schemas or it is
// itself one of Tables (both empty: any), and neither NotSchemas nor NotTables
// name it.
//
// A pattern for a schema is "app", for a relation "app.orders"; * stands for
// any run of characters. Names are taken as they stand in the catalogs, upper
// and lower case told apart; one that holds a dot, a star or a quote is quoted
// as in SQL: "odd.schema"."Ta""ble".
type Selection struct{ Schemas, Tables, NotSchemas, NotTables []string }

// Filter is a Selection whose patterns were read.
type Filter struct{ schemas, tables, notSchemas, notTables []pattern }

// pattern matches the path of a name, each part of it given as the pieces
// between its stars.
type pattern [][]string

// Filter reads the patterns; its error is fault.Invalid and names all that
// cannot be read.
func (s Selection) Filter() (Filter, error) {
	var f Filter
	var wrong error
	read := func(to *[]pattern, texts []string, parts int) {
		for _, text := range texts {
			p, err := readPattern(text)
			if err == nil && len(p) != parts {
				err = fmt.Errorf("it has %d parts, want %d", len(p), parts)
			}
			if err != nil {
				hint := `write a schema as "app", with * for any characters`
				if parts == 2 {
					hint = `write a table with its schema: "app.orders", "app.*", "*.orders"`
				}
				wrong = errors.Join(wrong, fault.Wrap(fault.Invalid, fmt.Sprintf("read pattern %q", text), err, hint))
			}
			*to = append(*to, p)
		}
	}
	read(&f.schemas, s.Schemas, 1)
	read(&f.tables, s.Tables, 2)
	read(&f.notSchemas, s.NotSchemas, 1)
	read(&f.notTables, s.NotTables, 2)
	return f, wrong
}

// readPattern splits a pattern at the dots and stars that stand outside quotes.
func readPattern(text string) (pattern, error) {
	p := pattern{{""}}
	var quoted bool
	for i := 0; i < len(text); i++ {
		part := &p[len(p)-1]
		switch c := text[i]; {
		case c == '"' && quoted && strings.HasPrefix(text[i+1:], `"`):
			(*part)[len(*part)-1] += `"`
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			p = append(p, []string{""})
		case c == '*' && !quoted:
			*part = append(*part, "")
		default:
			(*part)[len(*part)-1] += text[i : i+1]
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if slices.ContainsFunc(p, func(part []string) bool { return len(part) == 1 && part[0] == "" }) {
		return nil, errors.New("a name in it is empty")
	}
	return p, nil
}

// All tells whether the filter lets everything through.
func (f Filter) All() bool {
	return len(f.schemas)+len(f.tables)+len(f.notSchemas)+len(f.notTables) == 0
}

// Outside tells whether what is in no schema is meant: large objects,
// extensions, publications, the database's own settings.
func (f Filter) Outside() bool { return len(f.schemas)+len(f.tables) == 0 }

// Has tells whether a relation is meant.
func (f Filter) Has(schema, name string) bool {
	return f.in(f.schemas, f.tables, true, schema, name) && !f.in(f.notSchemas, f.notTables, false, schema, name)
}

// HasSchema tells whether a schema is meant with all that is in it, functions
// and types too, but for the relations that Has leaves out.
func (f Filter) HasSchema(schema string) bool {
	return (f.Outside() || anyMatches(f.schemas, schema)) && !anyMatches(f.notSchemas, schema)
}

func (f Filter) in(schemas, tables []pattern, none bool, schema, name string) bool {
	if len(schemas)+len(tables) == 0 {
		return none
	}
	return anyMatches(schemas, schema) || anyMatches(tables, schema, name)
}

func anyMatches(list []pattern, path ...string) bool {
	return slices.ContainsFunc(list, func(p pattern) bool {
		for i, name := range path {
			if !like(p[i], name) {
				return false
			}
		}
		return true
	})
}

// like tells whether a name consists of the pieces with anything between them.
func like(pieces []string, name string) bool {
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(pieces) == 1 {
		return name == first
	}
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, piece := range pieces[1 : len(pieces)-1] {
		i := strings.Index(name, piece)
		if i < 0 {
			return false
		}
		name = name[i+len(piece):]
	}
	return true
}

// SQL is Has as a condition over two expressions: those of a relation's schema
// and name. It needs standard_conforming_strings, as Connect sets it.
func (f Filter) SQL(schema, name string) string {
	meant, not := conditions(f.schemas, f.tables, schema, name), conditions(f.notSchemas, f.notTables, schema, name)
	all := []string{"true"}
	if len(meant) > 0 {
		all = append(all, "("+strings.Join(meant, " or ")+")")
	}
	if len(not) > 0 {
		all = append(all, "not ("+strings.Join(not, " or ")+")")
	}
	return strings.Join(all, " and ")
}

// SchemaSQL is HasSchema as a condition over the expression of a schema's name.
func (f Filter) SchemaSQL(schema string) string {
	if len(f.schemas) == 0 && len(f.tables) > 0 {
		return "false"
	}
	return Filter{schemas: f.schemas, notSchemas: f.notSchemas}.SQL(schema, "")
}

func conditions(schemas, tables []pattern, schema, name string) (list []string) {
	for _, p := range schemas {
		list = append(list, likeSQL(schema, p[0]))
	}
	for _, p := range tables {
		list = append(list, "("+likeSQL(schema, p[0])+" and "+likeSQL(name, p[1])+")")
	}
	return list
}

// likeSQL is like as a condition.
func likeSQL(expression string, pieces []string) string {
	escaped := make([]string, len(pieces))
	for i, piece := range pieces {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(piece)
	}
	return expression + "::text like " + Literal(strings.Join(escaped, "%"))
}
