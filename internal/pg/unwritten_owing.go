package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// A session counts the rows that it writes for itself, and reports them when it
// has been idle for a while and when it ends. So the counters of a table are
// sure once every session has ended that may have written before.

// owingQuery lists the sessions of the database that may have rows to report
// since a time: all but those that were idle all the while. Which the user may
// not look into count too. A session of logical replication that sends, and one
// of autovacuum, write no rows.
const owingQuery = `
	select a.pid || ' ' || coalesce(a.backend_start::text, '') from pg_catalog.pg_stat_activity a
	where a.datname = current_database() and a.pid <> pg_backend_pid()
		and (a.state = 'idle' and a.state_change < $1) is not true
		and a.pid not in (select w.pid from pg_catalog.pg_stat_replication w)
		and a.backend_type is distinct from 'autovacuum worker' --[10+]
		and a.usesysid is not null --[<10]
`

// owing waits for the reports of sessions that may have written since a mark,
// without a transaction of another database making a difference.
type owing struct {
	conn *pgx.Conn
	// at are the sessions that have not ended yet, of those that there were at
	// the first look; ended is when the last one was gone.
	at    map[string]bool
	ended time.Time
}

// statsStale is how old the counters may be that a server before 15 shows: its
// collector writes them into a file (PGSTAT_STAT_INTERVAL, 500 ms).
const statsStale = 600 * time.Millisecond

// firstSharedStats is the first version that keeps the counters in memory.
const firstSharedStats = 15_00_00

// told looks whether all of them have reported what they wrote until the first
// look. Counters that are read after that show it.
func (o *owing) told(ctx context.Context, since time.Time) (bool, error) {
	if o.ended.IsZero() {
		now, err := o.sessions(ctx, since)
		if err != nil {
			return false, err
		}
		if o.at == nil {
			o.at = now
		}
		for session := range o.at {
			if !now[session] {
				delete(o.at, session)
			}
		}
		if len(o.at) > 0 {
			return false, nil
		}
		o.ended = time.Now()
	}
	return versionOf(o.conn) >= firstSharedStats || time.Since(o.ended) >= statsStale, nil
}

func (o *owing) sessions(ctx context.Context, since time.Time) (map[string]bool, error) {
	list, err := texts(ctx, o.conn, fit(o.conn, owingQuery), since)
	if err != nil {
		return nil, fmt.Errorf("list sessions that may have written: %w", err)
	}
	there := map[string]bool{}
	for _, session := range list {
		there[session] = true
	}
	return there, nil
}
