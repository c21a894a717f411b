package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A materialized view is a picture of the past, and after a switch none may be
// older than the one that users saw before. The copy fills the target's views
// as of its own moment, so that they are newer than the source's, which were
// refreshed before it; only if the source refreshes one later must that be done
// again at the switch. The rest are left alone.

// refreshPrints tells of each materialized view which transaction wrote its
// entry in pg_class. Every refresh does that, a concurrent one too
// (SetMatViewPopulatedState in matview.c); VACUUM and ANALYZE write in place.
// ALTER and GRANT do it as well, which costs one refresh too many.
func refreshPrints(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	rows, err := conn.Query(ctx, `
		select n.nspname, c.relname, c.oid::text || '/' || c.xmin::text
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'm' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`)
	if err != nil {
		return nil, fmt.Errorf("read materialized views: %w", err)
	}
	prints := map[string]string{}
	var view relationName
	var print string
	_, err = pgx.ForEachRow(rows, []any{&view.Schema, &view.Name, &print}, func() error {
		prints[view.quoted()] = print
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read materialized views: %w", err)
	}
	return prints, nil
}

// refreshedSince divides views of this end into those that were refreshed since
// the old prints, or may have been, and those that were not.
func (e *end) refreshedSince(ctx context.Context, views []relationName, old map[string]string) (refreshed, kept []relationName, err error) {
	now, err := refreshPrints(ctx, e.conn)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.side, err)
	}
	for _, view := range views {
		if print := now[view.quoted()]; print != "" && print == old[view.quoted()] {
			kept = append(kept, view)
		} else {
			refreshed = append(refreshed, view)
		}
	}
	return refreshed, kept, nil
}
