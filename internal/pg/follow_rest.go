package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"
)

// rest is what logical replication does not carry, and a switch must bring
// over while nobody writes: sequences, unlogged tables, large objects,
// materialized views.
type rest struct {
	Unlogged      []relationName
	UnloggedBytes int64
	Objects       int64
	ObjectBytes   int64
	// Views are the materialized views that hold rows, in an order in which
	// they can be refreshed.
	Views []relationName
}

// relationName is the name of a relation.
type relationName struct{ Schema, Name string }

func (r relationName) quoted() string { return Quote(r.Schema, r.Name) }

func quotedNames(list []relationName) (names []string) {
	for _, r := range list {
		names = append(names, r.quoted())
	}
	return names
}

const unloggedQuery = `
	select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'r' and c.relpersistence = 'u' and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_' order by c.oid`

// viewsQuery orders materialized views by how many others each rests on,
// straight or through views.
const viewsQuery = `
	with recursive edge as (
		select distinct r.ev_class as view, d.refobjid as uses from pg_catalog.pg_rewrite r
		join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_catalog.pg_class'::regclass
		join pg_catalog.pg_class u on u.oid = d.refobjid and u.relkind in ('v', 'm') where d.refobjid <> r.ev_class),
	below as (select view, uses from edge union select b.view, e.uses from below b join edge e on e.view = b.uses)
	select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'm' and c.relispopulated and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
	order by (select count(*) from below b where b.view = c.oid), c.oid`

// rest lists it for this end.
func (e *end) rest(ctx context.Context) (r rest, err error) {
	for _, list := range []struct {
		sql  string
		into *[]relationName
	}{{unloggedQuery, &r.Unlogged}, {viewsQuery, &r.Views}} {
		rows, err := e.conn.Query(ctx, list.sql)
		if err == nil {
			*list.into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[relationName])
		}
		if err != nil {
			return r, fmt.Errorf("list what is not followed of %s: %w", e.side, err)
		}
	}
	err = e.conn.QueryRow(ctx, `
		select (select coalesce(sum(pg_table_size(oid)), 0)::int8 from pg_catalog.pg_class where relkind = 'r' and relpersistence = 'u'),
			(select count(*) from pg_catalog.pg_largeobject_metadata), pg_relation_size('pg_catalog.pg_largeobject')`).
		Scan(&r.UnloggedBytes, &r.Objects, &r.ObjectBytes)
	if err != nil {
		return r, fmt.Errorf("measure what is not followed of %s: %w", e.side, err)
	}
	return r, nil
}

// warnings say what of it takes time at the switch, where refreshed are the
// views that the source has refreshed itself.
func (r rest) warnings(refreshed []relationName) (list []string) {
	if len(r.Unlogged) > 0 {
		list = append(list, fmt.Sprintf("%d unlogged tables (%s) are not replicated: they are copied again at the switch, while nobody can write", len(r.Unlogged), humanize.IBytes(uint64(r.UnloggedBytes))))
	}
	if r.Objects > 0 {
		list = append(list, fmt.Sprintf("%d large objects (%s) are not replicated: they are compared at the switch, while nobody can write, and those that changed copied again", r.Objects, humanize.IBytes(uint64(r.ObjectBytes))))
	}
	if len(refreshed) > 0 {
		list = append(list, fmt.Sprintf("%d materialized views were refreshed on the source since the copy, and are on the target at the switch, while nobody can write: %s", len(refreshed), some(quotedNames(refreshed))))
	}
	return list
}

// carried is how much of the rest was brought over, and which views were not.
type carried struct {
	Sequences, Objects, Unlogged, Views int
	Kept                                []relationName
}

// carry brings the rest over from one end to the other. Nobody may write to
// either. Views are refreshed but for those that the giving end has not
// refreshed since the old prints.
func carry(ctx context.Context, from, to *end, old map[string]string, note func(string)) (c carried, err error) {
	r, err := from.rest(ctx)
	if err != nil {
		return c, err
	}
	if c.Sequences, err = carrySequences(ctx, from, to, note); err != nil {
		return c, err
	}
	users, err := usersSettings(ctx, from.conn)
	if err != nil {
		return c, fmt.Errorf("%s: %w", from.side, err)
	}
	if c.Unlogged = len(r.Unlogged); c.Unlogged > 0 {
		note("copying unlogged tables again")
		if err := carryUnlogged(ctx, from, to, r.Unlogged, users); err != nil {
			return c, err
		}
	}
	if c.Objects, err = carryObjects(ctx, from, to, note); err != nil {
		return c, err
	}
	refreshed, kept, err := from.refreshedSince(ctx, r.Views, old)
	if err != nil {
		return c, err
	}
	for _, view := range refreshed {
		note("refreshing " + view.quoted())
		err := asUsers(ctx, to.conn, users, func() error { return run(ctx, to.conn, "refresh materialized view "+view.quoted()) })
		if err != nil {
			return c, fmt.Errorf("refresh materialized view %s on %s: %w", view.quoted(), to.side, err)
		}
	}
	c.Views, c.Kept = len(refreshed), kept
	return c, nil
}

