package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ServerChange is a setting of a whole server that is changed by ALTER SYSTEM.
// An empty Old is none.
type ServerChange struct {
	Side    Side
	Setting string
	Old     string
	New     string
}

// ID names the change uniquely: "source/autovacuum".
func (c ServerChange) ID() string { return string(c.Side) + "/" + c.Setting }

// String says whose setting it is.
func (c ServerChange) String() string {
	switch c.Side {
	case Source:
		return c.Setting + " of the old primary's server"
	case Target:
		return c.Setting + " of the standby's server"
	}
	return c.Setting + " of the server"
}

// systemSetting reads what ALTER SYSTEM has given the setting, "" if nothing.
func systemSetting(ctx context.Context, conn *pgx.Conn, c ServerChange) (value string, err error) {
	err = conn.QueryRow(ctx, `
		select coalesce((select setting from pg_catalog.pg_file_settings
			where name = $1 and sourcefile like '%postgresql.auto.conf' order by seqno desc limit 1), '')`, c.Setting).Scan(&value)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", c, err)
	}
	return value, nil
}

// alterSystem gives the setting a value; "" takes it away.
func alterSystem(ctx context.Context, conn *pgx.Conn, c ServerChange, value string) error {
	sql := "alter system set " + c.Setting + " = " + Literal(value)
	switch {
	case value == "":
		sql = "alter system reset " + c.Setting
	case c.Setting == fenceSetting: // a list, as the server writes it
		sql = "alter system set " + c.Setting + " = " + value
	}
	if err := run(ctx, conn, sql); err != nil {
		return fmt.Errorf("change %s: %w", c, err)
	}
	return nil
}

// reload lets the server read its settings anew.
func reload(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "select pg_reload_conf()"); err != nil {
		return fmt.Errorf("reload the settings: %w", err)
	}
	return nil
}

// alterServer changes settings and lets the server read them.
func alterServer(ctx context.Context, conn *pgx.Conn, changes []ServerChange, value func(ServerChange) string) error {
	for _, c := range changes {
		if err := alterSystem(ctx, conn, c, value(c)); err != nil {
			return err
		}
	}
	return reload(ctx, conn)
}
