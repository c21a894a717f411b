package pg

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// LoadPlan is what a folder of salvaged tables holds of one database: its
// schema and the files with its rows.
type LoadPlan struct {
	Dir, Database string
	// Before and After are the schema's statements: what must stand before the
	// rows come, and what is made behind them.
	Before, After []string
	Tables        []LoadTable
	// Null is the unquoted text that stands for NULL in the files.
	Null string
	// Origin, where it is given, tells folders apart whose files are still to come.
	Origin string
}

// LoadTable is one table's files, in the order of their rows.
type LoadTable struct {
	Database, Schema, Name string
	Parts                  []LoadPart
	// Columns are those of the files' header line.
	Columns []string
}

// LoadPart is one file; Path is relative to the plan's folder. Bytes of one that is
// still to come may be a guess.
type LoadPart struct {
	Path  string
	Bytes int64
}

// String is the table's name as SQL writes it.
func (t LoadTable) String() string { return Quote(t.Schema, t.Name) }

// Bytes is what all files have together.
func (p LoadPlan) Bytes() (n int64) {
	for _, t := range p.Tables {
		for _, part := range t.Parts {
			n += part.Bytes
		}
	}
	return n
}

// table finds a table; one of which there are no files has none.
func (p LoadPlan) table(at [2]string) LoadTable {
	for _, t := range p.Tables {
		if t.Schema == at[0] && t.Name == at[1] {
			return t
		}
	}
	return LoadTable{Schema: at[0], Name: at[1]}
}

// fingerprint tells folders apart that do not hold the same: by their schema
// and by the names and sizes of their files.
func (p LoadPlan) fingerprint() string {
	h := sha256.New()
	write := func(text string) { fmt.Fprintf(h, "%d:%s", len(text), text) } // a hash takes all
	if p.Origin != "" {
		write(p.Origin)
	}
	for _, sql := range slices.Concat(p.Before, []string{""}, p.After) {
		write(sql)
	}
	for _, t := range p.Tables {
		for _, part := range t.Parts {
			write(fmt.Sprintf("%s %d %q", part.Path, part.Bytes, t.Columns))
		}
	}
	return "load " + hex.EncodeToString(h.Sum(nil)[:16])
}

// ReadLoadPlan reads what a salvage has left in a folder:
// data/DATABASE/SCHEMA.TABLE/part-NNNNN.csv, names percent-encoded, and
// schema.sql. database may be empty if there is only one.
func ReadLoadPlan(dir, database, null string) (plan LoadPlan, err error) {
	folders, err := subfolders(filepath.Join(dir, "data"))
	if err != nil {
		return plan, fmt.Errorf("list the databases of %q: %w", dir, err)
	}
	var names []string
	for _, f := range folders {
		names = append(names, f.name)
	}
	if plan, err = readSchemaOf(dir, database, names); err != nil {
		return plan, err
	}
	plan.Null = null
	for _, f := range folders {
		if f.name == plan.Database {
			plan.Tables, err = readTables(dir, filepath.Join("data", f.path), null)
		}
	}
	return plan, err
}

// PlanLoad is ReadLoadPlan for a folder whose schema stands and whose files are
// still to come.
func PlanLoad(dir, database, null, origin string, tables []LoadTable) (plan LoadPlan, err error) {
	var names []string
	for _, t := range tables {
		if !slices.Contains(names, t.Database) {
			names = append(names, t.Database)
		}
	}
	if plan, err = readSchemaOf(dir, database, names); err != nil {
		return plan, err
	}
	plan.Null, plan.Origin = null, origin
	for _, t := range tables {
		if t.Database == plan.Database {
			plan.Tables = append(plan.Tables, t)
		}
	}
	return plan, nil
}

// readSchemaOf reads the schema of one database; others are those with files.
func readSchemaOf(dir, database string, others []string) (plan LoadPlan, err error) {
	script, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		return plan, fault.Wrap(fault.Failed, fmt.Sprintf("read the schema of %q", dir), err, "give the folder that evac cockroach salvage has written")
	}
	sections, err := splitSchema(string(script))
	if err != nil {
		return plan, fmt.Errorf("read the schema of %q: %w", dir, err)
	}
	if database, err = oneDatabaseOf(database, sections, others); err != nil {
		return plan, err
	}
	section := sections[database]
	if section == nil {
		section = sections[""]
	}
	if section == nil {
		return plan, fault.New(fault.Failed, fmt.Sprintf("the schema of %q has no database %q", dir, database), "")
	}
	return LoadPlan{Dir: dir, Database: database, Before: section.before, After: section.after}, nil
}

