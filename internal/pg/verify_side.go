package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// reading is one side of the comparison, read at one moment: the session that
// holds the snapshot, which further sessions join.
type reading struct {
	side     Side
	dsn      secret.DSN
	conn     *pgx.Conn
	snapshot string
	version  int
}

const verifyApplication = "evac verify"

func openReading(ctx context.Context, dsn secret.DSN, side Side) (*reading, error) {
	r := &reading{side: side, dsn: dsn}
	var err error
	if r.conn, err = Connect(ctx, dsn, ConnOptions{Application: verifyApplication, Side: side}); err != nil {
		return nil, err
	}
	if err := r.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("take snapshot of %s: %w", side, err), r.close(ctx))
	}
	return r, nil
}

func (r *reading) begin(ctx context.Context) (err error) {
	if r.version, err = Version(ctx, r.conn); err != nil {
		return err
	}
	if r.version < oldestSource {
		return fault.New(fault.Invalid, fmt.Sprintf("server version %s is too old, want %s or later", versionName(r.version), majorName(oldestSource)), "")
	}
	if err := run(ctx, r.conn, beginSnapshot); err != nil {
		return err
	}
	return r.conn.QueryRow(ctx, "select pg_export_snapshot()").Scan(&r.snapshot)
}

// join opens another session at the same moment.
func (r *reading) join(ctx context.Context) (*pgx.Conn, error) {
	conn, err := Connect(ctx, r.dsn, ConnOptions{Application: verifyApplication, Side: r.side})
	if err != nil {
		return nil, err
	}
	if err := run(ctx, conn, beginSnapshot+"; set transaction snapshot "+Literal(r.snapshot)); err != nil {
		return nil, errors.Join(fmt.Errorf("join snapshot of %s: %w", r.side, err), hangUp(ctx, conn))
	}
	return conn, nil
}

func (r *reading) close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	return hangUp(ctx, r.conn)
}

// refuseSame refuses to compare a database with itself.
func refuseSame(ctx context.Context, source, target *reading) error {
	same, err := oneDatabase(ctx, source.conn, target.conn)
	if err != nil || !same {
		return err
	}
	return fault.New(fault.Invalid, fmt.Sprintf("source %s and target %s are the same database", source.dsn, target.dsn), "give two different connection strings")
}
