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
	// system and database tell whether both sides are one.
	system   string
	database uint32
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
	if r.version < firstVerified {
		return fault.New(fault.Invalid, fmt.Sprintf("server version %d is too old, want 10 or later", r.version/100_00), "")
	}
	if err := run(ctx, r.conn, beginSnapshot); err != nil {
		return err
	}
	return r.conn.QueryRow(ctx, `
		select pg_export_snapshot(), d.oid, (select system_identifier::text from pg_catalog.pg_control_system())
		from pg_catalog.pg_database d where d.datname = current_database()`).Scan(&r.snapshot, &r.database, &r.system)
}

// firstVerified is the first version whose catalogs the comparison knows.
const firstVerified = 10_00_00

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
func refuseSame(source, target *reading) error {
	if source.system != target.system || source.database != target.database {
		return nil
	}
	return fault.New(fault.Invalid, fmt.Sprintf("source %s and target %s are the same database", source.dsn, target.dsn), "give two different connection strings")
}
