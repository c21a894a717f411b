package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// A crash of the target empties its unlogged tables also when the copy is
// complete and its ledger gone. Until the step has ended nobody was let in, and
// they are filled again.

// refill fills the unlogged tables that a crash of the target has emptied since
// the copy was complete, if the source is still what was copied. It tells
// whether there was anything to fill.
func refill(ctx context.Context, o CopyOptions) (filled bool, err error) {
	empty, err := emptied(ctx, o)
	if err != nil || len(empty) == 0 {
		return false, err
	}
	c := &copier{CopyOptions: o, pace: pacer{rate: o.MaxRate}}
	defer func() { err = errors.Join(err, c.close(ctx)) }()
	chunks, err := c.openRefill(ctx, empty)
	if err != nil || len(chunks) == 0 {
		return false, err
	}
	same, why, err := c.source.unwrittenSince(ctx, o.State.Finished.Mark)
	if err != nil {
		return false, fmt.Errorf("fill unlogged tables again: %w", err)
	}
	if !same {
		return false, fault.New(fault.Failed,
			fmt.Sprintf("a crash of the target has emptied unlogged tables (%s), and the source was written since the copy (%s)", namesOf(chunks), why),
			"evac undo, then copy again with the source frozen; or evac skip the step if these tables may stay empty, as a cache may")
	}
	o.Progress.Note("filling unlogged tables again, which a crash of the target has emptied: " + namesOf(chunks))
	if err := c.fillAgain(ctx, chunks); err != nil {
		return false, err
	}
	return true, copySequences(ctx, c.source, c.target, c.filter) // those of unlogged tables were set back
}

// emptied lists the unlogged tables of the target that hold nothing since a
// crash; none if there was no crash, or if users have come since.
func emptied(ctx context.Context, o CopyOptions) (empty []relationName, err error) {
	conn, err := Connect(ctx, o.To, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	if o.State.Left != nil {
		if lost, err := countersLost(ctx, conn, *o.State.Left); err != nil || !lost {
			return nil, err
		}
	}
	rows, err := conn.Query(ctx, unloggedQuery)
	if err != nil {
		return nil, fmt.Errorf("list unlogged tables of target: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[relationName])
	if err != nil {
		return nil, fmt.Errorf("list unlogged tables of target: %w", err)
	}
	for _, t := range tables {
		holds, err := holdsRows(ctx, conn, t.quoted(), "")
		if err != nil {
			return nil, fmt.Errorf("look at %s on target: %w", t.quoted(), err)
		}
		if !holds {
			empty = append(empty, t)
		}
	}
	if len(empty) == 0 {
		return nil, nil
	}
	used, err := usedSinceLeft(ctx, o)
	if err != nil || used != "" {
		return nil, err
	}
	return empty, nil
}

func holdsRows(ctx context.Context, conn *pgx.Conn, table, filter string) (holds bool, err error) {
	err = conn.QueryRow(ctx, fmt.Sprintf("select exists (select from only %s %s)", table, filter)).Scan(&holds)
	return holds, err
}

// openRefill takes the target and a moment of the source, and plans the tables
// that hold rows there.
func (c *copier) openRefill(ctx context.Context, empty []relationName) (chunks []chunk, err error) {
	if c.filter, err = c.Select.Filter(); err != nil {
		return nil, err
	}
	settings, err := c.sourceSettings(ctx)
	if err != nil {
		return nil, err
	}
	if c.target, err = openTarget(ctx, c.To, c.Token, settings); err != nil {
		return nil, err
	}
	if err := c.target.computeIn(ctx, c.users[timeZone]); err != nil {
		return nil, err
	}
	if c.source, err = holdSnapshot(ctx, c.From, nil); err != nil {
		return nil, err
	}
	c.source.tap = true
	if c.sourceVersion, err = Version(ctx, c.source.conn); err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	all, err := planTables(ctx, c.source.conn, c.sourceVersion, 1<<62, c.binary(), c.filter)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if k.What != chunkUnlogged || !slices.Contains(empty, relationName{k.Schema, k.Table}) {
			continue
		}
		holds, err := holdsRows(ctx, c.source.conn, Quote(k.Schema, k.Table), k.Filter)
		if err != nil {
			return nil, fmt.Errorf("look at %s on source: %w", k, err)
		}
		if holds {
			chunks = append(chunks, k)
		}
	}
	return chunks, nil
}

func namesOf(chunks []chunk) string {
	names := make([]string, len(chunks))
	for i, k := range chunks {
		names[i] = Quote(k.Schema, k.Table)
	}
	return some(names)
}

// fillAgain fills the tables in one transaction: cut off, they are empty still.
func (c *copier) fillAgain(ctx context.Context, chunks []chunk) (err error) {
	l := &lane{}
	defer func() { err = errors.Join(err, l.close(ctx)) }()
	if l.source, err = c.source.join(ctx); err != nil {
		return err
	}
	if l.target, err = c.target.connect(ctx); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, l.target, func(pgx.Tx) error {
		bind, err := c.target.loosen(ctx, l.target, chunks)
		if err != nil {
			return fmt.Errorf("loosen foreign keys of unlogged tables on target: %w", err)
		}
		for _, k := range chunks {
			if err := unlock(ctx, l.source); err != nil {
				return err
			}
			if _, err := c.streamMuted(ctx, l, k, func(int64) {}); err != nil {
				return fault.Wrap(fault.KindOf(err), fmt.Sprintf("copy %s again", k), err, brokenHint(err))
			}
		}
		if err := runEach(ctx, l.target, bind); err != nil {
			return fmt.Errorf("make foreign keys of unlogged tables on target again: %w", err)
		}
		return nil
	})
}

// loosen lets rows of these tables come in any order: a superuser's session
// checks no key, anybody else drops the foreign keys and makes them again.
func (t *target) loosen(ctx context.Context, conn *pgx.Conn, chunks []chunk) (bind []string, err error) {
	if t.super {
		return nil, run(ctx, conn, "set local session_replication_role = replica")
	}
	names := make([]string, len(chunks))
	for i, k := range chunks {
		names[i] = Quote(k.Schema, k.Table)
	}
	rows, err := conn.Query(ctx, `
		select format('alter table %s drop constraint %I', t.name, o.conname),
			format('alter table %s add constraint %I %s', t.name, o.conname, pg_catalog.pg_get_constraintdef(o.oid))
				|| coalesce(format('; comment on constraint %I on %s is %L', o.conname, t.name, pg_catalog.obj_description(o.oid, 'pg_constraint')), '')
		from unnest($1::text[]) t(name) join pg_catalog.pg_constraint o on o.conrelid = t.name::regclass
		where o.contype = 'f' and coalesce(to_json(o)->>'conparentid', '0') = '0'`, names) // before 11 none has a parent
	if err != nil {
		return nil, err
	}
	var drops []string
	var drop, add string
	_, err = pgx.ForEachRow(rows, []any{&drop, &add}, func() error {
		drops, bind = append(drops, drop), append(bind, add)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return bind, runEach(ctx, conn, drops)
}
