package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// fenceLibrary is what a fenced primary is told to load for every session. It
// does not exist, so every login ends with `could not access file "fenced by
// evac: …"`, superusers' too; replication is let in. It is a setting of this
// server alone, which no standby inherits, unlike a database's connection
// limit. A superuser comes in by PGOPTIONS="-c session_preload_libraries=".
const (
	fenceSetting = "session_preload_libraries"
	fenceLibrary = "fenced by evac: this server is not the primary any more"
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

// fenceChanges turn every client away, make what still comes in read-only, and
// keep the server's own workers from writing.
func fenceChanges() []ServerChange {
	return []ServerChange{
		{Side: Source, Setting: fenceSetting, New: Quote(fenceLibrary)},
		{Side: Source, Setting: readOnlySetting, New: "on"},
		{Side: Source, Setting: "autovacuum", New: "off"},
	}
}

// openPrimary connects to the old primary, also if it is fenced.
func openPrimary(ctx context.Context, dsn secret.DSN) (*pgx.Conn, error) {
	o := ConnOptions{Application: promoteApplication, Side: Source}
	conn, err := Connect(ctx, dsn, o)
	if err != nil && strings.Contains(err.Error(), fenceLibrary) {
		o.Startup = map[string]string{fenceSetting: ""}
		return Connect(ctx, dsn, o)
	}
	return conn, err
}

// fenced is what a fence has proved.
type fenced struct {
	// how says it in words.
	how string
	// last is the end of what the old primary ever wrote, "" if nobody can tell;
	// open tells that it is not fenced and writes on. seen is how far it was when
	// last asked.
	last, seen string
	open       bool
}

// fence keeps the old primary from taking writes, and proves that it does not.
func (p *promotion) fence(ctx context.Context) (fenced, error) {
	switch p.Fence {
	case FenceConnections:
		p.Progress.Note("fencing the old primary")
		return p.fenceConnections(ctx)
	case FenceCommand:
		p.Progress.Note("fencing the old primary by command")
		return p.fenceCommand(ctx)
	}
	f := fenced{how: "not fenced", open: true}
	if p.primary == nil {
		return f, nil
	}
	var err error
	f.last, err = flushed(ctx, p.primary)
	return f, err
}

func (p *promotion) fenceConnections(ctx context.Context) (f fenced, err error) {
	if p.primary == nil {
		return f, fault.Wrap(fault.Failed, "fence the old primary", p.silent,
			`it cannot be told to turn clients away, and may come back: stop it for good by a command (fence = "command"), or say fence = "none"`)
	}
	for _, c := range fenceChanges() {
		if err := p.alter(ctx, p.primary, c); err != nil {
			return f, fmt.Errorf("fence the old primary: %w", err)
		}
	}
	if err := reload(ctx, p.primary); err != nil {
		return f, fmt.Errorf("fence the old primary: %w", err)
	}
	if err := p.silence(ctx); err != nil {
		return f, err
	}
	if err := refusesLogins(ctx, p.From); err != nil {
		return f, err
	}
	f.how = fmt.Sprintf("the old primary turns every login away, its sessions were ended, and for %s no transaction of any kind began there", p.Settle)
	f.last, err = flushed(ctx, p.primary)
	return f, err
}

// alter sets a server's setting, telling of it first.
func (p *promotion) alter(ctx context.Context, conn *pgx.Conn, c ServerChange) error {
	err := conn.QueryRow(ctx, `
		select coalesce((select setting from pg_catalog.pg_file_settings
			where name = $1 and sourcefile like '%postgresql.auto.conf' order by seqno desc limit 1), '')`, c.Setting).Scan(&c.Old)
	if err != nil {
		return fmt.Errorf("read %s: %w", c, err)
	}
	if c.Old == c.New {
		c.Old = "" // an earlier call's
	}
	if err := p.Change(ctx, c); err != nil {
		return err
	}
	return alterSystem(ctx, conn, c, c.New)
}

// putBack gives a setting its old value if it is changed.
func (p *promotion) putBack(ctx context.Context, conn *pgx.Conn, c ServerChange) error {
	for _, changed := range p.Changed() {
		if changed.ID() == c.ID() {
			if err := alterSystem(ctx, conn, changed, changed.Old); err != nil {
				return err
			}
			return p.Restore(ctx, changed)
		}
	}
	return nil
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

func reload(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "select pg_reload_conf()"); err != nil {
		return fmt.Errorf("reload the settings: %w", err)
	}
	return nil
}

// silenceLimit bounds how long a fenced primary may take to fall silent.
const silenceLimit = time.Minute

// silence ends every session of the old primary, replication left out, again
// and again until for as long as Settle none was there and no transaction that
// writes began or was under way.
func (p *promotion) silence(ctx context.Context) error {
	var last int64
	since, bound := time.Now(), time.After(silenceLimit)
	for {
		var xmin, xmax int64
		var who []string
		err := p.primary.QueryRow(ctx, `
			select txid_snapshot_xmin(s.now), txid_snapshot_xmax(s.now), coalesce((
				select array_agg(format('user "%s" of database "%s", %s', a.usename, a.datname, a.backend_type) order by a.pid) from (
					select *, case when backend_type = 'client backend' then pg_terminate_backend(pid) end as told
					from pg_catalog.pg_stat_activity
					where pid <> pg_backend_pid() and (backend_type = 'client backend' or backend_xid is not null) offset 0) a), '{}')
			from (select txid_current_snapshot() as now offset 0) s`).Scan(&xmin, &xmax, &who)
		if err != nil {
			return fmt.Errorf("end sessions of the old primary: %w", err)
		}
		if len(who) > 0 || xmax != last || xmin != xmax {
			since, last = time.Now(), xmax
		} else if time.Since(since) >= p.Settle {
			return nil
		}
		select {
		case <-bound:
			return fault.New(fault.Failed, fmt.Sprintf("the old primary is still written after %s, by one of: %s", silenceLimit, strings.Join(who, "; ")),
				"stop what writes (a subscription, a scheduler in the server), and try again")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(sessionsPause):
		}
	}
}

// refusesLogins proves that a client that comes now is turned away.
func refusesLogins(ctx context.Context, dsn secret.DSN) error {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: promoteApplication, Side: Source})
	if err == nil {
		return errors.Join(fault.New(fault.Failed, "the old primary lets clients in", "its database or its user has session_preload_libraries of its own: alter database … reset session_preload_libraries"), hangUp(ctx, conn))
	}
	if strings.Contains(err.Error(), fenceLibrary) {
		return nil
	}
	return fmt.Errorf("prove that the old primary turns clients away: %w", err)
}

