package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// countersLost tells whether the server's counters began anew since the mark,
// as they do when it was restarted after a crash.
func countersLost(ctx context.Context, conn *pgx.Conn, mark FreezeMark) (lost bool, err error) {
	err = conn.QueryRow(ctx, "select coalesce(pg_catalog.pg_stat_get_bgwriter_stat_reset_time() > $1, false)", mark.TakenAt).Scan(&lost)
	if err != nil {
		return false, fmt.Errorf("ask since when the server counts: %w", err)
	}
	return lost, nil
}

// rowsUnused looks at every row of the logged tables: none was written by a
// transaction after the mark, and none of the rows of then is gone. It is what
// is left when a crash has taken the counters; unlogged rows went with them.
func rowsUnused(ctx context.Context, dsn secret.DSN, mark FreezeMark, rows int64, note func(string)) (unused bool, reason string, err error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return false, "", err
	}
	defer func() { _ = hangUp(ctx, conn) }() // nothing was written
	note("the target was restarted after a crash, which took its counters: looking at every row")
	tables, err := texts(ctx, conn, `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`)
	if err != nil {
		return false, "", fmt.Errorf("list tables of target: %w", err)
	}
	var all int64
	for _, table := range tables {
		// A transaction's number wraps at 2^32; later ones are up to 2^31 ahead
		// (PostgreSQL documentation, "Transactions and Identifiers"). A row keeps
		// its writer's number when it is frozen.
		var here, late int64
		err := conn.QueryRow(ctx, fmt.Sprintf(`
			select count(*), count(*) filter (where (xmin::text::bigint - %d::bigint %% 4294967296 + 4294967296) %% 4294967296 < 2147483648) from only %s`,
			mark.Xmax, table)).Scan(&here, &late)
		if err != nil {
			return false, "", fmt.Errorf("look at the rows of %s on target: %w", table, err)
		}
		if late > 0 {
			return false, fmt.Sprintf("%d rows of %s were written", late, table), nil
		}
		all += here
	}
	if all != rows {
		return false, fmt.Sprintf("it has %d rows, and had %d", all, rows), nil
	}
	return true, "no row was written", nil
}
