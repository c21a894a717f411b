package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// oneDatabase tells whether two sessions are in the same database: a lock that
// the first takes is seen by the second. The system identifier would not do,
// for a physical clone keeps that of its origin.
func oneDatabase(ctx context.Context, first, second *pgx.Conn) (same bool, err error) {
	high, low := rand.Int32(), rand.Int32()
	if _, err := first.Exec(ctx, "select pg_advisory_lock($1::int4, $2::int4)", high, low); err != nil {
		return false, fmt.Errorf("compare databases: %w", err)
	}
	defer func() {
		if _, unlock := first.Exec(ctx, "select pg_advisory_unlock($1::int4, $2::int4)", high, low); unlock != nil {
			err = errors.Join(err, fmt.Errorf("compare databases: %w", unlock))
		}
	}()
	err = second.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.database
			where l.locktype = 'advisory' and d.datname = current_database() and l.classid = $1::int4::oid and l.objid = $2::int4::oid and l.objsubid = 2)`,
		high, low).Scan(&same)
	if err != nil {
		return false, fmt.Errorf("compare databases: %w", err)
	}
	return same, nil
}

// distinct refuses one database as both source and target.
func distinct(ctx context.Context, source, target *pgx.Conn) error {
	same, err := oneDatabase(ctx, source, target)
	if err == nil && same {
		err = fault.New(fault.Invalid, "source and target are the same database", "give two different connection strings")
	}
	return err
}
