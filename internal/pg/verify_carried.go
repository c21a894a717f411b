package pg

import (
	"context"
	"fmt"
	"strings"
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
	if r.kept != "" {
		sql += " and not " + r.kept
	}
	return sql
}

// keepViews leaves the rows of the kept views out on both sides.
func (v *verifier) keepViews() error {
	if len(v.KeptViews) == 0 {
		return nil
	}
	kept, err := Selection{Tables: v.KeptViews}.Filter()
	if err != nil {
		return err
	}
	for _, r := range v.readings() {
		r.kept = "(c.relkind = 'm' and " + kept.SQL("n.nspname", "c.relname") + ")"
	}
	return nil
}

// keptNote names the views that keepViews leaves out, "" if there are none.
func (v *verifier) keptNote(ctx context.Context) (string, error) {
	if v.target.kept == "" {
		return "", nil
	}
	names, err := texts(ctx, v.target.conn, "select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where "+v.target.kept+" order by 1")
	if err != nil {
		return "", fmt.Errorf("list kept views of %s: %w", v.target.side, err)
	}
	if len(names) == 0 {
		return "", nil
	}
	return "rows of these materialized views are not compared, as asked for: " + strings.Join(names, ", "), nil
}