// flushed writes one record of its own, to the end of which everything that
// was ever acknowledged is on disk, and gives that end. No synchronous standby
// is waited for.
func flushed(ctx context.Context, conn *pgx.Conn) (lsn string, err error) {
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, 'evac', 'the last record before the promotion')")
		return err
	})
	if err == nil {
		err = conn.QueryRow(ctx, "select pg_current_wal_flush_lsn()::text").Scan(&lsn)
	}
	if err != nil {
		return "", fmt.Errorf("read the last position of the old primary: %w", err)
	}
	return lsn, nil
}

// closedLimit is how long a server may go on listening after its fencing command
// has ended.
const closedLimit = 15 * time.Second

func (p *promotion) fenceCommand(ctx context.Context) (f fenced, err error) {
	if p.primary != nil {
		if err := p.primary.QueryRow(ctx, "select pg_current_wal_lsn()::text").Scan(&f.seen); err != nil {
			return f, fmt.Errorf("read the position of the old primary: %w", err)
		}
	}
	if err := shell(ctx, p.Command); err != nil {
		return f, fault.Wrap(fault.Failed, "run the fence command", err, "")
	}
	f.how = "the fence command ended well"
	if p.From.Empty() {
		return f, nil
	}
	f.how += " and the old primary's port is closed"
	return f, awaitPortsClosed(ctx, p.From)
}

// awaitPortsClosed returns when no address of the connection string takes a
// connection any more.
func awaitPortsClosed(ctx context.Context, dsn secret.DSN) error {
	config, err := pgconn.ParseConfig(dsn.Reveal())
	if err != nil {
		return fault.New(fault.Invalid, "the connection string of the old primary cannot be read", "")
	}
	addresses := map[[2]string]bool{}
	for _, f := range append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port}}, config.Fallbacks...) {
		network, address := pgconn.NetworkAddress(f.Host, f.Port)
		addresses[[2]string{network, address}] = true
	}
	ctx, cancel := context.WithTimeout(ctx, closedLimit)
	defer cancel()
	for at := range addresses {
		if err := awaitClosed(ctx, at[0], at[1]); err != nil {
			return fault.Wrap(fault.Failed, "prove the old primary fenced", err, "the fence command must end the server, or cut it off, before it ends itself")
		}
	}
	return nil
}

func awaitClosed(ctx context.Context, network, address string) error {
	for {
		conn, err := (&net.Dialer{Timeout: closedLimit / 3}).DialContext(ctx, network, address)
		if err != nil {
			if ctx.Err() == nil {
				return nil
			}
			return fmt.Errorf("whether %s still takes connections could not be told in %s", address, closedLimit)
		}
		if err := conn.Close(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still takes connections after %s", address, closedLimit)
		case <-time.After(sessionsPause):
		}
	}
}

// lift takes the fence of connections away again after a failure before the
// promotion, so that the old primary serves on. A call that was interrupted
// leaves it for the next one.
func (p *promotion) lift(ctx context.Context) error {
	if ctx.Err() != nil || p.primary == nil || p.Fence != FenceConnections {
		return nil
	}
	p.Progress.Note("taking the fence away again: the old primary serves on")
	for _, c := range fenceChanges() {
		if err := p.putBack(ctx, p.primary, c); err != nil {
			return fmt.Errorf("take the fence away: %w", err)
		}
	}
	if err := reload(ctx, p.primary); err != nil {
		return fmt.Errorf("take the fence away: %w", err)
	}
	return nil
}
