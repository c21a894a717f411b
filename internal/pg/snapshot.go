package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// applicationName is how evac's sessions show themselves.
const applicationName = "evac copy"

// snapshot is one moment of the source that many sessions read. It stands as
// long as the session that exported it: one of this process, so that it ends
// with a kill, or that of a holder which outlives it.
type snapshot struct {
	// ID joins another session to it.
	ID string
	// Mark was taken just before it: if nothing was written since the mark,
	// any later snapshot sees the same.
	Mark FreezeMark
	// conn reads the source's catalogs at that moment.
	conn *pgx.Conn
	dsn  secret.DSN
	// tap is for the sessions that join.
	tap bool
}

// beginSnapshot is how every reading session begins: nothing that happens
// later is seen, nothing can be written.
const beginSnapshot = "begin isolation level repeatable read, read only"

// holdSnapshot takes a mark and exports a snapshot; given one that is held, it
// joins that and exports it again, so that the first holder may go.
func holdSnapshot(ctx context.Context, dsn secret.DSN, held *HeldSnapshot) (*snapshot, error) {
	s := &snapshot{dsn: dsn}
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	begin := beginSnapshot
	if held == nil {
		s.Mark, err = TakeMark(ctx, conn)
	} else {
		s.Mark = held.Mark
		begin += "; set transaction snapshot " + Literal(held.ID)
	}
	if err == nil {
		if err = run(ctx, conn, begin); err == nil {
			err = conn.QueryRow(ctx, "select pg_catalog.pg_export_snapshot()").Scan(&s.ID)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take snapshot of source: %w", err), s.release(ctx))
	}
	return s, nil
}

// join opens another session that sees the source at the same moment.
func (s *snapshot) join(ctx context.Context) (*pgx.Conn, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := run(ctx, conn, beginSnapshot+"; set transaction snapshot "+Literal(s.ID)+"; savepoint unlocked"); err != nil {
		return nil, errors.Join(fmt.Errorf("join snapshot %s of source: %w", s.ID, err), hangUp(ctx, conn))
	}
	return conn, nil
}

// unlock gives back the locks that a session which joined has taken so far: it
// reads every table of a database in one transaction, and a server has room for
// a limited number of locks.
func unlock(ctx context.Context, conn *pgx.Conn) error {
	if err := run(ctx, conn, "rollback to unlocked"); err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	return nil
}

// connect opens a session on the source that is in no transaction.
func (s *snapshot) connect(ctx context.Context) (*pgx.Conn, error) {
	return Connect(ctx, s.dsn, ConnOptions{Application: applicationName, Side: Source, Tap: s.tap})
}

// unwrittenSince tells whether this snapshot sees what was seen at an older
// mark, and why.
func (s *snapshot) unwrittenSince(ctx context.Context, mark FreezeMark) (bool, string, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return false, "", err
	}
	same, why, err := unwrittenSince(ctx, conn, mark)
	return same, why, errors.Join(err, hangUp(ctx, conn))
}

// unwrittenSince is UnwrittenSince also for a standby, which does not count the
// rows that it replays: there only the transaction counter proves anything.
func unwrittenSince(ctx context.Context, conn *pgx.Conn, mark FreezeMark) (bool, string, error) {
	var standby bool
	if err := conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby); err != nil {
		return false, "", fmt.Errorf("ask whether source is a standby: %w", err)
	}
	if !standby {
		return UnwrittenSince(ctx, conn, mark)
	}
	now, err := TakeMark(ctx, conn)
	if err != nil || now.silentSince(mark) {
		return err == nil, "no transaction was replayed", err
	}
	return false, "it is a standby that has replayed transactions", nil
}

// release ends the snapshot for all.
func (s *snapshot) release(ctx context.Context) error { return hangUp(ctx, s.conn) }

// run executes statements, one or many, without parameters.
func run(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// hangUp closes a session, also when the work's context has ended.
func hangUp(ctx context.Context, conn *pgx.Conn) error {
	if conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpLimit)
	defer cancel()
	return conn.Close(ctx)
}
