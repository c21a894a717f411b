package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// orphan is a publisher's session of a stream whose subscriber has lost it, as
// where the network was cut and only the subscriber heard of it. It holds the
// slot until wal_sender_timeout, a minute by default, and until then the
// subscriber is refused each time that it connects again.
type orphan struct {
	pid    int // 0 if none was seen
	denied bool
}

// orphanPause is the time between two looks for one.
const orphanPause = time.Second

// end ends the session that holds the stream's slot if it has been seen twice
// without a worker of the subscriber: one that has just connected is there, too.
// That this was done, or may not be, is noted.
func (o *orphan) end(ctx context.Context, s *replication) error {
	pid, err := s.unheard(ctx)
	if err != nil || pid == 0 || pid != o.pid || o.denied {
		o.pid = pid
		return err
	}
	_, err = s.publisher.conn.Exec(ctx, "select pg_catalog.pg_terminate_backend(active_pid) from pg_catalog.pg_replication_slots where slot_name = $1 and active_pid = $2", s.name, pid)
	if o.denied = code(err) == insufficientPrivilege; o.denied {
		s.tell(fmt.Sprintf("the %s's session %d for the stream has lost the %s: waiting until the server ends it (wal_sender_timeout)", s.publisher.side, pid, s.subscriber.side))
		return nil
	}
	if err != nil {
		return fmt.Errorf("end the user of replication slot %q on %s: %w", s.name, s.publisher.side, err)
	}
	s.tell(fmt.Sprintf("ended the %s's session %d for the stream, which had lost the %s", s.publisher.side, pid, s.subscriber.side))
	return nil
}

// unheard is the process that holds the slot while no worker of the subscriber
// runs, else 0. The slot is read first: whoever takes it has a worker by then.
func (s *replication) unheard(ctx context.Context) (pid int, err error) {
	err = s.publisher.conn.QueryRow(ctx, "select coalesce(active_pid, 0) from pg_catalog.pg_replication_slots where slot_name = $1", s.name).Scan(&pid)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("read replication slot of %s: %w", s.publisher.side, err)
	}
	if pid == 0 {
		return 0, nil
	}
	var works bool
	err = s.subscriber.conn.QueryRow(ctx, "select exists (select from pg_catalog.pg_stat_subscription where subname = $1 and pid is not null)", s.name).Scan(&works)
	if err != nil {
		return 0, fmt.Errorf("look for the worker of subscription %q on %s: %w", s.name, s.subscriber.side, err)
	}
	if works {
		return 0, nil
	}
	return pid, nil
}