// oneDatabaseOf chooses the database.
func oneDatabaseOf(wanted string, sections map[string]*schemaSection, names []string) (string, error) {
	for name := range sections {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case wanted == "" && len(names) == 1:
		return names[0], nil
	case len(names) == 0:
		return "", fault.New(fault.Failed, "there is no database in the folder", "give the folder that evac cockroach salvage has written")
	case !slices.Contains(names, wanted):
		return "", fault.New(fault.Invalid, fmt.Sprintf("say which database to load: the folder has %q", names), "add --database NAME")
	}
	return wanted, nil
}

// folder is one with a percent-encoded name.
type folder struct{ path, name string }

// subfolders lists folders by name; none if there is no such place.
func subfolders(dir string) ([]folder, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []folder
	for _, e := range list {
		if !e.IsDir() {
			continue
		}
		name, err := url.PathUnescape(e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, folder{e.Name(), name})
	}
	return out, err
}

func readTables(dir, under, null string) ([]LoadTable, error) {
	list, err := os.ReadDir(filepath.Join(dir, under))
	if err != nil {
		return nil, err
	}
	var tables []LoadTable
	for _, e := range list {
		if !e.IsDir() || strings.Contains(e.Name(), "@") { // what is left of a dropped table
			continue
		}
		t, err := readTable(dir, filepath.Join(under, e.Name()), null)
		if err != nil {
			return nil, fmt.Errorf("read table %q: %w", e.Name(), err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func readTable(dir, under, null string) (t LoadTable, err error) {
	schema, name, ok := strings.Cut(filepath.Base(under), ".")
	if !ok {
		return t, errors.New("the folder is not called SCHEMA.TABLE")
	}
	t.Schema, err = url.PathUnescape(schema)
	if err != nil {
		return t, err
	}
	if t.Name, err = url.PathUnescape(name); err != nil {
		return t, err
	}
	paths, err := filepath.Glob(filepath.Join(globEscape(filepath.Join(dir, under)), "part-*"))
	if err != nil {
		return t, err
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, path := range paths {
		if filepath.Ext(path) != ".csv" {
			return t, fault.New(fault.Invalid, fmt.Sprintf("%q is not CSV", path), "salvage with --format csv what is to be loaded")
		}
		if err := t.addPart(dir, path, null); err != nil {
			return t, err
		}
	}
	return t, nil
}

// globEscape hides what means something in a pattern.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// addPart takes a file in; all of a table have the same header line.
func (t *LoadTable) addPart(dir, path, null string) error {
	rows, err := openCSV(path, null)
	if err != nil {
		return err
	}
	info, err := rows.file.Stat()
	if err := errors.Join(err, rows.close()); err != nil {
		return err
	}
	if len(t.Parts) > 0 && !slices.Equal(rows.header, t.Columns) {
		return fmt.Errorf("the columns of %q are %q, those of the file before %q", filepath.Base(path), rows.header, t.Columns)
	}
	short, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	t.Columns, t.Parts = rows.header, append(t.Parts, LoadPart{short, info.Size()})
	return nil
}

// schemaSection is one database's part of schema.sql.
type schemaSection struct{ before, after []string }

// The lines by which schema.sql is divided.
const (
	databaseMark = "-- database "
	beforeMark   = "-- before the rows"
	afterMark    = "-- after the rows"
)

// splitSchema cuts schema.sql into statements, by database; what stands outside
// of the marks only serves psql.
func splitSchema(script string) (map[string]*schemaSection, error) {
	sections := map[string]*schemaSection{}
	name := ""
	var into *[]string
	var quote quoteState
	var body bytes.Buffer
	for line := range strings.Lines(script) {
		bare := strings.TrimRight(line, "\r\n")
		if body.Len() == 0 && quote.outside() {
			switch {
			case strings.HasPrefix(bare, databaseMark):
				name, into = strings.TrimPrefix(bare, databaseMark), nil
				continue
			case bare == beforeMark:
				sections[name] = &schemaSection{}
				into = &sections[name].before
				continue
			case bare == afterMark && sections[name] != nil:
				into = &sections[name].after
				continue
			case bare == "", strings.HasPrefix(bare, "--"), strings.HasPrefix(bare, `\`):
				continue
			}
		}
		body.WriteString(line)
		quote.scan(line)
		if quote.outside() && strings.HasSuffix(strings.TrimRight(bare, " \t"), ";") {
			if into != nil {
				*into = append(*into, strings.TrimSpace(body.String()))
			}
			body.Reset()
		}
	}
	if body.Len() > 0 {
		return nil, fmt.Errorf("its last statement does not end: %s", shorten(body.String()))
	}
	return sections, nil
}
