package pg

import (
	"context"
	"fmt"
)

// While the target follows the source by logical replication, only rows of
// permanent tables come over: to compare what comes later, with a switch, would
// say nothing.

// leftOut is the note of it.
const leftOut = "the target follows by logical replication, which carries no sequences, unlogged tables, large objects and materialized views: they are not compared"

// leaveOut limits both sides to what replication carries, if the target
// follows.
func (v *verifier) leaveOut(ctx context.Context) error {
	t := v.target
	if v.Rechecks == 0 || t.roach != nil || t.version < firstSubscriptions {
		return nil
	}
	var follows bool
	err := t.conn.QueryRow(ctx, `select exists (select from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
		where d.datname = current_database() and s.subenabled)`).Scan(&follows)
	if err != nil {
		return fmt.Errorf("look for subscriptions of %s: %w", t.side, err)
	}
	v.source.carried, t.carried = follows, follows
	return nil
}

// condition limits the relations that are compared.
func (r *reading) condition(meant Filter) string {
	sql := meant.SQL("n.nspname", "c.relname")
	if r.carried {
		sql += " and c.relkind = 'r' and c.relpersistence = 'p'"
	}
	return sql
}
