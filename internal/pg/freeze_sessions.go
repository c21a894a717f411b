package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
)

// Session is a client's session in the database.
type Session struct {
	PID         int       `json:"pid"`
	User        string    `json:"user"`
	Address     string    `json:"address"` // "local" for a socket
	Application string    `json:"application"`
	Since       time.Time `json:"since"`       // when it began
	QueryStart  time.Time `json:"query_start"` // of its newest statement
	// Writing tells that its transaction has a number, as one that writes has.
	Writing bool `json:"writing"`
}

// String names who it is: `user "app" from 10.0.0.3, application "web" (statement at 02:03:04 UTC)`.
func (s Session) String() string {
	return fmt.Sprintf("user %q from %s, application %q (statement at %s)", s.User, s.Address, s.Application, clock(s.QueryStart))
}

// sessionsBound is how long sessions may take to end after they were told to.
const sessionsBound = 30 * time.Second

// sessionsPause is the time between two looks at the sessions.
const sessionsPause = 20 * time.Millisecond

// sessionColumns reads the clients' sessions. Before 10 a session does not say
// what it is; one of the server's own has no client's port. What the user may
// not see of a session counts as if it were a client's.
const sessionColumns = `
	select a.pid, coalesce(a.usename, ''), coalesce(host(a.client_addr), 'local'), coalesce(a.application_name, ''),
		coalesce(a.backend_start, now()), coalesce(a.query_start, a.backend_start, now()), a.backend_xid is not null
	from pg_catalog.pg_stat_activity a
	where a.datname = current_database() and a.pid <> pg_backend_pid()
		and (a.backend_type = 'client backend' or a.backend_type is null and a.usesysid is not null) --[10+]
		and (a.client_port is not null or a.query = '<insufficient privilege>') --[<10]
		and a.pid not in (select w.pid from pg_catalog.pg_stat_replication w) --[<10]
`

// sessions lists the clients' sessions in the database, this one left out,
// that fit the condition.
func (f *freezer) sessions(ctx context.Context, condition string, args ...any) ([]Session, error) {
	rows, err := f.conn.Query(ctx, fit(f.conn, sessionColumns)+condition+" order by a.backend_start", args...)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Session, err error) {
		return s, row.Scan(&s.PID, &s.User, &s.Address, &s.Application, &s.Since, &s.QueryStart, &s.Writing)
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}

// endSessions ends every session that may have begun under the old settings:
// all that began before now, or, if an earlier call got through, before that.
// When it returns, each of their transactions has ended, one way or the other.
func (f *freezer) endSessions(ctx context.Context, closedAt time.Time, o FreezeOptions) (int, error) {
	again := !closedAt.IsZero()
	if !again {
		if err := f.conn.QueryRow(ctx, "select clock_timestamp()").Scan(&closedAt); err != nil {
			return 0, fmt.Errorf("read the server's clock: %w", err)
		}
	}
	starting, err := f.starting(ctx)
	if err != nil {
		return 0, err
	}
	ended, bound := map[int]bool{}, time.After(sessionsBound)
	for {
		// First the starting ones: one that has just started shows as a session.
		now, err := f.starting(ctx)
		if err != nil {
			return len(ended), err
		}
		starting = slices.DeleteFunc(starting, func(pid int) bool { return !slices.Contains(now, pid) })
		stale, err := f.terminate(ctx, closedAt, o)
		if err != nil {
			return len(ended), err
		}
		for _, s := range stale {
			ended[s.PID] = true
		}
		if len(stale)+len(starting) == 0 {
			break
		}
		select {
		case <-bound:
			return len(ended), fmt.Errorf("after %s %d sessions are still being set up and these have not ended: %s", sessionsBound, len(starting), named(stale))
		case <-ctx.Done():
			return len(ended), context.Cause(ctx)
		case <-time.After(sessionsPause):
		}
	}
	if again || o.Closed == nil {
		return len(ended), nil
	}
	return len(ended), o.Closed(ctx, closedAt)
}

