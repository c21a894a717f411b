package pg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// schemaPrint is what the catalogs of a database said at one moment, small
// enough for a journal: replication carries rows and no changes of the schema,
// so these must be found out.
type schemaPrint struct {
	// Xmin is the oldest transaction that was under way.
	Xmin int64 `json:"xmin"`
	// Columns sums up which transaction wrote each column of each table.
	Columns string `json:"columns"`
	// Files sums up the tables' files on servers before 11, which do not
	// replicate TRUNCATE: that gives a table a new one.
	Files string `json:"files,omitempty"`
	// Classes has a digest for each class of objects: "table", "index" …
	Classes map[string]string `json:"classes"`
	// Views are the materialized views as refreshPrints reads them.
	Views map[string]string `json:"views,omitempty"`
}

// tableColumns are the columns of the users' tables with the transaction that
// wrote them last: what alters a table writes them, and neither ANALYZE nor
// TRUNCATE nor VACUUM does.
const tableColumns = `
	from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where c.relkind in ('r', 'p') and c.relpersistence = 'p' and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_'`

// looseClasses change without harm to the rows and may differ between the
// sides from the start: what differs there is only warned of.
var looseClasses = map[string]bool{"rights": true, "default rights": true, "comment": true, "setting": true, "publication": true}

// takePrint reads the catalogs as the session's transaction sees them.
func takePrint(ctx context.Context, conn *pgx.Conn) (p schemaPrint, err error) {
	err = conn.QueryRow(ctx, `select txid_snapshot_xmin(txid_current_snapshot()),
		(select concat_ws(' ', count(*), sum(a.attrelid::int8 * (a.xmin::text::numeric + a.attnum))) `+tableColumns+`)`).Scan(&p.Xmin, &p.Columns)
	if err != nil {
		return p, fmt.Errorf("read columns: %w", err)
	}
	version, err := Version(ctx, conn)
	if err == nil && version < firstTruncate {
		err = conn.QueryRow(ctx, "select concat_ws(' ', count(*), sum(c.oid::int8 * c.relfilenode::int8::numeric))"+tableFiles).Scan(&p.Files)
	}
	if err != nil {
		return p, fmt.Errorf("read files of tables: %w", err)
	}
	if p.Classes, err = digestClasses(ctx, conn, version); err != nil {
		return p, err
	}
	p.Views, err = refreshPrints(ctx, conn)
	return p, err
}

const tableFiles = `
	from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_'`

func digestClasses(ctx context.Context, conn *pgx.Conn, version int) (map[string]string, error) {
	objects, err := readCatalog(ctx, conn, version, version)
	if err != nil {
		return nil, err
	}
	digests := map[string]string{}
	for class, list := range objects {
		sum := sha256.New()
		for _, o := range slices.Sorted(maps.Keys(list)) {
			fmt.Fprintf(sum, "%q %q\n", o, list[o])
		}
		digests[class] = hex.EncodeToString(sum.Sum(nil)[:6])
	}
	return digests, nil
}

