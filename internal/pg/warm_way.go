package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// warmWay is how pages are read.
type warmWay struct {
	// prewarm is the function to call, qualified; "" where pages are read by
	// scans.
	prewarm string
	// borrowed tells that the function is made for a transaction that is
	// rolled back.
	borrowed bool
	// buffers is how many blocks go into the server's own buffers; the rest
	// goes into the memory of its operating system.
	buffers int64
}

// String says it in words.
func (y warmWay) String() string {
	switch {
	case y.borrowed:
		return "pg_prewarm, borrowed in transactions that are rolled back"
	case y.prewarm != "":
		return "pg_prewarm"
	}
	return "scans"
}

// borrowedName is the borrowed function.
const borrowedName = "pg_temp.evac_prewarm"

// borrow makes pg_prewarm for this transaction alone.
const borrow = `begin read write; create function ` + borrowedName + `(regclass, text, text, int8, int8) returns int8
	as '$libdir/pg_prewarm', 'pg_prewarm' language c`

// buffersShare is how much of shared_buffers is filled: the server needs room
// for what else it does.
const buffersShare = 0.75

// chooseWay takes pg_prewarm where it is installed, or may be borrowed: its
// library is there, the user is a superuser and the server no standby.
func chooseWay(ctx context.Context, conn *pgx.Conn) (y warmWay, err error) {
	schema, err := extensionSchema(ctx, conn, "pg_prewarm")
	if err != nil {
		return y, err
	}
	var mayBorrow bool
	err = conn.QueryRow(ctx, `
		select r.rolsuper and not pg_is_in_recovery(), (s.setting::float8 * $1)::int8
		from pg_catalog.pg_roles r, pg_catalog.pg_settings s
		where r.rolname = current_user and s.name = 'shared_buffers'`, buffersShare).Scan(&mayBorrow, &y.buffers)
	if err != nil {
		return y, fmt.Errorf("read rights: %w", err)
	}
	if schema != "" {
		y.prewarm = Quote(schema, "pg_prewarm")
		return y, nil
	}
	if !mayBorrow {
		return y, nil
	}
	err = conn.QueryRow(ctx, "select exists (select from pg_catalog.pg_available_extensions where name = 'pg_prewarm')").Scan(&y.borrowed)
	var refused *pgconn.PgError
	if err != nil && !errors.As(err, &refused) { // a server with one broken extension lists none
		return y, fmt.Errorf("list extensions: %w", err)
	}
	if y.borrowed {
		y.prewarm = borrowedName
	}
	return y, nil
}

// blocks tells whether any block of any relation can be read by itself.
func (y warmWay) blocks() bool { return y.prewarm != "" }

// whole tells whether the relation, or a part of it, is read row by row from
// its beginning to its end.
func (y warmWay) whole(r *warmRelation) bool {
	return !y.blocks() && (r.Kind == "i" || r.also > 0)
}

// warmSettings let nothing wait for long, and scans read what they are meant to.
func warmSettings() map[string]string {
	return map[string]string{"lock_timeout": "10s", "max_parallel_workers_per_gather": "0", "cursor_tuple_fraction": "1",
		"jit": "off", "constraint_exclusion": "off", "enable_tidscan": "on"}
}

// units are the relations that are read by themselves: by scans a TOAST table
// is read with its table.
func (y warmWay) units(all []*warmRelation) []*warmRelation {
	if y.blocks() {
		return all
	}
	tables := map[[2]string]*warmRelation{}
	for _, r := range all {
		if r.Kind != "i" && !r.TOAST {
			tables[[2]string{r.Schema, r.Table}] = r
		}
	}
	return slices.DeleteFunc(all, func(r *warmRelation) bool {
		if table := tables[[2]string{r.Schema, r.Table}]; r.TOAST && table != nil {
			if r.Kind != "i" || r.Blocks > 1 { // the index of an empty TOAST table has one
				table.also += r.Blocks
			}
			table.Fetched += r.Fetched
		}
		return r.TOAST
	})
}

// readable tells units that can be read this way from those that cannot: by
// scans, of the indexes only B-trees can be read whole.
func (y warmWay) readable(all []*warmRelation) (can []*warmRelation, leftOut []string) {
	for _, r := range all {
		switch {
		case r.Blocks == 0:
		case r.System && !(y.blocks() && r.Readable):
			// Every session reads the catalogs that it needs.
		case !r.Readable:
			leftOut = append(leftOut, r.Name+": the user may not read it")
		case !y.blocks() && r.Kind == "i" && r.Method != "btree":
			leftOut = append(leftOut, fmt.Sprintf("%s: an index of type %s can only be read by pg_prewarm", r.Name, r.Method))
		default:
			can = append(can, r)
		}
	}
	return can, leftOut
}
