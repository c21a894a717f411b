package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// crashNotes names the unlogged tables that hold nothing on one side alone: a
// crash of that server empties them, and then they are no fault of a copy.
func (v *verifier) crashNotes(ctx context.Context, pairs []*pair) (notes []string, err error) {
	for side, r := range v.readings() {
		var names []string
		for _, p := range pairs {
			if p.class() != ClassRow || !p.both() || p.rowsOf(side) > 0 || p.rowsOf(1-side) == 0 {
				continue
			}
			names = append(names, p.any().name)
		}
		if len(names) == 0 || r.roach != nil {
			continue
		}
		note, err := r.emptiedBy(ctx, names)
		if err != nil {
			return nil, err
		}
		if note != "" {
			notes = append(notes, note)
		}
	}
	return notes, nil
}

// rowsOf is how many rows a side was seen to have.
func (p *pair) rowsOf(side int) int64 {
	if side == 0 {
		return p.tally.Rows
	}
	return p.tally.Rows - p.tally.Missing + p.tally.Extra
}

// emptiedBy says which of these tables a crash of the side's server may have
// emptied: its counters are as old as its last crash.
func (r *reading) emptiedBy(ctx context.Context, names []string) (string, error) {
	rows, err := r.conn.Query(ctx, `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relpersistence = 'u' and format('%I.%I', n.nspname, c.relname) = any ($1) order by 1`, names)
	var unlogged []string
	if err == nil {
		unlogged, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return "", fmt.Errorf("list unlogged tables of %s: %w", r.side, err)
	}
	var since *time.Time
	if err := r.conn.QueryRow(ctx, "select pg_catalog.pg_stat_get_bgwriter_stat_reset_time()").Scan(&since); err != nil {
		return "", fmt.Errorf("ask since when the server of %s counts: %w", r.side, err)
	}
	if len(unlogged) == 0 || since == nil {
		return "", nil
	}
	return fmt.Sprintf("unlogged tables are empty on the %s alone: %s; a crash of its server empties them, and its counters began anew at %s, as after a crash",
		r.side, some(unlogged), since.UTC().Format(time.DateTime+" UTC")), nil
}