// readCatalog gives the definitions of all objects, by class and identity, as
// they can be compared with those of a server of another version. Large objects
// are data.
func readCatalog(ctx context.Context, conn *pgx.Conn, version, other int) (map[string]map[string]string, error) {
	sql := catalogSQL(conn, version, min(version, other), majorOf(version) == majorOf(other), Filter{})
	rows, err := conn.Query(ctx, "select class, identity, definition from ("+sql+") o where identity !~ '^large object ' order by 1, 2, 3")
	if err != nil {
		return nil, fmt.Errorf("read catalogs: %w", err)
	}
	objects := map[string]map[string]string{}
	var class, identity string
	var definition *string
	_, err = pgx.ForEachRow(rows, []any{&class, &identity, &definition}, func() error {
		if objects[class] == nil {
			objects[class] = map[string]string{}
		}
		objects[class][identity] += valueOr(definition)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read catalogs: %w", err)
	}
	return objects, nil
}

// valueOr is the text, "" for null.
func valueOr(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// schemaChange is what happened to the publisher's schema since a print.
type schemaChange struct {
	// Refused are objects that are not the same on both sides any more.
	Refused []string
	// Warnings name what may matter.
	Warnings []string
	// Altered are tables, as SQL writes them, whose values may have changed
	// without a trace in the stream.
	Altered []string
}

// changedSince finds out what was changed in the publisher's schema since the
// print. What was changed in the same way on the subscriber is no difference.
func (s *replication) changedSince(ctx context.Context, old schemaPrint) (c schemaChange, err error) {
	now, err := takePrint(ctx, s.publisher.conn)
	if err != nil {
		return c, fmt.Errorf("%s: %w", s.publisher.side, err)
	}
	unpublished, err := s.unpublished(ctx)
	if err != nil {
		return c, err
	}
	for _, name := range unpublished {
		c.Refused = append(c.Refused, fmt.Sprintf("table %q is new and its rows are not followed", name))
	}
	var classes []string
	for class := range now.Classes {
		if now.Classes[class] != old.Classes[class] {
			classes = append(classes, class)
		}
	}
	for class := range old.Classes {
		if now.Classes[class] == "" {
			classes = append(classes, class)
		}
	}
	if len(classes) > 0 {
		if err := s.compareClasses(ctx, classes, &c); err != nil {
			return c, err
		}
	}
	if now.Files != old.Files {
		names, err := s.writtenSince(ctx, "c", tableFiles, old.Xmin)
		if err != nil {
			return c, err
		}
		c.Refused = append(c.Refused, "truncated or rewritten (which PostgreSQL 10 does not replicate): "+some(names))
	}
	if now.Columns != old.Columns {
		return c, s.altered(ctx, old, &c)
	}
	return c, nil
}

// writtenSince names the tables whose entries in a catalog were written by a
// transaction since the oldest one of a print.
func (s *replication) writtenSince(ctx context.Context, entry, from string, xmin int64) ([]string, error) {
	names, err := texts(ctx, s.publisher.conn, "select distinct format('%I.%I', n.nspname, c.relname)"+from+
		" and age("+entry+".xmin) between 0 and age(mod($1, 4294967296)::text::xid) order by 1", xmin)
	if err != nil {
		return nil, fmt.Errorf("list changed tables of %s: %w", s.publisher.side, err)
	}
	return names, nil
}

// compareClasses says which objects of the classes differ between the sides.
func (s *replication) compareClasses(ctx context.Context, classes []string, c *schemaChange) error {
	here, err := readCatalog(ctx, s.publisher.conn, s.publisher.version, s.subscriber.version)
	if err != nil {
		return fmt.Errorf("%s: %w", s.publisher.side, err)
	}
	there, err := readCatalog(ctx, s.subscriber.conn, s.subscriber.version, s.publisher.version)
	if err != nil {
		return fmt.Errorf("%s: %w", s.subscriber.side, err)
	}
	slices.Sort(classes)
	for _, class := range classes {
		for _, text := range differences(class, here[class], there[class], s.publisher.side, s.subscriber.side) {
			if looseClasses[class] {
				c.Warnings = append(c.Warnings, text)
			} else {
				c.Refused = append(c.Refused, text)
			}
		}
	}
	return nil
}

func differences(class string, here, there map[string]string, from, to Side) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(here)) {
		definition, has := there[name]
		switch {
		case !has:
			list = append(list, fmt.Sprintf("%s %s is on the %s only", class, name, from))
		case definition != here[name]:
			list = append(list, fmt.Sprintf("%s %s is not the same on both sides", class, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if _, has := here[name]; !has {
			list = append(list, fmt.Sprintf("%s %s is on the %s only", class, name, to))
		}
	}
	return list
}

// altered finds tables whose columns were written since the print: a change of
// type may have changed values without a trace in the stream.
func (s *replication) altered(ctx context.Context, old schemaPrint, c *schemaChange) error {
	names, err := s.writtenSince(ctx, "a", tableColumns, old.Xmin)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		c.Altered = names
		c.Warnings = append(c.Warnings, fmt.Sprintf("tables were altered on the %s while it was followed: %s; their rows are compared while nobody can write", s.publisher.side, some(names)))
	}
	return nil
}

// compareAltered wants the rows of altered tables to be the same on both sides,
// while nobody writes to either.
func (s *replication) compareAltered(ctx context.Context, c schemaChange, jobs int) error {
	if len(c.Altered) == 0 {
		return nil
	}
	result, err := Verify(ctx, s.publisher.dsn, s.subscriber.dsn, VerifyOptions{
		Jobs: max(jobs, 1), Memory: alteredMemory, Select: Selection{Tables: c.Altered}, Only: OnlyRows,
		Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {},
	})
	if err != nil {
		return fmt.Errorf("compare the tables that were altered: %w", err)
	}
	var names []string
	for _, t := range result.Tables {
		if t.Class == ClassRow && !t.Equal() { // sequences are set later
			names = append(names, t.Table)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fault.New(fault.Different, fmt.Sprintf("tables were altered on the %s while it was followed, which changed values that are not on the %s: %s", s.publisher.side, s.subscriber.side, some(names)),
		fmt.Sprintf("make the same change of values on the %s (begin with: set default_transaction_read_only = off), then go on; postgres_verify names every row", s.subscriber.side))
}

// alteredMemory is for naming rows, of which only the count is wanted.
const alteredMemory = 32 << 20

// refusal is the error of a change that replication did not carry, nil if
// there is none.
func (c schemaChange) refusal(from, to Side) error {
	if len(c.Refused) == 0 {
		return nil
	}
	return fault.New(fault.Failed, fmt.Sprintf("the schema of the %s was changed while it was followed, which replication does not carry: %s", from, some(c.Refused)),
		fmt.Sprintf("make the same change on the %s, then go on; for a new table undo and follow again", to))
}
