package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// IdentityChange is a table's replica identity, by which an update or delete
// finds its row on the other side, changed to the whole row for a while.
type IdentityChange struct {
	// Table is the quoted name; Old what the identity was: "default",
	// "nothing" or "using index NAME".
	Table, Old string
}

// fullIdentity is what it becomes.
const fullIdentity = "full"

// String names it in words.
func (c IdentityChange) String() string { return "replica identity of table " + c.Table }

// makeIdentities gives every table without a key the whole row as identity, if
// that is asked for.
func (f *follower) makeIdentities(ctx context.Context) error {
	if !f.FullIdentity {
		return nil
	}
	tables, err := f.stream.publisher.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Keyed || !t.Owned {
			continue
		}
		c := IdentityChange{Table: t.name(), Old: t.identity()}
		if err := f.Change(ctx, c); err != nil {
			return err
		}
		if err := setIdentity(ctx, f.stream.publisher, c.Table, fullIdentity); err != nil {
			return err
		}
	}
	return nil
}

// identity is the SQL of the table's identity.
func (t followed) identity() string {
	switch {
	case t.Identity == "n":
		return "nothing"
	case t.Identity == "i" && t.Index != "":
		return "using index " + Quote(t.Index)
	}
	return "default"
}

// restoreIdentities puts the identities back that were changed. A table that
// is gone needs none.
func (f *follower) restoreIdentities(ctx context.Context) error {
	for _, c := range f.Changed() {
		var there bool
		if err := f.stream.publisher.conn.QueryRow(ctx, "select to_regclass($1) is not null", c.Table).Scan(&there); err != nil {
			return fmt.Errorf("look for table %s on source: %w", c.Table, err)
		}
		if there {
			if err := setIdentity(ctx, f.stream.publisher, c.Table, c.Old); err != nil {
				return err
			}
		}
		if err := f.Restored(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// lockPatience is how long a change may wait for a table's lock: everybody
// else waits behind it.
const lockPatience = "1s"

// lockPause is the time between two tries for a lock.
const lockPause = time.Second

// lockNotAvailable is the SQLSTATE of a lock that was not had in time.
const lockNotAvailable = "55P03"

// setIdentity changes a table's identity, which for a moment locks it.
func setIdentity(ctx context.Context, e *end, table, identity string) error {
	for {
		err := pgx.BeginFunc(ctx, e.conn, func(pgx.Tx) error {
			return run(ctx, e.conn, "set local lock_timeout = '"+lockPatience+"'; alter table only "+table+" replica identity "+identity)
		})
		var refused *pgconn.PgError
		if err == nil {
			return nil
		}
		if !errors.As(err, &refused) || refused.Code != lockNotAvailable {
			return fmt.Errorf("set replica identity of table %s on %s: %w", table, e.side, err)
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return fmt.Errorf("lock table %s on %s: %w", table, e.side, context.Cause(ctx))
		}
	}
}
