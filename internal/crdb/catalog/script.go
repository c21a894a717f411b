package catalog

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Script is the SQL that makes one database's schema anew: what must be there
// before its rows, and what is better made behind them.
type Script struct {
	Tenant   uint64
	Database string
	Before   []Statement // schemas, types, sequences, tables with their primary keys
	After    []Statement // indexes, constraints, foreign keys, views, comments
	Notes    []string    // what could not be had as it was, one sentence each
	computed map[*Column]bool
}

// title is the database's name; of another tenant than the system's with "@" and
// its number behind, since each may have databases of the same names.
func (s *Script) title() string {
	if s.Tenant > 1 {
		return fmt.Sprintf("%s@%d", s.Database, s.Tenant)
	}
	return s.Database
}

// Loaded are the columns of a table that its rows are loaded into: those which
// are stored and which the database does not compute by itself. A view has none.
func (s *Script) Loaded(t *Table) []*Column {
	if t.Sequence != nil || t.View != "" {
		return nil
	}
	var out []*Column
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Virtual && !s.computed[c] {
			out = append(out, c)
		}
	}
	return out
}

// computes notes that the database computes a column by itself.
func (s *Script) computes(c *Column) {
	if s.computed == nil {
		s.computed = map[*Column]bool{}
	}
	s.computed[c] = true
}

// Statement is one statement of a script.
type Statement struct {
	SQL      string // without a semicolon behind it; empty if there is nothing but a note
	What     string // "schema", "type", "sequence", "table", "index", "constraint", "foreign key", "view", "comment" …
	Table    *Table // the table it is about, nil if it is about none
	Optional bool   // it may be refused, and every row is there all the same: a view in another dialect
	Note     string // what is different from the original; a comment line before the statement
	ID       uint32 // of the descriptor of what it makes, 0 if it does not matter; a comment as ParseSchema reads it
}

// before and after append a statement.
func (s *Script) before(st Statement) { s.Before = s.add(s.Before, st) }
func (s *Script) after(st Statement)  { s.After = s.add(s.After, st) }

func (s *Script) add(list []Statement, st Statement) []Statement {
	if st.Note != "" {
		s.Notes = append(s.Notes, st.Note)
	}
	return append(list, st)
}

// note says what is left out without a statement in its place.
func (s *Script) note(format string, args ...any) {
	s.after(Statement{What: "note", Note: fmt.Sprintf(format, args...)})
}

// The lines that part what is made before the rows from what is made behind them.
const (
	BeforeMark = "-- before the rows"
	AfterMark  = "-- after the rows"
)

// write writes the statements, each with its note as a comment before it.
func (s *Script) write(w *bufio.Writer) {
	parts := []struct {
		mark string
		list []Statement
	}{{BeforeMark, s.Before}, {AfterMark, s.After}}
	for _, part := range parts {
		fmt.Fprintf(w, "%s\n\n", part.mark)
		for _, st := range part.list {
			if st.Note != "" {
				fmt.Fprintf(w, "-- %s\n", oneLine(st.Note))
			}
			if st.ID != 0 {
				fmt.Fprintf(w, "-- id %d\n", st.ID)
			}
			if st.SQL != "" {
				fmt.Fprintf(w, "%s;\n", st.SQL)
			}
			fmt.Fprintln(w)
		}
	}
}

// oneLine is a text that a comment of one line can hold.
func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }

// databasesToWrite are the databases that are the users' and not empty, in order.
func (c *Catalog) databasesToWrite() []object {
	var out []object
	seen := map[object]bool{}
	for _, t := range c.Tables {
		o := object{t.Tenant, t.DatabaseID}
		if written(t) && !seen[o] {
			seen[o] = true
			out = append(out, o)
		}
	}
	return out
}

// written says that a schema has the table: it is not one of the database's own,
// and users see it or want it back.
func written(t *Table) bool {
	return !t.System() && !t.Temporary && (t.Gone != nil || t.Live())
}

// writeAll writes the scripts of several databases.
func writeAll(w io.Writer, scripts []*Script, head func(*Script) string) error {
	out := bufio.NewWriter(w)
	for _, s := range scripts {
		fmt.Fprint(out, head(s))
		s.write(out)
	}
	return out.Flush()
}
