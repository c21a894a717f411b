package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// exportedSlot is a new slot together with the snapshot that it begins at,
// which ends when the session that made it is closed or used again.
type exportedSlot struct {
	conn *pgconn.PgConn
	held HeldSnapshot
}

// exportSlot makes the stream's slot over a replication connection: what the
// slot will send is exactly what its snapshot does not see.
func (s *replication) exportSlot(ctx context.Context) (*exportedSlot, error) {
	mark, err := TakeMark(ctx, s.publisher.conn)
	if err != nil {
		return nil, fmt.Errorf("mark %s: %w", s.publisher.side, err)
	}
	config, err := pgconn.ParseConfig(s.publisher.dsn.Reveal())
	if err != nil {
		return nil, errors.New("the connection string of the " + string(s.publisher.side) + " cannot be read") // the parser's text repeats it
	}
	config.RuntimeParams["replication"] = "database"
	config.RuntimeParams["application_name"] = followApplication
	if err := aliveReplication(config); err != nil {
		return nil, err
	}
	loss{s.publisher.side, s.publisher.dsn}.tell(config)
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectFault(ctx, fmt.Sprintf("connect to %s %s for replication", s.publisher.side, s.publisher.dsn), s.publisher.dsn, err)
	}
	loggedIn(conn)
	// The session waits in a transaction for as long as its snapshot is wanted.
	const patient = `select pg_catalog.set_config(name, '0', false) from pg_catalog.pg_settings
		where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')`
	if _, err := conn.Exec(ctx, patient).ReadAll(); err != nil {
		return nil, errors.Join(fmt.Errorf("set session of replication on %s: %w", s.publisher.side, err), closeReplication(ctx, conn))
	}
	// Old servers know this form only, new ones still know it.
	results, err := conn.Exec(ctx, "CREATE_REPLICATION_SLOT "+Quote(s.name)+" LOGICAL pgoutput EXPORT_SNAPSHOT").ReadAll()
	if err == nil && (len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < 3) {
		err = errors.New("the server's answer is not that of a new slot")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make replication slot on %s: %w", s.publisher.side, err), closeReplication(ctx, conn))
	}
	return &exportedSlot{conn: conn, held: HeldSnapshot{ID: string(results[0].Rows[0][2]), Mark: mark}}, nil
}

// close ends the exported snapshot; the slot stays.
func (x *exportedSlot) close(ctx context.Context) error { return closeReplication(ctx, x.conn) }

func closeReplication(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpLimit)
	defer cancel()
	return conn.Close(ctx)
}

// makeSlot makes the stream's slot where no snapshot is needed, because nobody
// writes: what is committed from now on will be sent. One that stands stays.
func (s *replication) makeSlot(ctx context.Context) error {
	_, err := s.publisher.conn.Exec(ctx, `
		select pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')
		where not exists (select from pg_catalog.pg_replication_slots where slot_name = $1)`, s.name)
	if err != nil {
		return fmt.Errorf("make replication slot on %s: %w", s.publisher.side, err)
	}
	return nil
}

// slotLeaves is how long the server's side of a stream may take to end before
// its process is told to.
const slotLeaves = 2 * time.Second

// dropSlot drops the slot, if it is there, once nobody uses it any more.
func (s *replication) dropSlot(ctx context.Context) error {
	tick, patience := time.NewTicker(streamPause), time.After(slotLeaves)
	defer tick.Stop()
	for {
		var user *int
		err := s.publisher.conn.QueryRow(ctx, "select active_pid from pg_catalog.pg_replication_slots where slot_name = $1", s.name).Scan(&user)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err == nil && user == nil {
			_, err = s.publisher.conn.Exec(ctx, "select pg_catalog.pg_drop_replication_slot($1)", s.name)
		}
		var refused *pgconn.PgError
		if err != nil && !(errors.As(err, &refused) && refused.Code == objectInUse) {
			return fmt.Errorf("drop replication slot %q on %s: %w", s.name, s.publisher.side, err)
		}
		select {
		case <-tick.C:
		case <-patience:
			if _, err := s.publisher.conn.Exec(ctx, "select pg_catalog.pg_terminate_backend(active_pid) from pg_catalog.pg_replication_slots where slot_name = $1 and active_pid is not null", s.name); err != nil {
				return fmt.Errorf("end the user of replication slot %q on %s: %w", s.name, s.publisher.side, err)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// objectInUse is the SQLSTATE of a slot that somebody uses.
const objectInUse = "55006"
