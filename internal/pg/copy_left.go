package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// leave takes the target's mark once the copy's own sessions are gone, so that
// an undo can tell later whether anybody has written there since.
func leave(ctx context.Context, o CopyOptions, state CopyState) (err error) {
	conn, err := Connect(ctx, o.To, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	if err := awaitGone(ctx, conn, applicationName); err != nil {
		return err
	}
	mark, err := TakeMark(ctx, conn)
	if err != nil {
		return fmt.Errorf("mark the target as the copy left it: %w", err)
	}
	state.Left = &mark
	if err := o.Save(ctx, state); err != nil {
		return fmt.Errorf("save how the copy left the target: %w", err)
	}
	return nil
}

// goneLimit bounds the wait for sessions that have said goodbye.
const goneLimit = 10 * time.Second

// awaitGone waits until the other sessions of this user in the database whose
// application begins so have ended: only then are their rows counted.
func awaitGone(ctx context.Context, conn *pgx.Conn, application string) error {
	ctx, cancel := context.WithTimeout(ctx, goneLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var others int
		err := conn.QueryRow(ctx, `select count(*) from pg_catalog.pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid() and left(application_name, length($1::text)) = $1`, application).Scan(&others)
		if err != nil {
			return fmt.Errorf("wait for evac's sessions on target to end: %w", err)
		}
		if others == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for evac's sessions on target to end: %w", context.Cause(ctx))
		}
	}
}

// refuseWritten keeps an undo from dropping what others wrote to the target
// after the copy had ended.
func refuseWritten(ctx context.Context, conn *pgx.Conn, o CopyOptions) error {
	op := fmt.Sprintf("undo the copy to %s", o.To)
	used, err := usedSince(ctx, conn, o)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if used != "" {
		return fault.New(fault.Failed, op+": the target was written to after the copy, and dropping it would lose that: "+used,
			"skip this step to leave the target as it is and undo the rest; what was written there is then only there")
	}
	return nil
}

// usedSinceLeft says what others wrote to the target after the copy had ended,
// "" if nothing. A copy that was cut off before it could say how it left the
// target has not ended: nobody was let in.
func usedSinceLeft(ctx context.Context, o CopyOptions) (reason string, err error) {
	if o.State.Left == nil {
		return "", nil
	}
	conn, err := Connect(ctx, o.To, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	return usedSince(ctx, conn, o)
}

// usedSince is usedSinceLeft on a session that is there: one more of this process
// would count among those that may have written.
func usedSince(ctx context.Context, conn *pgx.Conn, o CopyOptions) (reason string, err error) {
	if o.State.Left == nil {
		return "", nil
	}
	unused, reason, err := UnusedSince(ctx, conn, *o.State.Left)
	if err != nil {
		return "", err
	}
	if !unused && reason == rowsWritten && o.State.Logged != nil {
		lost, err := countersLost(ctx, conn, *o.State.Left)
		if err == nil && lost {
			unused, reason, err = rowsUnused(ctx, o.To, *o.State.Left, *o.State.Logged, o.Progress.Note)
		}
		if err != nil {
			return "", err
		}
	}
	if unused {
		return "", nil
	}
	return reason, nil
}
