package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// Side says which of the two databases is meant; it stands in every error.
type Side string

// The sides.
const (
	Source Side = "source"
	Target Side = "target"
)

// ConnOptions say how to connect.
type ConnOptions struct {
	// Application is shown in pg_stat_activity, "evac copy".
	Application string
	// Side names the database in errors.
	Side Side
	// Settings are session settings over the pinned ones; one that the
	// server does not know is left out.
	Settings map[string]string
	// Startup are settings that take effect with the login itself; a server
	// refuses the login for one that it does not know or the user may not set.
	Startup map[string]string
	// Tap lets COPY's data be taken as bytes, see tap.
	Tap bool
}

// connectTimeout bounds one attempt to connect where the DSN says nothing.
const connectTimeout = 15 * time.Second

// hangUpLimit bounds the farewell of a session.
const hangUpLimit = 5 * time.Second

// pinned are the settings under which a value has one text form on every
// server and version, and no session limit cuts long work off.
func pinned() map[string]string {
	return map[string]string{
		"DateStyle":                           "ISO, MDY",
		"IntervalStyle":                       "postgres",
		"TimeZone":                            "UTC",
		"extra_float_digits":                  "3",
		"bytea_output":                        "hex",
		"xmlbinary":                           "base64",
		"xmloption":                           "content",
		"lc_monetary":                         "C", // money's text and scale depend on it
		"array_nulls":                         "on",
		"jit":                                 "off", // compiling costs more than it saves in what evac asks
		"quote_all_identifiers":               "off",
		"standard_conforming_strings":         "on",
		"search_path":                         "",
		"row_security":                        "off", // refuse rather than hide rows
		"synchronize_seqscans":                "off",
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_in_transaction_session_timeout": "0",
		"idle_session_timeout":                "0",
		"transaction_timeout":                 "0",
	}
}

// Connect opens a session with the pinned settings; for a server that starts or
// recovers it waits up to readyLimit. Its errors never hold the password; a
// refused login is fault.Denied.
func Connect(ctx context.Context, dsn secret.DSN, o ConnOptions) (*pgx.Conn, error) {
	op := fmt.Sprintf("connect to %s %s", o.Side, dsn)
	config, err := pgx.ParseConfig(dsn.Reveal())
	if err != nil {
		// The parser's own text repeats the string, password and all.
		return nil, fault.New(fault.Invalid, op+": the connection string cannot be read",
			"write it as postgres://USER@HOST:PORT/DATABASE or host=HOST port=PORT dbname=DATABASE user=USER")
	}
	config.RuntimeParams["application_name"] = o.Application
	maps.Copy(config.RuntimeParams, o.Startup)
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	settings, err := alive(&config.Config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	loss{o.Side, dsn}.tell(&config.Config)
	var place **tap
	if o.Tap {
		place = tapped(config)
	}
	conn, err := connectStarted(ctx, config, settings)
	if err != nil {
		return nil, connectFault(ctx, op, dsn, err)
	}
	loggedIn(conn.PgConn())
	if o.Tap {
		conn.PgConn().CustomData()[tapKeptFor] = *place
	}
	maps.Copy(settings, o.Settings)
	if err := pin(ctx, conn, settings); err != nil {
		err = connectFault(ctx, op, dsn, err)
		return nil, errors.Join(err, hangUp(ctx, conn))
	}
	return conn, nil
}

// pin sets the session up. The user's statement timeout must not cut even that
// off. Settings go through set_config, not the startup packet, so that a
// server's ignorance of one is no failure.
func pin(ctx context.Context, conn *pgx.Conn, more map[string]string) error {
	settings := pinned()
	if conn.PgConn().ParameterStatus("server_encoding") != "SQL_ASCII" {
		// A database without an encoding hands its bytes over as they are.
		settings["client_encoding"] = "UTF8"
	}
	for name, value := range more {
		settings[name] = value
	}
	var names, values []string
	for name, value := range settings {
		names, values = append(names, name), append(values, value)
	}
	if err := run(ctx, conn, "set statement_timeout = 0"); err != nil {
		return fmt.Errorf("set session: %w", err)
	}
	_, err := conn.Exec(ctx, `
		select pg_catalog.set_config(s.name, v.value, false)
		from unnest($1::text[], $2::text[]) v(name, value)
		join pg_catalog.pg_settings s on lower(s.name) = lower(v.name)
		where lower(s.name) <> $3 or pg_catalog.version() !~* 'windows|visual c|mingw'`, names, values, clientCheck) // which cannot do that
	if err != nil {
		return fmt.Errorf("set session: %w", err)
	}
	return nil
}

// connectFault classes a failed connect and drops everything that could hold
// the password: only the innermost cause is shown, scrubbed.
func connectFault(ctx context.Context, op string, dsn secret.DSN, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	var redact secret.Redactor
	redact.AddDSN(dsn)
	var server *pgconn.PgError
	if errors.As(err, &server) {
		kind, hint := refusal(server, dsn)
		return fault.Wrap(kind, op, errors.New(redact.Text(server.Message)+" (SQLSTATE "+server.Code+")"), hint)
	}
	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return fault.Wrap(fault.Failed, op, fmt.Errorf("no address for host %q", name.Name), "check the host name in the connection string")
	case errors.As(err, &dial):
		options, _ := programOptions(dsn, false)
		return fault.Wrap(fault.Failed, op, errors.New(redact.Text(dial.Error())), "check that the server runs, and that firewalls let you in: pg_isready "+options)
	}
	return fault.Wrap(fault.Failed, op, errors.New(redact.Text(innermost(err))), "check host, port and sslmode of the connection string")
}

// refusal says what kind of refusal a server's error at login is, and what to do.
func refusal(err *pgconn.PgError, dsn secret.DSN) (fault.Kind, string) {
	switch err.Code {
	case "28P01", "28000":
		return fault.Denied, "check user and password, and pg_hba.conf of the server"
	case "42501":
		return fault.Denied, "grant connect on the database to the user, or take another user"
	case "3D000":
		return fault.Failed, "check its name, or create it first: " + createCommand(dsn)
	case "53300":
		return fault.Failed, "the server has no free connection: raise max_connections, or take fewer jobs"
	case diskFull:
		return fault.Failed, roomHint
	case cannotConnectNow:
		options, _ := programOptions(dsn, false)
		return fault.Failed, fmt.Sprintf("it still starts, recovers or stops after %s: try again once it takes clients: pg_isready %s", readyLimit, options)
	}
	return fault.Failed, ""
}

func innermost(err error) string {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		err = next
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// Version is the server's version number, 150020 for 15.20.
func Version(ctx context.Context, conn *pgx.Conn) (int, error) {
	var n int
	err := conn.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read server version: %w", err)
	}
	return n, nil
}

// Quote writes a name, or a path of names, as SQL: "public"."Odd ""name""".
func Quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

// Literal writes a text as an SQL constant. It holds under
// standard_conforming_strings = on, which every session of Connect has.
func Literal(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// sqlState is the code of a server's refusal, "" if it is none.
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}
