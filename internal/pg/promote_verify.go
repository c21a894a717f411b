package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// VerifyPromote proves from outside that the database is the primary now: it
// is not in recovery, writes the timeline of the promotion or a later one of
// the same cluster, and takes a write; and that the old one takes none.
func VerifyPromote(ctx context.Context, o PromoteOptions, r PromoteResult) (err error) {
	conn, err := Connect(ctx, o.Database, ConnOptions{Application: promoteApplication, Side: Target})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	role, err := roleOf(ctx, conn)
	if err != nil {
		return err
	}
	if role == RoleStandby {
		return fault.New(fault.Failed, fmt.Sprintf("%s is a standby", o.Database), "")
	}
	system, timeline, err := primaryIdentity(ctx, conn)
	if err != nil {
		return err
	}
	if system != r.System || timeline < r.Timeline {
		return fault.New(fault.Failed, fmt.Sprintf("%s has system identifier %s and timeline %d, want %s and %d", o.Database, system, timeline, r.System, r.Timeline), "")
	}
	return errors.Join(takesWrite(ctx, conn), oldRefuses(ctx, o))
}

// takesWrite writes and rolls back. A user without the right to make schemas
// proves it as well, by the reason of the refusal.
func takesWrite(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if err != nil {
		return fmt.Errorf("write to the new primary: %w", err)
	}
	_, tried := tx.Exec(ctx, "create schema evac_write_probe")
	if err := tx.Rollback(ctx); err != nil {
		return fmt.Errorf("roll the tried write back: %w", err)
	}
	if tried != nil && sqlState(tried) != insufficientPrivilege {
		return fmt.Errorf("write to the new primary: %w", tried)
	}
	return nil
}

// oldRefuses proves that the old primary lets nobody write: it turns clients
// away, has ended, or has become a standby.
func oldRefuses(ctx context.Context, o PromoteOptions) error {
	if o.Fence == FenceNone || o.From.Empty() {
		return nil
	}
	conn, err := Connect(ctx, o.From, ConnOptions{Application: promoteApplication, Side: Source})
	if err != nil {
		if strings.Contains(err.Error(), fenceLibrary) {
			return nil
		}
		return awaitPortsClosed(ctx, o.From)
	}
	role, err := roleOf(ctx, conn)
	if err == nil && role != RoleStandby {
		err = fault.New(fault.Failed, "the old primary takes connections, and is still a primary: there are two", "stop it: pg_ctl stop -m fast")
	}
	return errors.Join(err, hangUp(ctx, conn))
}
