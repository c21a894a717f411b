package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// followApplication is how evac's sessions for replication show themselves.
const followApplication = "evac follow"

// end is one end of a stream: a session that may change things also where
// transactions are read-only by default.
type end struct {
	conn    *pgx.Conn
	dsn     secret.DSN
	side    Side
	version int
	super   bool
}

func openEnd(ctx context.Context, dsn secret.DSN, side Side) (*end, error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: followApplication, Side: side, Settings: map[string]string{
		"default_transaction_read_only": "off", "default_transaction_isolation": "read committed",
		"synchronous_commit": "on", "client_min_messages": "error",
	}})
	if err != nil {
		return nil, err
	}
	e := &end{conn: conn, dsn: dsn, side: side}
	err = conn.QueryRow(ctx, `select current_setting('server_version_num')::int, rolsuper
		from pg_catalog.pg_roles where rolname = current_user`).Scan(&e.version, &e.super)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read version of %s: %w", side, err), hangUp(ctx, conn))
	}
	return e, nil
}

func (e *end) close(ctx context.Context) error {
	if e == nil {
		return nil
	}
	return hangUp(ctx, e.conn)
}

// openEnds opens a session on either side.
func openEnds(ctx context.Context, from, to secret.DSN) (source, target *end, err error) {
	source, sourceErr := openEnd(ctx, from, Source)
	target, targetErr := openEnd(ctx, to, Target)
	if err := errors.Join(sourceErr, targetErr); err != nil {
		return nil, nil, errors.Join(err, source.close(ctx), target.close(ctx))
	}
	return source, target, nil
}

// replication is logical replication from one database to another: a publication
// and a slot on the publisher and a subscription on the subscriber, all of one
// name.
type replication struct {
	name                  string
	publisher, subscriber *end
	// reach is the publisher as the subscriber's server reaches it.
	reach secret.DSN
	// progress is told what is waited for; it may be nil.
	progress Progress
}

// streamPause is the time between two looks at a slot.
const streamPause = 5 * time.Millisecond

// drain waits until the subscriber has applied, and flushed to its disk,
// everything that was committed on the publisher before the call. It proves
// that by a position: a message is put into the publisher's log after it all
// (the message is no transaction, so that a frozen source stays silent), and
// the subscriber confirms in the order of the log.
func (s *replication) drain(ctx context.Context, bound time.Duration) (lsn string, err error) {
	emit := "select pg_catalog.pg_logical_emit_message(false, 'evac', 'drain')::text"
	if s.publisher.version >= firstFlushingMessage {
		emit = "select pg_catalog.pg_logical_emit_message(false, 'evac', 'drain', true)::text"
	}
	if err := s.publisher.conn.QueryRow(ctx, emit).Scan(&lsn); err != nil {
		return "", fmt.Errorf("mark the end of the log of %s: %w", s.publisher.side, err)
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	tick, look := time.NewTicker(streamPause), time.NewTicker(orphanPause)
	defer tick.Stop()
	defer look.Stop()
	var o orphan
	var last slotState
	for {
		slot, err := s.slot(ctx, lsn)
		if err != nil && ctx.Err() == nil {
			return "", err
		}
		if err == nil && slot.behind <= 0 {
			return lsn, nil
		}
		if err == nil {
			last = slot
		}
		select {
		case <-tick.C:
		case <-look.C:
			s.tell(fmt.Sprintf("the %s has %s to apply", s.subscriber.side, last.lag()))
			if err := o.end(ctx, s); err != nil && ctx.Err() == nil {
				return "", err
			}
		case <-ctx.Done():
			return "", fault.Wrap(fault.Failed, fmt.Sprintf("wait until %s has applied everything up to %s (%s behind)", s.subscriber.side, lsn, last.lag()), context.Cause(ctx),
				"look into the log of the "+string(s.subscriber.side)+"'s server for what keeps subscription "+s.name+" from going on")
		}
	}
}

// firstFlushingMessage is the first version whose messages can be flushed at
// once; before that the log writer does it within wal_writer_delay.
const firstFlushingMessage = 17_00_00

// slotState is what a publisher says of a slot.
type slotState struct {
	// behind is how many bytes of log the subscriber has not confirmed, up to a
	// position; kept how many the server keeps for it.
	behind, kept int64
	// confirmedBytes is the confirmed position, from the log's beginning.
	confirmedBytes int64
	active, lost   bool
}

// lag is the state for people.
func (st slotState) lag() string {
	text := humanize.IBytes(uint64(max(st.behind, 0)))
	if !st.active {
		text += ", not connected"
	}
	return text
}

// tell notes what is waited for.
func (s *replication) tell(text string) {
	if s.progress != nil {
		s.progress.Note(text)
	}
}

// slot reads the state of the stream's slot; to is the position to count up
// to, "" for the present end of the log.
func (s *replication) slot(ctx context.Context, to string) (st slotState, err error) {
	err = s.publisher.conn.QueryRow(ctx, `
		select pg_wal_lsn_diff(coalesce(nullif($2, '')::pg_lsn, pg_current_wal_lsn()), coalesce(confirmed_flush_lsn, '0/0'))::int8,
			pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(restart_lsn, confirmed_flush_lsn, '0/0'))::int8,
			pg_wal_lsn_diff(coalesce(confirmed_flush_lsn, '0/0'), '0/0')::int8, active,
			coalesce(to_jsonb(r)->>'wal_status' = 'lost', false) or coalesce(to_jsonb(r)->>'invalidation_reason', '') <> ''
		from pg_catalog.pg_replication_slots r where slot_name = $1`, s.name, to).
		Scan(&st.behind, &st.kept, &st.confirmedBytes, &st.active, &st.lost)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return st, fault.New(fault.Failed, fmt.Sprintf("replication slot %q is not on the %s any more", s.name, s.publisher.side),
			"undo the step that made it, then run it again: what was written since is not on the other side")
	case err != nil:
		return st, fmt.Errorf("read replication slot of %s: %w", s.publisher.side, err)
	case st.lost:
		return st, fault.New(fault.Failed, fmt.Sprintf("the %s has given up replication slot %q: the log that it needs is gone (max_slot_wal_keep_size)", s.publisher.side, s.name),
			"undo the step that made it, raise max_slot_wal_keep_size, then run it again")
	}
	return st, nil
}