// terminate tells the stale sessions to end and lists them, without those that
// are spared.
func (f *freezer) terminate(ctx context.Context, closedAt time.Time, o FreezeOptions) ([]Session, error) {
	stale, err := f.sessions(ctx, ` and ((a.backend_start <= $1) is not false or a.usename = any ($3) or $2 and not (
		select r.rolsuper from pg_catalog.pg_roles r where r.oid = a.usesysid)) and a.pid <> all (coalesce($4::int8[], '{}'))`, closedAt, o.Strict, o.Refuse, o.Own)
	if err != nil {
		return nil, err
	}
	ending := stale[:0]
	for _, s := range stale {
		// A session that has just ended answers false, which is as good.
		_, err := f.conn.Exec(ctx, "select pg_terminate_backend($1)", s.PID)
		switch {
		case err == nil:
			ending = append(ending, s)
		case o.Spared != nil && sqlState(err) == insufficientPrivilege:
			o.Spared(s)
		default:
			return nil, fault.Wrap(fault.Denied, "end session of "+s.String(), err, "connect as a superuser, or: grant pg_signal_backend to the user")
		}
	}
	return ending, nil
}

// endReaders ends the sessions that began under a freeze, as far as the user may.
func (f *freezer) endReaders(ctx context.Context) error {
	readers, err := f.sessions(ctx, "")
	if err != nil {
		return err
	}
	for _, s := range readers {
		_, err := f.conn.Exec(ctx, "select pg_terminate_backend($1)", s.PID)
		var refused *pgconn.PgError
		if err != nil && !(errors.As(err, &refused) && refused.Code == insufficientPrivilege) {
			return fmt.Errorf("end session of %s: %w", s, err)
		}
	}
	return nil
}

// insufficientPrivilege is the SQLSTATE of what the user may not do.
const insufficientPrivilege = "42501"

// starting lists the sessions that are being set up: they may have read the
// old settings and do not show in pg_stat_activity yet, but they hold a lock
// on the database until they do (InitPostgres, since 8.1).
func (f *freezer) starting(ctx context.Context) ([]int, error) {
	rows, err := f.conn.Query(ctx, `
		select distinct l.pid from pg_catalog.pg_locks l join pg_catalog.pg_database d on d.oid = l.objid
		where d.datname = current_database() and l.locktype = 'object' and l.classid = 'pg_catalog.pg_database'::regclass
			and l.mode = 'RowExclusiveLock' and l.granted
			and not exists (select from pg_catalog.pg_stat_activity a where a.pid = l.pid and a.datid is not null)`)
	if err != nil {
		return nil, fmt.Errorf("list starting sessions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, fmt.Errorf("list starting sessions: %w", err)
	}
	return list, nil
}

// named says who the sessions are, five at most.
func named(list []Session) string {
	const most = 5
	var names []string
	for i, s := range list {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		names = append(names, s.String())
	}
	return strings.Join(names, "; ")
}

// prepared refuses transactions that were prepared and not yet committed:
// anyone may commit them at any time, read-only or not.
func (f *freezer) prepared(ctx context.Context) error {
	rows, err := f.conn.Query(ctx, `select gid, owner, prepared from pg_catalog.pg_prepared_xacts where database = current_database() order by prepared`)
	if err != nil {
		return fmt.Errorf("list prepared transactions: %w", err)
	}
	refused, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (error, error) {
		var gid, owner string
		var at time.Time
		err := row.Scan(&gid, &owner, &at)
		return fault.New(fault.Failed, fmt.Sprintf("transaction %q of user %q is prepared since %s and may be committed at any time", gid, owner, clock(at)),
			"commit prepared "+Literal(gid)+"; or rollback prepared "+Literal(gid)), err
	})
	return errors.Join(append(refused, err)...)
}
