package pg

import (
	"context"
	"fmt"
	"strings"
)

// dumpOptions let pg_dump leave out what is not meant. Where tables are named,
// pg_dump looks at no schema, so a schema beside them means its relations.
func (f Filter) dumpOptions() []string {
	var args []string
	for _, p := range f.schemas {
		if len(f.tables) > 0 {
			args = append(args, "--table="+dumpPattern(pattern{p[0], {"", ""}}))
		} else {
			args = append(args, "--schema="+dumpPattern(p))
		}
	}
	for _, p := range f.tables {
		args = append(args, "--table="+dumpPattern(p))
	}
	for _, p := range f.notSchemas {
		if len(f.tables) > 0 {
			args = append(args, "--exclude-table="+dumpPattern(pattern{p[0], {"", ""}}))
		} else {
			args = append(args, "--exclude-schema="+dumpPattern(p))
		}
	}
	for _, p := range f.notTables {
		args = append(args, "--exclude-table="+dumpPattern(p))
	}
	return args
}

// dumpPattern writes a pattern as pg_dump takes it: what is quoted stands for
// itself, a star outside of quotes for anything (psql's documentation,
// "Patterns").
func dumpPattern(p pattern) string {
	parts := make([]string, len(p))
	for i, pieces := range p {
		quoted := make([]string, len(pieces))
		for j, piece := range pieces {
			if piece != "" {
				quoted[j] = `"` + strings.ReplaceAll(piece, `"`, `""`) + `"`
			}
		}
		parts[i] = strings.Join(quoted, "*")
	}
	return strings.Join(parts, ".")
}

// schemasOfTables makes the schemas of the tables that are meant, for pg_dump
// leaves them out where tables are named.
func (c *copier) schemasOfTables(ctx context.Context) ([]entry, error) {
	if len(c.filter.tables) == 0 {
		return nil, nil
	}
	statements, err := texts(ctx, c.source.conn, `
		select distinct format('create schema if not exists %I; alter schema %I owner to %I', n.nspname, n.nspname, pg_get_userbyid(n.nspowner))
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and n.nspname not in ('public', 'information_schema') and n.nspname !~ '^pg_'
			and `+c.filter.SQL("n.nspname", "c.relname")+` order by 1`)
	if err != nil {
		return nil, fmt.Errorf("list schemas of source: %w", err)
	}
	entries := make([]entry, len(statements))
	for i, sql := range statements {
		entries[i] = entry{Key: sql, Type: "SCHEMA", Name: "of the tables", SQL: sql + ";"}
	}
	return entries, nil
}
