package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A client that the server turns away never shows as a session. Who it was
// stands in the server's log alone.

// Try is a client that tried to connect to the database and was refused.
type Try struct {
	User        string `json:"user"`
	Address     string `json:"address"`
	Application string `json:"application"`
	// Count is how often, Last when the last time, by the log's own clock.
	Count int    `json:"count"`
	Last  string `json:"last"`
}

// String names who it was: `user "app" from 10.0.0.3, application "web"`.
func (t Try) String() string {
	unknown := func(text, quoted string) string {
		if text == "" {
			return "unknown"
		}
		return quoted
	}
	return fmt.Sprintf("user %s from %s, application %s", unknown(t.User, fmt.Sprintf("%q", t.User)), unknown(t.Address, t.Address),
		unknown(t.Application, fmt.Sprintf("%q", t.Application)))
}

// Tries are the clients that tried, most often first.
type Tries struct {
	List []Try `json:"list"`
	// Blind says why not all can be known, and what would change that; empty:
	// all are known.
	Blind string `json:"blind"`
}

// serverLog is where the server writes its log, and how.
type serverLog struct {
	Collector, Connections, Readable bool
	Prefix, File                     string
	Since                            string // in the log's own words
}

// logTail is how much of the end of the log is read, in bytes.
const logTail = 8 << 20

// whoTries lists who was refused a connection to the database since a time, by
// the server's log as far as the user may read it.
func (f *freezer) whoTries(ctx context.Context, since time.Time) (Tries, error) {
	l, err := f.serverLog(ctx, since)
	if err != nil {
		return Tries{}, err
	}
	if blind := l.blind(); blind != "" {
		return Tries{Blind: blind}, nil
	}
	var tail []byte
	var size int64
	err = f.conn.QueryRow(ctx, `
		select pg_catalog.pg_read_binary_file($1, greatest(s.size - $2, 0), $2), s.size from pg_catalog.pg_stat_file($1) s`, l.File, int64(logTail)).Scan(&tail, &size)
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return Tries{Blind: fmt.Sprintf("the server's log %s cannot be read: %s", l.File, refused.Message)}, nil
	}
	if err != nil {
		return Tries{}, fmt.Errorf("read the server's log: %w", err)
	}
	if size > logTail { // begins in the middle of a line
		_, tail, _ = bytes.Cut(tail, []byte("\n"))
	}
	entries, err := l.parse(tail)
	if err != nil {
		return Tries{}, err
	}
	tries := Tries{List: refusedIn(entries, f.database, l.Since)}
	if slices.ContainsFunc(tries.List, func(t Try) bool { return t.User == "" || t.Address == "" }) && !l.Connections {
		tries.Blind = "the server's log does not say who connects; alter system set log_connections = on; select pg_reload_conf()"
	}
	return tries, nil
}

// serverLog finds the newest file of the log.
func (f *freezer) serverLog(ctx context.Context, since time.Time) (l serverLog, err error) {
	err = f.conn.QueryRow(ctx, fit(f.conn, `
		select current_setting('logging_collector')::boolean, current_setting('log_connections') not in ('off', ''), current_setting('log_line_prefix'),
			to_char($1::timestamptz at time zone current_setting('log_timezone'), 'YYYY-MM-DD HH24:MI:SS'),
			has_function_privilege('pg_catalog.pg_current_logfile(text)', 'execute') and --[10+]
			(select rolsuper from pg_catalog.pg_roles where rolname = current_user) and --[<10]
			has_function_privilege('pg_catalog.pg_read_binary_file(text, bigint, bigint)', 'execute') and has_function_privilege('pg_catalog.pg_stat_file(text)', 'execute')`), since).
		Scan(&l.Collector, &l.Connections, &l.Prefix, &l.Since, &l.Readable)
	if err == nil && l.Collector && l.Readable {
		err = f.conn.QueryRow(ctx, fit(f.conn, `
			select coalesce(pg_catalog.pg_current_logfile('csvlog'), pg_catalog.pg_current_logfile('stderr'), '') --[10+]
			select d.name || '/' || n.file from (select current_setting('log_directory') as name) d --[<10]
			cross join lateral pg_catalog.pg_ls_dir(d.name) n(file) cross join lateral pg_catalog.pg_stat_file(d.name || '/' || n.file) s --[<10]
			where not s.isdir order by n.file like '%.csv' desc, s.modification desc limit 1 --[<10]
			`)).Scan(&l.File)
	}
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return l, fmt.Errorf("find the server's log: %w", err)
	}
	return l, nil
}

// blind says why the log tells nothing.
func (l serverLog) blind() string {
	switch {
	case !l.Collector:
		return "who was refused stands in the server's log alone, which is not in a file that the server knows of (logging_collector is off); look there, with log_connections = on"
	case !l.Readable || l.File == "":
		return "who was refused stands in the server's log alone, which is not there for the user to read; look there, with log_connections = on, or as a superuser: " +
			"grant pg_monitor to USER; grant execute on function pg_read_binary_file(text, bigint, bigint), pg_stat_file(text) to USER"
	case path.Ext(l.File) != ".csv" && !(strings.Contains(l.Prefix, "%m") || strings.Contains(l.Prefix, "%t")):
		return "the lines of the server's log have no time; alter system set log_line_prefix = '%m [%p] '; select pg_reload_conf()"
	}
	return ""
}
