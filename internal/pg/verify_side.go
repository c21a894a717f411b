package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// reading is one side of the comparison, read at one moment: the session that
// holds the snapshot, which further sessions join.
type reading struct {
	side    Side
	dsn     secret.DSN
	conn    *pgx.Conn
	version int
	// roach is what is known of a CockroachDB, nil for PostgreSQL.
	roach *roach
	// carried limits it to what logical replication carries.
	carried bool
	// kept is the SQL of views whose rows are not compared, "" none.
	kept string
	// moment is the statement by which a session reads at it.
	moment string
}

const verifyApplication = "evac verify"

// unlocked is the savepoint that gives the locks of what was read back: a
// server has room for a limited number.
const unlocked = "savepoint unlocked"

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
	if r.roach, err = askRoach(ctx, r.conn); err != nil {
		return err
	}
	if r.roach != nil {
		r.moment, err = r.roach.begin(ctx, r.conn)
		return err
	}
	if r.version, err = Version(ctx, r.conn); err != nil {
		return err
	}
	if r.version < oldestSource {
		return fault.New(fault.Invalid, fmt.Sprintf("server version %s is too old, want %s or later", versionName(r.version), majorName(oldestSource)), "")
	}
	if err := run(ctx, r.conn, beginSnapshot); err != nil {
		return err
	}
	var id string
	if err := r.conn.QueryRow(ctx, "select pg_catalog.pg_export_snapshot()").Scan(&id); err != nil {
		return err
	}
	r.moment = beginSnapshot + "; set transaction snapshot " + Literal(id)
	return nil
}

// join opens another session at the same moment.
func (r *reading) join(ctx context.Context) (*pgx.Conn, error) {
	conn, err := Connect(ctx, r.dsn, ConnOptions{Application: verifyApplication, Side: r.side})
	if err != nil {
		return nil, err
	}
	if err := run(ctx, conn, r.moment+"; "+unlocked); err != nil {
		return nil, errors.Join(fmt.Errorf("join snapshot of %s: %w", r.side, err), hangUp(ctx, conn))
	}
	return conn, nil
}

// rows reads a query's rows in a session that joined.
func (r *reading) rows(ctx context.Context, conn *pgx.Conn, sql string, to taker) error {
	if r.roach != nil && !r.roach.copies() {
		return r.roach.selectOut(ctx, conn, sql, to)
	}
	if err := copyOut(ctx, conn, "copy ("+sql+") to stdout", to); err != nil {
		return err
	}
	return run(ctx, conn, "rollback to "+strings.TrimPrefix(unlocked, "savepoint "))
}

func (r *reading) close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	return hangUp(ctx, r.conn)
}

// refuseSame refuses to compare a database with itself.
func refuseSame(ctx context.Context, source, target *reading) error {
	var same bool
	var err error
	switch {
	case source.roach == nil && target.roach == nil:
		same, err = oneDatabase(ctx, source.conn, target.conn)
	case source.roach != nil && target.roach != nil:
		same = source.roach.cluster == target.roach.cluster && source.roach.database == target.roach.database
	}
	if err != nil || !same {
		return err
	}
	return fault.New(fault.Invalid, fmt.Sprintf("source %s and target %s are the same database", source.dsn, target.dsn), "give two different connection strings")
}
