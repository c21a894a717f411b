package proof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// followerPause is the time between two looks at how far a follower is.
const followerPause = 20 * time.Millisecond

// AwaitFollower waits until everything that was committed on the server before
// the call has been taken in by those who follow it by logical replication. That
// somebody follows is required.
func AwaitFollower(ctx context.Context, leader *pgx.Conn) error {
	var end string
	if err := leader.QueryRow(ctx, "select pg_current_wal_lsn()::text").Scan(&end); err != nil {
		return fmt.Errorf("read the end of the log: %w", err)
	}
	ticker := time.NewTicker(followerPause)
	defer ticker.Stop()
	for {
		var there, behind int
		err := leader.QueryRow(ctx, `
			select count(*), count(*) filter (where confirmed_flush_lsn < $1::pg_lsn)
			from pg_replication_slots where slot_type = 'logical' and database = current_database()`, end).Scan(&there, &behind)
		switch {
		case err != nil:
			return fmt.Errorf("read how far the follower is: %w", err)
		case there == 0:
			return errors.New("nobody follows")
		case behind == 0:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the follower has not confirmed %s: %w", end, context.Cause(ctx))
		}
	}
}
