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
	return RolePrimary, nil
}
