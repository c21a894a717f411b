package pg

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// StopPoint is where replay of the write-ahead log stops: after the last
// commit up to a time, or before a position. The zero value is its end.
type StopPoint struct {
	Time time.Time
	LSN  string
}

var lsnText = regexp.MustCompile(`^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$`)

// ParseStopPoint reads a time (RFC 3339) or a position ("1/2A3B4C0"); "" is the
// zero value.
func ParseStopPoint(text string) (StopPoint, error) {
	if text == "" {
		return StopPoint{}, nil
	}
	if lsnText.MatchString(text) {
		return StopPoint{LSN: text}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return StopPoint{}, fault.New(fault.Invalid, fmt.Sprintf("read stop point %q: it is neither a time nor a position in the write-ahead log", text),
			`write it like "2026-11-21T14:03:00+09:00" or "1/2A3B4C0"`)
	}
	return StopPoint{Time: at}, nil
}

// Zero tells whether replay goes to the end.
func (s StopPoint) Zero() bool { return s == StopPoint{} }

// String is the time or the position.
func (s StopPoint) String() string {
	if s.LSN != "" {
		return s.LSN
	}
	return s.Time.UTC().Format(time.RFC3339Nano)
}

// replayState is how far a standby is.
type replayState struct {
	// received is "" if it has received nothing since it started.
	received, replayed string
	lastCommit         time.Time
	// short is how many bytes of what it must replay are still missing, late
	// how many of what it has received are not replayed.
	short, late int64
	streaming   bool
	paused      bool
}

// replayed reads how far the standby is; must is what it has to replay at
// least ("": nothing).
func replayed(ctx context.Context, conn *pgx.Conn, must string) (s replayState, err error) {
	if must == "" {
		must = "0/0"
	}
	var commit *time.Time
	err = conn.QueryRow(ctx, `
		select coalesce(s.received::text, ''), coalesce(s.replayed::text, '0/0'), pg_last_xact_replay_timestamp(),
			greatest(pg_wal_lsn_diff($1::text::pg_lsn, coalesce(s.replayed, '0/0')), 0)::bigint,
			coalesce(greatest(pg_wal_lsn_diff(s.received, s.replayed), 0), 0)::bigint,
			exists (select from pg_catalog.pg_stat_get_wal_receiver() r where r.pid is not null), pg_is_wal_replay_paused()
		from (select pg_last_wal_receive_lsn() as received, pg_last_wal_replay_lsn() as replayed) s`, must).
		Scan(&s.received, &s.replayed, &commit, &s.short, &s.late, &s.streaming, &s.paused)
	if err != nil {
		return s, fmt.Errorf("read how far the standby is: %w", err)
	}
	if commit != nil {
		s.lastCommit = *commit
	}
	return s, nil
}

// The bounds of waiting for replay: how long a standby may stand still with
// something missing, and how long it must be still to have nothing more.
const (
	replayStall = 60 * time.Second
	replayQuiet = time.Second
	replayPause = 20 * time.Millisecond
)

// catchUp waits until the standby has replayed all that the old primary wrote,
// or, where nobody knows how much that was, all that it has received. complete
// says why nothing is missing.
func (p *promotion) catchUp(ctx context.Context, f fenced) (lsn, complete string, err error) {
	s, err := p.awaitReplay(ctx, f.last)
	if err != nil {
		return "", "", err
	}
	complete, err = p.complete(ctx, f, s)
	return s.replayed, complete, err
}

// complete says why nothing of what the old primary wrote is missing on a
// standby that has replayed all there is, or "" if the operator accepts that
// something may be.
func (p *promotion) complete(ctx context.Context, f fenced, s replayState) (string, error) {
	if f.last != "" {
		if f.open {
			return "", nil // it is written on
		}
		return fmt.Sprintf("replayed to %s, past the last record of the old primary (%s)", s.replayed, f.last), nil
	}
	clean, err := p.shutDownCleanly(ctx, s)
	if err != nil {
		return "", err
	}
	if clean {
		return fmt.Sprintf("the old primary shut down in order, and its last record is replayed (%s)", s.replayed), nil
	}
	return "", p.mayLose(ctx, f, s)
}

// awaitReplay waits until must is replayed, or without one, until all that was
// received is and nothing more comes.
func (p *promotion) awaitReplay(ctx context.Context, must string) (replayState, error) {
	var last replayState
	since := time.Now()
	for {
		s, err := replayed(ctx, p.standby, must)
		if err != nil {
			return s, err
		}
		if s.replayed != last.replayed || s.received != last.received {
			since = time.Now()
		}
		last = s
		still := time.Since(since)
		switch {
		case must != "" && s.short == 0, must == "" && s.late == 0 && still >= replayQuiet:
			return s, nil
		case still >= replayStall:
			return s, stalled(s, must)
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-time.After(replayPause):
		}
	}
}

func stalled(s replayState, must string) error {
	return fault.New(fault.Failed, fmt.Sprintf("the standby has not moved for %s: it has replayed %s of %s received, and must reach %s", replayStall, s.replayed, s.received, must),
		"look into its log for why it receives or replays nothing")
}

// shutdownRecord bounds the size of a checkpoint's record (PostgreSQL source,
// struct CheckPoint in catalog/pg_control.h, with its header).
const shutdownRecord = 256

// shutDownCleanly tells whether the last record that was replayed is the
// checkpoint of an orderly shutdown, after which nothing was written: only such
// a checkpoint stands at its own redo position. What the standby knows of its
// last checkpoint is brought up to date first, as far as the user may.
func (p *promotion) shutDownCleanly(ctx context.Context, s replayState) (clean bool, err error) {
	if refused := run(ctx, p.standby, "checkpoint"); refused != nil && sqlState(refused) != insufficientPrivilege {
		return false, fmt.Errorf("bring the standby's control file up to date: %w", refused)
	}
	err = p.standby.QueryRow(ctx, `
		select redo_lsn = checkpoint_lsn and pg_wal_lsn_diff($1::text::pg_lsn, checkpoint_lsn) between 1 and $2
		from pg_catalog.pg_control_checkpoint()`, s.replayed, shutdownRecord).Scan(&clean)
	if err != nil {
		return false, fmt.Errorf("read the standby's last checkpoint: %w", err)
	}
	return clean, nil
}

// mayLose refuses to go on with less than the old primary may have written,
// unless the operator has said how much may be lost.
func (p *promotion) mayLose(ctx context.Context, f fenced, s replayState) error {
	missing := "how much of what the old primary wrote is missing, nobody can tell"
	if f.seen != "" {
		known, err := replayed(ctx, p.standby, f.seen)
		if err != nil {
			return err
		}
		missing = fmt.Sprintf("at least %d bytes that the old primary wrote are missing", known.short)
		if known.short > p.Lose {
			return p.refuseLoss(missing, s)
		}
	}
	if p.Lose == 0 {
		return p.refuseLoss(missing, s)
	}
	return nil
}

func (p *promotion) refuseLoss(missing string, s replayState) error {
	return fault.New(fault.Failed, fmt.Sprintf("the standby has replayed all that it received, to %s with a last commit at %s: %s", s.replayed, clock(s.lastCommit), missing),
		`bring the old primary back, or say how much may be lost: lose = "64MB"`)
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
