package pg

import (
	"context"
	"encoding/json"
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
	Table string `json:"table"`
	Old   string `json:"old"`
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

// restoreIdentities puts the identities back that were changed.
func (f *follower) restoreIdentities(ctx context.Context) error {
	for _, c := range f.Changed() {
		if err := f.stream.publisher.putBack(ctx, []IdentityChange{c}); err != nil {
			return err
		}
		if err := f.Restored(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// putBack gives tables their old identities. One that is gone, or has another
// identity than the whole row by now, is left alone.
func (e *end) putBack(ctx context.Context, changes []IdentityChange) error {
	for _, c := range changes {
		var full bool
		err := e.conn.QueryRow(ctx, "select exists (select from pg_catalog.pg_class where oid = to_regclass($1) and relreplident = 'f')", c.Table).Scan(&full)
		if err != nil {
			return fmt.Errorf("look for table %s on %s: %w", c.Table, e.side, err)
		}
		if !full {
			continue
		}
		if err := setIdentity(ctx, e, c.Table, c.Old); err != nil {
			return err
		}
	}
	return nil
}

// remember writes into the publication's comment which identities its tables
// had, for whoever takes the stream down later.
func (s *replication) remember(ctx context.Context, changes []IdentityChange) error {
	if len(changes) == 0 {
		return nil
	}
	text, err := json.Marshal(changes)
	if err != nil {
		return err
	}
	if err := run(ctx, s.publisher.conn, "comment on publication "+Quote(s.name)+" is "+Literal(string(text))); err != nil {
		return fmt.Errorf("comment publication %q on %s: %w", s.name, s.publisher.side, err)
	}
	return nil
}

// remembered reads that comment; without publication or comment there is none.
func (s *replication) remembered(ctx context.Context) (changes []IdentityChange, err error) {
	var text string
	err = s.publisher.conn.QueryRow(ctx, `
		select coalesce((select obj_description(oid, 'pg_publication') from pg_catalog.pg_publication where pubname = $1), '[]')`, s.name).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &changes)
	}
	if err != nil {
		return nil, fmt.Errorf("read comment of publication %q on %s: %w", s.name, s.publisher.side, err)
	}
	return changes, nil
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
