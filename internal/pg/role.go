package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// Role is what a database is in replication.
type Role string

// The roles. A standby follows its primary block by block and takes no writes;
// a follower is filled by a logical subscription that evac made; whatever is
// neither is a primary.
const (
	RoleStandby  Role = "standby"
	RoleFollower Role = "follower"
	RolePrimary  Role = "primary"
)

// RoleOf tells what the database is in replication.
func RoleOf(ctx context.Context, dsn secret.DSN) (role Role, err error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: promoteApplication, Side: Target})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	return roleOf(ctx, conn)
}

func roleOf(ctx context.Context, conn *pgx.Conn) (Role, error) {
	var standby bool
	if err := conn.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby); err != nil {
		return "", fmt.Errorf("ask whether it is a standby: %w", err)
	}
	if standby {
		return RoleStandby, nil
	}
	version, err := Version(ctx, conn)
	if err != nil || version < firstSubscriptions {
		return RolePrimary, err
	}
	var follower bool
	err = conn.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
			where d.datname = current_database() and left(s.subname::text, length($1)) = $1)`, followPrefix).Scan(&follower)
	if err != nil {
		return "", fmt.Errorf("ask whether it follows: %w", err)
	}
	if follower {
		return RoleFollower, nil
	}
	return RolePrimary, nil
}
