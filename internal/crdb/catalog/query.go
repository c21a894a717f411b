package catalog

import (
	"encoding/hex"
	"strings"
)

// query turns the query of a view into PostgreSQL's dialect as far as words do:
// names without the database before them, types and texts in its form.
func (w *postgres) query(sql string) string {
	p := &parser{tokens: lex(w.namer.expr(sql))}
	var out strings.Builder
	for p.at < len(p.tokens) {
		t := p.tokens[p.at]
		p.at++
		switch {
		case t.is(":::"), t.is("::"):
			start := p.at
			typ, err := p.typ()
			if name := w.typeOfSQL(typ); err == nil && name != "" {
				out.WriteString("::" + name)
				continue
			}
			p.at = start
			out.WriteString("::")
		case t.kind == text:
			out.WriteString(literal(t.val))
		case t.kind == blob:
			out.WriteString(`'\x` + hex.EncodeToString([]byte(t.val)) + `'::bytea`)
		case w.isDatabase(t) && p.threeParts():
			p.accept(".")
		default:
			out.WriteString(t.raw)
		}
	}
	return out.String()
}

func (w *postgres) isDatabase(t token) bool {
	n, ok := t.name()
	return ok && n == w.Database
}

// threeParts says that the name just taken is the first of three.
func (p *parser) threeParts() bool {
	start := p.at
	defer func() { p.at = start }()
	for range 2 {
		if !p.accept(".") {
			return false
		}
		if _, err := p.identifier(); err != nil {
			return false
		}
	}
	return true
}

// sequenceNamed is the sequence that a text names, as PostgreSQL's regclass takes
// it: its schema before its name.
func (w *postgres) sequenceNamed(called string, t *Table) (string, bool) {
	path, err := (&parser{tokens: lex(called)}).path()
	if err != nil {
		return "", false
	}
	schema := "public"
	if len(path) > 1 {
		schema = path[len(path)-2]
	}
	for _, o := range w.catalog.Tables {
		if o.Sequence == nil || o.Tenant != w.Tenant || o.DatabaseID != w.database || o.Name != path[len(path)-1] || !written(o) {
			continue
		}
		if o.Schema == schema || len(path) == 1 && t != nil && o.Schema == t.Schema {
			return name(o), true
		}
	}
	return "", false
}
