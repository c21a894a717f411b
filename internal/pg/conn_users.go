package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// timeZone is the setting that says which day a moment is.
const timeZone = "TimeZone"

// usersSettings are those of the pinned settings by which the same expression
// gives another value, as a user's session of this database has them: evac's own
// stand for how values travel, not for what a materialized view holds.
func usersSettings(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	rows, err := conn.Query(ctx, "select name, reset_val from pg_catalog.pg_settings where name = any($1::text[]) and reset_val is not null",
		[]string{timeZone, "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "lc_monetary", "xmlbinary"})
	if err != nil {
		return nil, fmt.Errorf("read settings of users: %w", err)
	}
	settings := map[string]string{}
	var name, value string
	if _, err := pgx.ForEachRow(rows, []any{&name, &value}, func() error { settings[name] = value; return nil }); err != nil {
		return nil, fmt.Errorf("read settings of users: %w", err)
	}
	return settings, nil
}

// asUsers does something in a session that computes as users do. What they set
// and this server does not know (a locale, a time zone of old) stays as it is.
func asUsers(ctx context.Context, conn *pgx.Conn, users map[string]string, do func() error) (err error) {
	before := map[string]string{}
	defer func() { err = errors.Join(err, setKnown(ctx, conn, before, nil)) }()
	if err := setKnown(ctx, conn, users, before); err != nil {
		return err
	}
	return do()
}

// setKnown sets what the server takes, and enters the values from before.
func setKnown(ctx context.Context, conn *pgx.Conn, settings, before map[string]string) error {
	for name, value := range settings {
		var old string
		if err := conn.QueryRow(ctx, "select pg_catalog.current_setting($1)", name).Scan(&old); err != nil {
			return fmt.Errorf("set session: %w", err)
		}
		_, err := conn.Exec(ctx, "select pg_catalog.set_config($1, $2, false)", name, value)
		switch {
		case code(err) == invalidParameter:
		case err != nil:
			return fmt.Errorf("set %s of session: %w", name, err)
		case before != nil:
			before[name] = old
		}
	}
	return nil
}

// invalidParameter is the SQLSTATE of a value that a setting does not take.
const invalidParameter = "22023"
