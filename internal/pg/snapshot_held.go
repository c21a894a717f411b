package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// HeldSnapshot is a snapshot that another session of the source has exported
// and holds, and the mark that was taken before it was made.
type HeldSnapshot struct {
	ID   string     `json:"id"`
	Mark FreezeMark `json:"mark"`
	// Sight is which transactions it sees: another snapshot that comes by the
	// same ID later, after a restart of the server, has another.
	Sight string `json:"sight,omitempty"`
	// PID is the server's process of the session that holds it, 0 if that is
	// one of this program.
	PID int `json:"pid,omitempty"`
	// Keep, if set, tells a new holder that it is written down who it is. One
	// that is not told so ends with the process that started it.
	Keep func() error `json:"-"`
}

// keep lets the holder of a snapshot outlive this process.
func (h *HeldSnapshot) keep() error {
	if h == nil || h.Keep == nil {
		return nil
	}
	if err := h.Keep(); err != nil {
		return fmt.Errorf("keep the holder of the snapshot: %w", err)
	}
	h.Keep = nil // once is enough
	return nil
}

// same tells whether both are one moment of one server.
func (h *HeldSnapshot) same(other *HeldSnapshot) bool {
	return h != nil && other != nil && h.Sight != "" && h.ID == other.ID && h.Sight == other.Sight && h.Mark.System == other.Mark.System
}

// holderName is how the session of a detached holder shows itself.
const holderName = "evac snapshot"

// sightQuery is what a snapshot sees.
const sightQuery = "select pg_catalog.txid_current_snapshot()::text"

const (
	// holderIdle is for how long a holder waits for a copy that was cut off to
	// be gone on with: as long as it stands the source keeps old rows.
	holderIdle  = time.Hour
	holderPause = 5 * time.Second
)

// HoldSnapshot holds a snapshot of the source, of that moment or, if from is
// given, of the same moment as that. It calls ready once it stands, and returns
// when the session was ended, ctx is done, or no session of a copy has been
// there for an hour. It is the whole life of a process of its own, so that a
// copy that is killed finds its moment again.
func HoldSnapshot(ctx context.Context, dsn secret.DSN, from *HeldSnapshot, ready func(HeldSnapshot) error) (err error) {
	s, err := holdSnapshot(ctx, dsn, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.release(ctx)) }()
	held := HeldSnapshot{ID: s.ID, Mark: s.Mark, PID: int(s.conn.PgConn().PID())}
	if err := run(ctx, s.conn, "set application_name = "+Literal(holderName)); err != nil {
		return fmt.Errorf("hold snapshot of source: %w", err)
	}
	if err := s.conn.QueryRow(ctx, sightQuery).Scan(&held.Sight); err != nil {
		return fmt.Errorf("hold snapshot of source: %w", err)
	}
	if err := ready(held); err != nil {
		return err
	}
	return s.stay(ctx)
}

// stay waits until nobody wants the snapshot any more.
func (s *snapshot) stay(ctx context.Context) error {
	tick := time.NewTicker(holderPause)
	defer tick.Stop()
	for wanted := time.Now(); time.Since(wanted) < holderIdle; {
		var users int
		err := s.conn.QueryRow(ctx, `
			select count(*) from (select pg_catalog.pg_stat_clear_snapshot()) c, pg_catalog.pg_stat_activity a
			where a.datname = current_database() and left(a.application_name, length($1::text)) = $1`, applicationName).Scan(&users)
		if err != nil {
			return fmt.Errorf("hold snapshot of source: %w", err)
		}
		if users > 0 {
			wanted = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// stillHeld tells whether the snapshot can be joined yet, and is the same.
func stillHeld(ctx context.Context, dsn secret.DSN, held HeldSnapshot) (is bool, err error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: applicationName, Side: Source})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	switch err := run(ctx, conn, beginSnapshot+"; set transaction snapshot "+Literal(held.ID)); {
	case code(err) == invalidParameter, code(err) == "42704", code(err) == "55000": // it is there no more
		return false, nil
	case err != nil:
		return false, fmt.Errorf("join snapshot %s of source: %w", held.ID, err)
	}
	var sight string
	if err := conn.QueryRow(ctx, sightQuery).Scan(&sight); err != nil {
		return false, fmt.Errorf("join snapshot %s of source: %w", held.ID, err)
	}
	return sight == held.Sight, nil
}

// letGo ends the session of a detached holder, and with it the holder.
func letGo(ctx context.Context, conn *pgx.Conn, held *HeldSnapshot) error {
	if held == nil || held.PID == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, `
		select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
		where pid = $1 and datname = current_database() and application_name = $2`, held.PID, holderName)
	if err != nil {
		return fmt.Errorf("let go of the source's snapshot: %w", err)
	}
	return nil
}
