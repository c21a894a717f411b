package pg

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// gather gathers the statistics of a table inside the session's transaction. If
// one with foreign partitions is refused, because the other server is not to be
// reached from here, those of the partitions on this server are gathered alone.
func gather(ctx context.Context, conn *pgx.Conn, table string) error {
	if err := run(ctx, conn, "savepoint gather"); err != nil {
		return err
	}
	refused := run(ctx, conn, "analyze "+table)
	if refused == nil {
		return run(ctx, conn, "release gather")
	}
	if err := run(ctx, conn, "rollback to gather; release gather"); err != nil {
		return err
	}
	const parts = `
		with recursive part as (
			select inhrelid as oid from pg_catalog.pg_inherits where inhparent = %[1]s::regclass
			union select i.inhrelid from part join pg_catalog.pg_inherits i on i.inhparent = part.oid)
		select c.oid::regclass::text from part join pg_catalog.pg_class c using (oid) where c.relkind = '%[2]s' order by 1`
	foreign, err := texts(ctx, conn, fmt.Sprintf(parts, Literal(table), "f"))
	if err != nil || len(foreign) == 0 {
		return cmp.Or(err, refused)
	}
	here, err := texts(ctx, conn, fmt.Sprintf(parts, Literal(table), "r"))
	if err != nil {
		return err
	}
	for _, part := range here {
		if err := run(ctx, conn, "analyze "+part); err != nil {
			return err
		}
	}
	return noteWarning(ctx, conn, fmt.Sprintf("statistics of %s over all its partitions are left out, for %s cannot be read: %s", table, some(foreign), reasonOf(refused)))
}
