package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// An unlogged table that a crash of the target has emptied is filled again when
// everything else stands, its triggers too: they must not see these rows. Nor may
// the foreign keys of a superuser's copy, which come with the rows of other
// tables in any order; other users fill a table after those that it refers to.

// muted lists what puts a table's triggers to sleep, and what wakes them as
// they were.
func muted(ctx context.Context, conn *pgx.Conn, k chunk, super bool) (sleep, wake []string, err error) {
	table := Quote(k.Schema, k.Table)
	if super {
		sleep = append(sleep, "set local session_replication_role = replica")
	}
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
	sleep, wake, err := muted(ctx, l.target, k, c.target.super)
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

// addOrder lets tables that are filled again wait for those that they refer to
// by a foreign key that stands. Two that refer to each other do not wait.
func (g *graph) addOrder(entries []entry) {
	if g.c.target.super {
		return
	}
	ordered := map[[2]uint32]bool{}
	for _, e := range entries {
		k := g.facts.keys[address{e.Class, e.OID}]
		if !g.made[e.Key] || k.Table == k.Other || ordered[[2]uint32{k.Other, k.Table}] || ordered[[2]uint32{k.Table, k.Other}] {
			continue
		}
		ordered[[2]uint32{k.Table, k.Other}] = true
		for _, t := range g.tables[k.Table].rows {
			t.after(g.tables[k.Other].rows...)
		}
	}
}