func carrySequences(ctx context.Context, from, to *end, note func(string)) (n int, err error) {
	note("setting sequences")
	sequences, err := readSequences(ctx, from.conn)
	if err != nil {
		return 0, fmt.Errorf("read sequences of %s: %w", from.side, err)
	}
	if err := writeSequences(ctx, to.conn, sequences); err != nil {
		return 0, fmt.Errorf("set sequences of %s: %w", to.side, err)
	}
	return len(sequences), nil
}

// refillEmptied brings unlogged tables over again, with their sequences, that a
// crash of the receiving end has emptied since both were the same.
func refillEmptied(ctx context.Context, from, to *end, note func(string)) error {
	r, err := from.rest(ctx)
	if err != nil {
		return err
	}
	var emptied []relationName
	for _, t := range r.Unlogged {
		here, err := holdsRows(ctx, from.conn, t.quoted(), "")
		there := false
		if err == nil && here {
			there, err = holdsRows(ctx, to.conn, t.quoted(), "")
		}
		if err != nil {
			return fmt.Errorf("look at unlogged table %s: %w", t.quoted(), err)
		}
		if here && !there {
			emptied = append(emptied, t)
		}
	}
	if len(emptied) == 0 {
		return nil
	}
	note(fmt.Sprintf("filling unlogged tables again, which a crash of the %s has emptied: %s", to.side, some(quotedNames(emptied))))
	users, err := usersSettings(ctx, from.conn)
	if err != nil {
		return fmt.Errorf("%s: %w", from.side, err)
	}
	if err := carryUnlogged(ctx, from, to, emptied, users); err != nil {
		return err
	}
	_, err = carrySequences(ctx, from, to, note)
	return err
}

// carryUnlogged is fillUnlogged in the time zone of the users.
func carryUnlogged(ctx context.Context, from, to *end, tables []relationName, users map[string]string) error {
	zone := map[string]string{timeZone: users[timeZone]}
	return asUsers(ctx, to.conn, zone, func() error { return fillUnlogged(ctx, from, to, tables) })
}

// fillUnlogged empties and fills all tables in one transaction, so that a cut
// leaves what was there before.
func fillUnlogged(ctx context.Context, from, to *end, tables []relationName) error {
	return pgx.BeginFunc(ctx, to.conn, func(pgx.Tx) error {
		if to.super { // no trigger fires, no key is checked on the way
			if err := run(ctx, to.conn, "set local session_replication_role = replica"); err != nil {
				return fmt.Errorf("write %s: %w", to.side, err)
			}
		}
		for _, t := range slices.Backward(tables) {
			if err := run(ctx, to.conn, "delete from only "+t.quoted()); err != nil {
				return fmt.Errorf("empty unlogged table %s of %s: %w", t.quoted(), to.side, err)
			}
		}
		for _, t := range tables {
			if err := pipeTable(ctx, from.conn, to.conn, t); err != nil {
				return fmt.Errorf("copy unlogged table %s: %w", t.quoted(), err)
			}
		}
		return nil
	})
}

// errEndGone ends the reading side when the writing side has failed.
var errEndGone = errors.New("the other end has failed")

// pipeTable copies the rows of one table.
func pipeTable(ctx context.Context, from, to *pgx.Conn, t relationName) error {
	columns, err := texts(ctx, from, `
		select quote_ident(attname) from pg_catalog.pg_attribute a where attrelid = $1::text::regclass and attnum > 0 and not attisdropped
			and coalesce(to_jsonb(a)->>'attgenerated', '') = '' order by attnum`, t.quoted())
	if err != nil {
		return err
	}
	list := ""
	for i, c := range columns {
		if i > 0 {
			list += ", "
		}
		list += c
	}
	out, in := io.Pipe()
	read := make(chan error, 1)
	go func() {
		_, err := from.PgConn().CopyTo(ctx, in, "copy "+t.quoted()+parens(list)+" to stdout")
		in.CloseWithError(err)
		read <- err
	}()
	_, err = to.PgConn().CopyFrom(ctx, out, "copy "+t.quoted()+parens(list)+" from stdin")
	out.CloseWithError(errEndGone)
	if readErr := <-read; readErr != nil && !errors.Is(readErr, errEndGone) {
		return readErr
	}
	return err
}
