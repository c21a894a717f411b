package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// objectsCompared is how many large objects one query compares.
const objectsCompared = 200

// carryObjects makes the large objects of one end those of the other: both
// sides sum up each object, and what differs is written again.
func carryObjects(ctx context.Context, from, to *end, note func(string)) (changed int, err error) {
	const list = "select oid from pg_catalog.pg_largeobject_metadata order by 1"
	here, err := readOIDs(ctx, from.conn, list)
	if err != nil {
		return 0, fmt.Errorf("list large objects of %s: %w", from.side, err)
	}
	there, err := readOIDs(ctx, to.conn, list)
	if err != nil {
		return 0, fmt.Errorf("list large objects of %s: %w", to.side, err)
	}
	if len(here)+len(there) == 0 {
		return 0, nil
	}
	note("comparing large objects")
	gone := slices.DeleteFunc(slices.Clone(there), func(oid uint32) bool { _, found := slices.BinarySearch(here, oid); return found })
	if _, err := to.conn.Exec(ctx, "select pg_catalog.lo_unlink(o) from unnest($1::oid[]) o", gone); err != nil {
		return 0, fmt.Errorf("drop large objects of %s: %w", to.side, err)
	}
	changed = len(gone)
	for batch := range slices.Chunk(here, objectsCompared) {
		differ, err := differentObjects(ctx, from, to, batch)
		if err != nil {
			return changed, err
		}
		for _, oid := range differ {
			if err := carryObject(ctx, from, to, oid); err != nil {
				return changed, err
			}
			changed++
		}
	}
	return changed, nil
}

// objectDigests sums each object up by its pieces; %s is a hash.
const objectDigests = `
	with recursive piece as (
		select o as oid, 0::int8 as at, octet_length(d) as n, %[1]s(d) as digest
		from unnest($1::oid[]) o cross join lateral (select pg_catalog.lo_get(o, 0, $2::int) as d offset 0) l
		union all
		select p.oid, p.at + $2::int, octet_length(d), %[1]s(d)
		from piece p cross join lateral (select pg_catalog.lo_get(p.oid, p.at + $2::int, $2::int) as d offset 0) l where p.n = $2::int)
	select oid, string_agg(n || ' ' || digest::text, ' ' order by at) from piece group by oid`

// firstSHA is the first version that has sha256.
const firstSHA = 11_00_00

// differentObjects lists those that the other end lacks or has otherwise.
func differentObjects(ctx context.Context, from, to *end, oids []uint32) ([]uint32, error) {
	hash := "sha256"
	if min(from.version, to.version) < firstSHA {
		hash = "md5"
	}
	var here, there map[uint32]string
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) { here, err = digestObjects(both, from, oids, hash); return err })
	group.Go(func() error {
		common, err := readOIDs(both, to.conn, "select oid from pg_catalog.pg_largeobject_metadata where oid = any($1::oid[])", oids)
		if err != nil {
			return fmt.Errorf("list large objects of %s: %w", to.side, err)
		}
		there, err = digestObjects(both, to, common, hash)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(oids), func(oid uint32) bool { return here[oid] == there[oid] }), nil
}

func digestObjects(ctx context.Context, e *end, oids []uint32, hash string) (map[uint32]string, error) {
	rows, err := e.conn.Query(ctx, fmt.Sprintf(objectDigests, hash), oids, objectPiece)
	if err != nil {
		return nil, fmt.Errorf("compare large objects of %s: %w", e.side, err)
	}
	digests := map[uint32]string{}
	var oid uint32
	var digest string
	if _, err := pgx.ForEachRow(rows, []any{&oid, &digest}, func() error { digests[oid] = digest; return nil }); err != nil {
		return nil, fmt.Errorf("compare large objects of %s: %w", e.side, err)
	}
	return digests, nil
}

// carryObject writes one object again, in place if it is there.
func carryObject(ctx context.Context, from, to *end, oid uint32) error {
	err := pgx.BeginFunc(ctx, to.conn, func(pgx.Tx) error {
		tag, err := to.conn.Exec(ctx, "select pg_catalog.lo_create($1) where not exists (select from pg_catalog.pg_largeobject_metadata where oid = $1)", oid)
		if err != nil {
			return err
		}
		if tag.RowsAffected() > 0 {
			if err := decorateObject(ctx, from, to, oid); err != nil {
				return err
			}
		} else if _, err := to.conn.Exec(ctx, "select pg_catalog.lo_truncate64(pg_catalog.lo_open($1, 131072), 0)", oid); err != nil {
			return err
		}
		for at := int64(0); ; at += objectPiece {
			var data []byte
			if err := from.conn.QueryRow(ctx, "select pg_catalog.lo_get($1, $2, $3)", oid, at, objectPiece).Scan(&data); err != nil || len(data) == 0 {
				return err
			}
			if _, err := to.conn.Exec(ctx, "select pg_catalog.lo_put($1, $2, $3)", oid, at, data); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("copy large object %d from %s to %s: %w", oid, from.side, to.side, err)
	}
	return nil
}

// decorateObject gives a new object owner, privileges and comment, as far as
// the user may.
func decorateObject(ctx context.Context, from, to *end, oid uint32) error {
	objects, err := readObjects(ctx, from.conn, chunk{First: int64(oid), Past: int64(oid) + 1})
	if err != nil {
		return err
	}
	for _, o := range objects {
		for _, sql := range o.describe() {
			if err := run(ctx, to.conn, "savepoint soft"); err != nil {
				return err
			}
			err := run(ctx, to.conn, sql)
			if _, soft := softError(err); err != nil && !soft {
				return err
			}
			if err != nil {
				err = run(ctx, to.conn, "rollback to soft")
			}
			if err := errors.Join(err, run(ctx, to.conn, "release soft")); err != nil {
				return err
			}
		}
	}
	return nil
}

func readOIDs(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]uint32, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uint32])
}
