package pg

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// loadTarget is a table of the target under load.
type loadTarget struct {
	Schema, Name string
	// Columns are all, Generated those that the server computes, Numeric those
	// of them whose text depends on how they are computed; Key is the primary key.
	Columns, Generated, Numeric, Key []string
	Types                            []uint32 // of all columns, as OIDs
	lock                             uint32   // its OID
}

// typesOf are the OIDs of some columns' types, 0 for what is no column.
func (t *loadTarget) typesOf(columns []string) []uint32 {
	types := make([]uint32, len(columns))
	for i, c := range columns {
		if at := slices.Index(t.Columns, c); at >= 0 {
			types[i] = t.Types[at]
		}
	}
	return types
}

// loadTables reads the target's tables, or only one.
func loadTables(ctx context.Context, conn *pgx.Conn, one ...string) (map[[2]string]*loadTarget, error) {
	only := "where"
	if len(one) > 0 {
		only = "where c.oid = to_regclass($1) and"
		one = []string{Quote(one...)}
	}
	rows, err := conn.Query(ctx, `
		select c.oid, n.nspname, c.relname,
			array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
			array(select a.atttypid from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
			array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> ''),
			array(select a.attname::text from pg_catalog.pg_attribute a
				where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> '' and a.atttypid = 'numeric'::regtype),
			coalesce((select array_agg(a.attname::text order by p.place) from pg_catalog.pg_index i
				cross join lateral unnest(i.indkey::int2[]) with ordinality p(attnum, place)
				join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
				where i.indrelid = c.oid and i.indisprimary and p.place <= i.indnkeyatts), '{}')
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		`+only+` c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^(pg|evac)_'
			and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`, arguments(one)...)
	if err != nil {
		return nil, fmt.Errorf("list tables of target: %w", err)
	}
	tables := map[[2]string]*loadTarget{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t loadTarget, err error) {
		err = row.Scan(&t.lock, &t.Schema, &t.Name, &t.Columns, &t.Types, &t.Generated, &t.Numeric, &t.Key)
		tables[[2]string{t.Schema, t.Name}] = &t
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list tables of target: %w", err)
	}
	return tables, nil
}

func arguments(texts []string) (list []any) {
	for _, t := range texts {
		list = append(list, t)
	}
	return list
}

// Entries of the ledger.
const keysTaken = "keys taken off"

// makeBefore makes the tables and takes primary keys off that they have by then: an
// index is built faster from all rows than row by row.
func (l *loader) makeBefore(ctx context.Context) (err error) {
	var entries []entry
	for i, sql := range l.plan.Before {
		entries = append(entries, entry{Key: fmt.Sprintf("before %d", i), Type: "statement", Name: shorten(sql), SQL: sql})
	}
	if err := l.target.applyBatches(ctx, l.target.conn, entries); err != nil {
		return err
	}
	taken, err := done(ctx, l.target.conn, keysTaken)
	if err != nil {
		return err
	}
	if !taken {
		if err := l.takeKeys(ctx); err != nil {
			return fmt.Errorf("take primary keys off on target: %w", err)
		}
	}
	l.tables, err = loadTables(ctx, l.target.conn)
	return err
}

// keysTable of the ledger holds the primary keys that were taken off.
const keysTable = `
	create table evac_ledger.taken (schema_name text, table_name text, add_sql text not null, drop_sql text not null, primary key (schema_name, table_name));
	insert into evac_ledger.taken
	select n.nspname, c.relname,
		format('alter table %I.%I add constraint %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)),
		format('alter table %I.%I drop constraint %I', n.nspname, c.relname, k.conname)
	from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where k.contype = 'p' and c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname !~ '^(pg|evac)_'
		and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`

// takeKeys takes the primary keys off and enters how to put them back.
func (l *loader) takeKeys(ctx context.Context) error {
	return pgx.BeginFunc(ctx, l.target.conn, func(tx pgx.Tx) error {
		if err := run(ctx, l.target.conn, keysTable); err != nil {
			return err
		}
		drops, err := texts(ctx, tx, "select drop_sql from evac_ledger.taken")
		if err != nil {
			return err
		}
		if err := run(ctx, l.target.conn, strings.Join(drops, ";")); err != nil {
			return err
		}
		return markDone(ctx, tx, keysTaken)
	})
}

// later is what is made behind the rows.
type later struct {
	entry
	table [2]string // "" for what is of no one table
}

// plannedLater are the statements behind the rows: those of single tables, the
// foreign keys, and the rest in its order.
type plannedLater struct{ keys, indexes, foreign, rest []later }

var (
	indexOn = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX ` + anyName + ` ON (` + anyName + `)\.(` + anyName + `)[ (]`)
	alterOf = regexp.MustCompile(`^ALTER TABLE (` + anyName + `)\.(` + anyName + `) ADD CONSTRAINT ` + anyName + ` (PRIMARY KEY |FOREIGN KEY )?`)
)

// laterOf divides the statements.
func (l *loader) laterOf(ctx context.Context) (p plannedLater, err error) {
	rows, err := l.target.conn.Query(ctx, "select schema_name, table_name, add_sql from evac_ledger.taken order by 1, 2")
	if err != nil {
		return p, wrapLedger("read", err)
	}
	p.keys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k later, err error) {
		err = row.Scan(&k.table[0], &k.table[1], &k.SQL)
		k.Key, k.Type, k.Name = "key of "+Quote(k.table[:]...), "PRIMARY KEY", shorten(k.SQL)
		return k, err
	})
	if err != nil {
		return p, wrapLedger("read", err)
	}
	for i, sql := range l.plan.After {
		e := later{entry: entry{Key: fmt.Sprintf("after %d", i), Type: "statement", Name: shorten(strings.TrimSuffix(sql, ";")), SQL: sql}}
		into := &p.rest
		if m := indexOn.FindStringSubmatch(sql); m != nil {
			e.Type, e.table, into = "INDEX", [2]string{unquoted(m[1]), unquoted(m[2])}, &p.indexes
		} else if m := alterOf.FindStringSubmatch(sql); m != nil {
			e.Type, e.table, into = "CONSTRAINT", [2]string{unquoted(m[1]), unquoted(m[2])}, &p.indexes
			switch m[3] {
			case "PRIMARY KEY ":
				e.Type, into = "PRIMARY KEY", &p.keys
			case "FOREIGN KEY ":
				e.Type, into = "FOREIGN KEY", &p.foreign
			}
		}
		*into = append(*into, e)
	}
	return p, nil
}

// unquoted is a name without the quotes of SQL.
func unquoted(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// makeLater makes one statement. What the server refuses for what it says, or
// what the rows say, is left out by name: it decides nothing about the rows.
func (l *loader) makeLater(ctx context.Context, conn *pgx.Conn, e later) error {
	l.Progress.Note(e.Name)
	err := l.target.applyAlone(ctx, conn, e.entry)
	var server *pgconn.PgError
	if !errors.As(err, &server) || !aboutItself(server.Code) {
		return err
	}
	text := e.Name + ": " + server.Message
	if server.Detail != "" {
		text += " (" + server.Detail + ")"
	}
	if e.Type != "statement" {
		text = brokenMark + text
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := noteWarning(ctx, tx, text); err != nil {
			return err
		}
		return markDone(ctx, tx, e.Key)
	})
}

// aboutItself tells whether a SQLSTATE speaks of the statement or the rows, and
// not of the connection, a deadlock, a lack of space or of rights, or a server
// that is going down.
func aboutItself(code string) bool {
	switch code[:min(2, len(code))] {
	case "08", "25", "40", "53", "55", "57", "58", "XX":
		return false
	}
	return code != notPermitted
}
