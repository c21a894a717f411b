package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A freeze makes read-only the default of every session of one database, ends
// the sessions that began before, and then watches until it is proved that
// nothing is written. Readers come back at once; writers are refused by the
// server (SQLSTATE 25006). A client that sets its own transactions to read
// write is not refused, but found out by the proof and named. What refuses
// ordinary roles for certain is FreezeOptions.Strict.

// freezeApplication is how a freeze shows in pg_stat_activity.
const freezeApplication = "evac freeze"

// FreezeOptions say how to freeze.
type FreezeOptions struct {
	// Settle is how long the proof watches.
	Settle time.Duration
	// Strict also refuses every connection of roles that are no superusers,
	// readers included.
	Strict bool
	// Refuse names roles that may not connect any more.
	Refuse []string
	// ClosedAt is what an earlier Freeze that was cut off after Closed had
	// told; zero: none.
	ClosedAt time.Time
	// Change is told of a setting before it is changed.
	Change func(context.Context, FreezeChange) error
	// Own are the server processes of sessions that are not ended.
	Own []uint32
	// Spared is told of a session that the user may not end; without it that is
	// an error. It may be told again.
	Spared func(Session)
	// Closed is told when every session from before the freeze has ended.
	Closed func(ctx context.Context, at time.Time) error
	// Note says in a few words what goes on.
	Note func(string)
}

// FreezeResult is what a freeze did and proved.
type FreezeResult struct {
	// Terminated counts the sessions that were ended.
	Terminated int
	Proof      FreezeProof
}

// freezer is a session that freezes one database.
type freezer struct {
	conn     *pgx.Conn
	database string
}

func openFreezer(ctx context.Context, dsn secret.DSN) (*freezer, error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: freezeApplication, Side: Source})
	if err != nil {
		return nil, err
	}
	f := &freezer{conn: conn}
	if err := conn.QueryRow(ctx, "select current_database()").Scan(&f.database); err != nil {
		return nil, errors.Join(fmt.Errorf("read name of the database: %w", err), hangUp(ctx, conn))
	}
	return f, nil
}

// Freeze stops writes to the database and proves that none happen. It goes on
// from what is already done. On error the database stays as far closed as it
// came; Unfreeze takes that back.
func Freeze(ctx context.Context, dsn secret.DSN, o FreezeOptions) (result FreezeResult, err error) {
	f, err := openFreezer(ctx, dsn)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, f.conn)) }()
	op := fmt.Sprintf("freeze database %q", f.database)
	if err := f.refuse(ctx, o); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	changed, err := f.setReadOnly(ctx, o)
	if err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	closedAt := o.ClosedAt
	if changed {
		closedAt = time.Time{} // sessions came in while it was open again
	}
	o.Note("ending sessions from before the freeze")
	if result.Terminated, err = f.endSessions(ctx, closedAt, o); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	o.Note("watching that nothing is written")
	if result.Proof, err = f.prove(ctx, o, FreezeMark{}); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	return result, nil
}

// ProveFrozen proves that the database is frozen: every setting stands, the
// server refuses a real attempt to write, and nothing was written since the
// mark (zero: since now), nor is for as long as it watches.
func ProveFrozen(ctx context.Context, dsn secret.DSN, o FreezeOptions, mark FreezeMark) (proof FreezeProof, err error) {
	f, err := openFreezer(ctx, dsn)
	if err != nil {
		return proof, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, f.conn)) }()
	op := fmt.Sprintf("prove database %q frozen", f.database)
	if err := errors.Join(f.settingsStand(ctx, o), writeRefused(ctx, dsn)); err != nil {
		return proof, fault.Wrap(fault.Failed, op, err, "")
	}
	proof, err = f.prove(ctx, o, mark)
	return proof, fault.Wrap(fault.KindOf(err), op, err, "")
}

// Unfreeze puts the settings back that Freeze has changed and ends the
// sessions that began under the freeze, for they would stay read-only. restored
// is told of each setting once all that is done.
func Unfreeze(ctx context.Context, dsn secret.DSN, changes []FreezeChange, restored func(context.Context, FreezeChange) error) (err error) {
	if len(changes) == 0 {
		return nil
	}
	f, err := openFreezer(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, f.conn)) }()
	op := fmt.Sprintf("unfreeze database %q", f.database)
	for _, c := range changes {
		if err := f.alter(ctx, c, c.Old); err != nil {
			return fault.Wrap(fault.Failed, op, err, "")
		}
	}
	if err := f.endReaders(ctx); err != nil {
		return fault.Wrap(fault.Failed, op, err, "")
	}
	for _, c := range changes {
		if err := restored(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}
