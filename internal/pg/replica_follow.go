package pg

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// startLimit bounds the start of a replica: it takes connections once it has
// replayed the write-ahead log of its backup.
const startLimit = time.Hour

// start starts the server unless it runs.
func (r *replica) start(ctx context.Context) error {
	if r.Local.Start != "" {
		if conn, err := r.openOwn(ctx); err == nil {
			return hangUp(ctx, conn)
		}
		if err := shell(ctx, r.Local.Start); err != nil {
			return fmt.Errorf("start the replica: %w", err)
		}
		return nil
	}
	running, err := r.Local.running(ctx, r.version/100_00)
	if running || err != nil {
		return err
	}
	err = r.Local.pgCtl(ctx, r.version/100_00, "start", "-t", fmt.Sprint(int(startLimit.Seconds())), "-l", filepath.Join(r.Local.Dir, replicaLog))
	return fault.Wrap(fault.Failed, "start the replica", err, "read "+filepath.Join(r.Local.Dir, replicaLog))
}

func (r *replica) openOwn(ctx context.Context) (*pgx.Conn, error) {
	return Connect(ctx, r.own, ConnOptions{Application: replicaApplication, Side: Target})
}

// followPause is the time between two looks at a replica that does not follow
// yet, followStall how long it may stand still.
const (
	followPause = 50 * time.Millisecond
	followStall = 5 * time.Minute
)

// awaitFollowing waits until the replica streams and has replayed (a delayed
// one: received) all that the primary had written when the waiting began.
func (r *replica) awaitFollowing(ctx context.Context) (ReplicaLag, error) {
	var aim, last string
	if err := r.primary.QueryRow(ctx, "select pg_current_wal_flush_lsn()::text").Scan(&aim); err != nil {
		return ReplicaLag{}, fmt.Errorf("read the position of the primary: %w", err)
	}
	since := time.Now()
	for {
		seen, err := r.look(ctx, aim)
		if seen.follows {
			return seen.ReplicaLag, nil
		}
		if ctx.Err() != nil {
			return ReplicaLag{}, context.Cause(ctx)
		}
		if seen.at != last {
			since, last = time.Now(), seen.at
		}
		if fault.KindOf(err) == fault.Denied || time.Since(since) > followStall {
			return ReplicaLag{}, errors.Join(err, fault.New(fault.Failed, fmt.Sprintf("the replica does not follow (%s)", seen), "read its log: "+filepath.Join(r.Local.Dir, replicaLog)))
		}
		select {
		case <-ctx.Done():
		case <-time.After(followPause):
		}
	}
}

// following is what is seen of a replica on both sides.
type following struct {
	ReplicaLag
	standby bool
	system  string
	// state is that of the primary's sender ("connected" where the user may not
	// see more), at the replica's position.
	state, at string
	follows   bool
}

// String says how it stands.
func (f following) String() string {
	return fmt.Sprintf("it is at %q, and the primary's sender says %q", f.at, f.state)
}

// look looks once. A replica that takes no sessions yet is an error.
func (r *replica) look(ctx context.Context, aim string) (f following, err error) {
	var now string
	err = r.primary.QueryRow(ctx, `
		select pg_current_wal_flush_lsn()::text, coalesce((
			select coalesce(s.state, 'connected') from pg_catalog.pg_replication_slots r join pg_catalog.pg_stat_replication s on s.pid = r.active_pid
			where r.slot_name = $1), 'not connected')`, r.Slot).Scan(&now, &f.state)
	if err != nil {
		return f, fmt.Errorf("ask the primary for the replica: %w", err)
	}
	own, err := r.openOwn(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, own)) }()
	var reached bool
	var behind float64
	err = own.QueryRow(ctx, `
		select pg_is_in_recovery(), (select system_identifier::text from pg_catalog.pg_control_system()), s.replayed::text,
			case when $3 then s.received else s.replayed end >= $1::text::pg_lsn,
			greatest(pg_wal_lsn_diff($2::text::pg_lsn, s.replayed), 0)::bigint, greatest(pg_wal_lsn_diff($2::text::pg_lsn, s.received), 0)::bigint,
			case when $2::text::pg_lsn > s.replayed then coalesce(extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), 0) else 0 end::float8
		from (select coalesce(pg_last_wal_receive_lsn(), '0/0') as received, coalesce(pg_last_wal_replay_lsn(), '0/0') as replayed) s`,
		aim, now, r.Delay > 0).Scan(&f.standby, &f.system, &f.at, &reached, &f.Bytes, &f.Received, &behind)
	if err != nil {
		return f, fmt.Errorf("ask the replica: %w", err)
	}
	f.Behind = time.Duration(behind * float64(time.Second))
	f.follows = f.standby && reached && (f.state == "streaming" || f.state == "connected") && f.system == r.system
	return f, nil
}

// verifyLimit is how long a replica may take to reach where the primary was
// when it was asked.
const verifyLimit = 30 * time.Second

// VerifyReplica proves from outside that the replica of that system identifier
// follows now.
func VerifyReplica(ctx context.Context, o ReplicaOptions, system string) (lag ReplicaLag, err error) {
	r, err := openReplica(ctx, o)
	if err != nil {
		return lag, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	if r.system != system {
		return lag, fault.New(fault.Failed, fmt.Sprintf("the primary is another cluster now: system identifier %s, was %s", r.system, system), "")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, verifyLimit, fmt.Errorf("it has not reached the primary's position after %s", verifyLimit))
	defer cancel()
	lag, err = r.awaitFollowing(ctx)
	return lag, fault.Wrap(fault.KindOf(err), fmt.Sprintf("verify replica %q", o.Local.Dir), err, "")
}
