package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// An unlogged table that a crash of the target has emptied is filled again when
// everything else stands. Its triggers must not see these rows, and its foreign
// keys are made anew: its rows and those that they refer to come in any order.

// muted lists what puts a table's triggers to sleep, and what wakes them as
// they were.
func muted(ctx context.Context, conn *pgx.Conn, k chunk) (sleep, wake []string, err error) {
	table := Quote(k.Schema, k.Table)
	rows, err := conn.Query(ctx, `
		select tgname, case tgenabled when 'A' then 'always ' when 'R' then 'replica ' else '' end
		from pg_catalog.pg_trigger where tgrelid = $1::text::regclass and not tgisinternal and tgenabled <> 'D'`, table)
	if err != nil {
		return nil, nil, err
	}
	var name, how string
	_, err = pgx.ForEachRow(rows, []any{&name, &how}, func() error {
		sleep = append(sleep, fmt.Sprintf("alter table %s disable trigger %s", table, Quote(name)))
		wake = append(wake, fmt.Sprintf("alter table %s enable %strigger %s", table, how, Quote(name)))
		return nil
	})
	return sleep, wake, err
}

// streamMuted is stream for a table whose triggers may stand.
func (c *copier) streamMuted(ctx context.Context, l *lane, k chunk, moved func(int64)) (sum amount, err error) {
	sleep, wake, err := muted(ctx, l.target, k)
	if err == nil {
		err = runEach(ctx, l.target, sleep)
	}
	if err != nil {
		return sum, fmt.Errorf("write target: %w", err)
	}
	if sum, err = c.stream(ctx, l, k, moved); err != nil {
		return sum, err
	}
	if err := runEach(ctx, l.target, wake); err != nil {
		return sum, fmt.Errorf("write target: %w", err)
	}
	return sum, nil
}

func runEach(ctx context.Context, conn *pgx.Conn, statements []string) error {
	for _, sql := range statements {
		if err := run(ctx, conn, sql); err != nil {
			return err
		}
	}
	return nil
}

// unbind drops the foreign keys that stand between tables of which some are
// filled again, and takes them out of the ledger.
func (g *graph) unbind(ctx context.Context, open []chunk, p afterPlan) error {
	again := map[uint32]bool{}
	for _, k := range open {
		if k.What == chunkUnlogged {
			again[g.facts.tables[g.facts.names[[2]string{k.Schema, k.Table}]].Root] = true
		}
	}
	var dropped []entry
	for _, e := range p.Foreign {
		k := g.facts.keys[address{e.Class, e.OID}]
		if g.made[e.Key] && slices.ContainsFunc(g.roots(k.Table, k.Other), func(root uint32) bool { return again[root] }) {
			dropped = append(dropped, e)
		}
	}
	if len(dropped) == 0 {
		return nil
	}
	statements, err := dropForeign(ctx, g.c.source.conn, dropped)
	if err != nil {
		return err
	}
	for _, e := range p.Rest { // a comment goes with its key; it does no harm to say the others again
		if e.Type == "COMMENT" && strings.HasPrefix(e.Name, "CONSTRAINT ") {
			dropped = append(dropped, e)
		}
	}
	err = pgx.BeginFunc(ctx, g.c.target.conn, func(tx pgx.Tx) error {
		if err := runEach(ctx, g.c.target.conn, statements); err != nil {
			return err
		}
		return unmark(ctx, tx, keysOf(dropped)...)
	})
	if err != nil {
		return fmt.Errorf("drop foreign keys of unlogged tables on target: %w", err)
	}
	for _, e := range dropped {
		delete(g.made, e.Key)
	}
	return nil
}

// dropForeign writes what drops these foreign keys.
func dropForeign(ctx context.Context, source *pgx.Conn, keys []entry) ([]string, error) {
	oids := make([]uint32, len(keys))
	for i, e := range keys {
		oids[i] = e.OID
	}
	statements, err := texts(ctx, source, `
		select format('alter table %I.%I drop constraint if exists %I', n.nspname, c.relname, o.conname)
		from pg_catalog.pg_constraint o join pg_catalog.pg_class c on c.oid = o.conrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where o.oid = any($1::oid[])`, oids)
	if err != nil {
		return nil, fmt.Errorf("list foreign keys of source: %w", err)
	}
	return statements, nil
}

// reopenEmptied lets unlogged tables be copied anew that a crash of the source
// has emptied since they were copied: the target is to hold what users see.
func (c *copier) reopenEmptied(ctx context.Context) error {
	head, err := openLedger(ctx, c.target.conn, c.Token)
	if err != nil {
		return err
	}
	if lost, err := countersLost(ctx, c.source.conn, head.Mark); err != nil || !lost {
		return err
	}
	copied, err := texts(ctx, c.target.conn, `
		select distinct format('%I.%I', schema_name, table_name) from evac_ledger.chunk c where what = 'unlogged' and rows > 0 and `+chunkIsDone+` order by 1`)
	if err != nil {
		return wrapLedger("read", err)
	}
	var emptied []string
	for _, table := range copied {
		holds, err := holdsRows(ctx, c.source.conn, table, "")
		if err != nil {
			return fmt.Errorf("look at unlogged table %s of source: %w", table, err)
		}
		if !holds {
			emptied = append(emptied, table)
		}
	}
	if len(emptied) == 0 {
		return nil
	}
	return pgx.BeginFunc(ctx, c.target.conn, func(tx pgx.Tx) error {
		if err := run(ctx, c.target.conn, "truncate only "+strings.Join(emptied, ", only ")); err != nil {
			return fmt.Errorf("empty unlogged tables on target: %w", err)
		}
		_, err := tx.Exec(ctx, "update evac_ledger.chunk set rows = null, bytes = null where what = 'unlogged' and format('%I.%I', schema_name, table_name) = any ($1)", emptied)
		if err == nil {
			_, err = tx.Exec(ctx, "delete from evac_ledger.unlogged u using evac_ledger.chunk c where c.id = u.id and c.rows is null")
		}
		if err != nil {
			return wrapLedger("write", err)
		}
		return noteWarning(ctx, tx, "a crash of the source has emptied its unlogged tables while they were copied, and they are empty on the target too: "+some(emptied))
	})
}
