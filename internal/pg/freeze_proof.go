package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// FreezeProof is what was seen while watching a frozen database.
type FreezeProof struct {
	// Mark is the database when it was frozen: nothing was written since.
	Mark FreezeMark `json:"mark"`
	// Observed is how long it was watched.
	Observed time.Duration `json:"observed"`
	// XidAfter is the cluster's next transaction at the end. The positions in
	// the write-ahead log are for information: checkpoints move them too.
	XidAfter  int64  `json:"xid_after"`
	LSNBefore string `json:"lsn_before"`
	LSNAfter  string `json:"lsn_after"`
	// Method says what the proof rests on.
	Method string `json:"method"`
	// RolledBack counts transactions that this database rolled back meanwhile:
	// refused writes are among them.
	RolledBack int64 `json:"rolled_back"`
	// Connected are the clients at the end.
	Connected []Session `json:"connected"`
	// Tries are who tried to connect since the mark and was refused; only
	// where the freeze refuses connections.
	Tries Tries `json:"tries"`
}

// prove watches the database for as long as Settle and says what it saw. That
// somebody writes, has written since the mark (zero: now), or could still
// commit, is an error that names who.
func (f *freezer) prove(ctx context.Context, o FreezeOptions, mark FreezeMark) (FreezeProof, error) {
	p := FreezeProof{Mark: mark}
	if err := f.prepared(ctx); err != nil {
		return p, err
	}
	before, err := f.counters(ctx)
	if err != nil {
		return p, err
	}
	if mark.System == "" {
		if p.Mark, err = TakeMark(ctx, f.conn); err != nil {
			return p, err
		}
	}
	seen, err := f.watchWriters(ctx, o.Settle)
	if err != nil {
		return p, err
	}
	unwritten, method, err := UnwrittenSince(ctx, f.conn, p.Mark)
	if err != nil {
		return p, err
	}
	if p.Connected, err = f.sessions(ctx, ""); err != nil {
		return p, err
	}
	for _, s := range p.Connected {
		if slices.Contains(o.Refuse, s.User) {
			return p, fault.New(fault.Failed, "a refused role is connected: "+s.String(), "freeze it again: evac postgres freeze")
		}
	}
	if err := f.nobodyWrites(ctx, unwritten, method, p, seen); err != nil {
		return p, err
	}
	after, err := f.counters(ctx)
	p.Method, p.Observed, p.XidAfter = method, after.at.Sub(before.at), after.xid
	p.LSNBefore, p.LSNAfter, p.RolledBack = before.lsn, after.lsn, after.rolledBack-before.rolledBack
	if err == nil && (o.Strict || len(o.Refuse) > 0) {
		p.Tries, err = f.whoTries(ctx, p.Mark.TakenAt)
	}
	return p, err
}

// nobodyWrites is the verdict. A transaction with a number that is still under
// way could commit later.
func (f *freezer) nobodyWrites(ctx context.Context, unwritten bool, reason string, p FreezeProof, seen map[int]Session) error {
	writing, err := f.sessions(ctx, " and a.backend_xid is not null")
	if err != nil {
		return err
	}
	for _, s := range writing {
		seen[s.PID] = s
	}
	if unwritten && len(writing) == 0 {
		return f.prepared(ctx)
	}
	const hint = "stop these clients: they set their transactions to read write themselves; then try again"
	who := slices.SortedFunc(maps.Values(seen), func(a, b Session) int { return a.PID - b.PID })
	if len(who) > 0 {
		return fault.New(fault.Failed, "still written by "+named(who), hint)
	}
	suspects := slices.DeleteFunc(slices.Clone(p.Connected), func(s Session) bool { return s.QueryStart.Before(p.Mark.TakenAt) })
	if len(suspects) > 0 {
		return fault.New(fault.Failed, reason+", by one of: "+named(suspects), hint)
	}
	return fault.New(fault.Failed, reason+", by a client that has left again", "look into the server's log for who connected")
}

// watchWriters looks again and again for sessions that write, for as long as d.
func (f *freezer) watchWriters(ctx context.Context, d time.Duration) (map[int]Session, error) {
	seen, end := map[int]Session{}, time.After(d)
	for {
		writing, err := f.sessions(ctx, " and a.backend_xid is not null")
		if err != nil {
			return nil, err
		}
		for _, s := range writing {
			seen[s.PID] = s
		}
		select {
		case <-end:
			return seen, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("watch for writers: %w", context.Cause(ctx))
		case <-time.After(sessionsPause):
		}
	}
}

// counters are what the server counts, for the report.
type counters struct {
	at         time.Time
	xid        int64
	lsn        string
	rolledBack int64
}

func (f *freezer) counters(ctx context.Context) (c counters, err error) {
	err = f.conn.QueryRow(ctx, fit(f.conn, `
		select clock_timestamp(), txid_snapshot_xmax(txid_current_snapshot()),
			pg_current_wal_lsn()::text, --[10+]
			pg_current_xlog_location()::text, --[<10]
			pg_stat_get_db_xact_rollback(oid)
		from pg_catalog.pg_database where datname = current_database()`)).Scan(&c.at, &c.xid, &c.lsn, &c.rolledBack)
	if err != nil {
		return c, fmt.Errorf("read the server's counters: %w", err)
	}
	return c, nil
}

// readOnlyTransaction is the SQLSTATE of a write in a read-only transaction.
const readOnlyTransaction = "25006"

// writeRefused tries to write, as a client with a session of its own would,
// and wants to be refused. What was not refused is rolled back.
func writeRefused(ctx context.Context, dsn secret.DSN) (err error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: freezeApplication, Side: Source})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("try to write: %w", err)
	}
	_, tried := tx.Exec(ctx, "create schema evac_write_probe")
	if err := tx.Rollback(ctx); err != nil {
		return fmt.Errorf("roll the tried write back: %w", err)
	}
	var refused *pgconn.PgError
	switch {
	case tried == nil:
		return errors.New("a write was not refused")
	case errors.As(tried, &refused) && refused.Code == readOnlyTransaction:
		return nil
	}
	return fmt.Errorf("try to write: want it refused as read-only: %w", tried)
}
