package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A promotion makes a physical standby the primary. The old primary is fenced
// first, so that there are never two; then the standby replays all that the
// old one wrote (or, with a stop point, all up to that); then it is promoted
// and proved to take writes. Until the standby is told to promote, everything
// can be taken back, and is if something fails.

// promoteApplication is how a promotion shows in pg_stat_activity.
const promoteApplication = "evac promote"

// Fence is how the old primary is kept from taking writes.
type Fence string

// The ways to fence.
const (
	FenceConnections Fence = "connections" // its own settings turn every client away
	FenceCommand     Fence = "command"     // a command of the operator's stops it
	FenceNone        Fence = "none"
)

// PromoteOptions say what to promote, and how.
type PromoteOptions struct {
	// Database is any database of the standby, From any of the old primary
	// (empty: nobody knows where it is).
	Database, From secret.DSN
	Fence          Fence
	// Command is the fencing shell command.
	Command string
	// Settle is how long the proof watches a fenced primary.
	Settle time.Duration
	// Lose is how much of the old primary's last writing may be lost, in bytes
	// of write-ahead log, where nobody can tell how far it came.
	Lose int64
	// StopAt is where replay stops; its zero value is the end.
	StopAt StopPoint
	// Local is the standby's place on this machine, which a stop point and
	// servers before 12 need.
	Local    Local
	Progress Progress
	// State is what an earlier call saved last, Save keeps it.
	State PromoteState
	Save  func(context.Context, PromoteState) error
	// Change is told of a setting before it is changed, Restore after the old
	// value stands again; Changed lists those that are changed.
	Change, Restore func(context.Context, ServerChange) error
	Changed         func() []ServerChange
}

// PromoteState is what a promotion must not forget.
type PromoteState struct {
	// System is the standby's system identifier, Timeline its timeline before.
	System   string `json:"system,omitempty"`
	Timeline int64  `json:"timeline,omitempty"`
	// Restarting is the standby's major version while it may be down, for it is
	// restarted to read its stop point.
	Restarting int `json:"restarting,omitempty"`
	// Reached is set once all is replayed: from then on it is promoted.
	Reached *PromoteReached `json:"reached,omitempty"`
}

// PromoteReached is how far the standby had replayed when it was promoted.
type PromoteReached struct {
	// LSN is the end of what was replayed.
	LSN string `json:"lsn"`
	// Fence says how the old primary was fenced, Complete why nothing that it
	// wrote is missing; empty if that is not known.
	Fence    string `json:"fence"`
	Complete string `json:"complete,omitempty"`
	// FencedAt is when fencing began.
	FencedAt time.Time `json:"fenced_at"`
}

// PromoteResult is what a promotion did.
type PromoteResult struct {
	PromoteReached
	System          string
	Timeline        int64
	FormerTimeline  int64
	PromotedAt      time.Time
	FenceToPromoted time.Duration
	WayBack         []string
}

// promotion is one call of Promote.
type promotion struct {
	PromoteOptions
	standby *pgx.Conn
	version int
	// primary is a session on the old one, nil if it does not serve; silent
	// says why.
	primary *pgx.Conn
	silent  error
	// old is what the way back needs to know of the old primary.
	old oldPrimary
}

// Promote makes the standby the primary. It goes on from what is already done.
func Promote(ctx context.Context, o PromoteOptions) (result PromoteResult, err error) {
	p := &promotion{PromoteOptions: o}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	op := fmt.Sprintf("promote %s", o.Database)
	err = p.openStandby(ctx)
	if err != nil && o.State.Restarting != 0 {
		p.Progress.Note("starting the standby")
		err = p.restartServer(ctx)
	}
	if err := errors.Join(err, p.openOld(ctx)); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	role, err := roleOf(ctx, p.standby)
	if err != nil {
		return result, fault.Wrap(fault.Failed, op, err, "")
	}
	if role == RoleStandby || p.State.Reached == nil {
		if p.State, err = p.prepare(ctx); err != nil {
			return result, fault.Wrap(fault.KindOf(err), op, errors.Join(err, p.lift(ctx)), "")
		}
		// From here on the fence stays, for a promotion may follow from what is
		// saved, and whether a failed write was saved nobody knows.
		if err := p.Save(ctx, p.State); err != nil {
			return result, fmt.Errorf("%s: %w", op, err)
		}
	}
	p.Progress.Note("promoting")
	if err := p.promote(ctx); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	result, err = p.result(ctx)
	return result, fault.Wrap(fault.KindOf(err), op, err, "")
}

func (p *promotion) openStandby(ctx context.Context) (err error) {
	p.standby, err = Connect(ctx, p.Database, ConnOptions{Application: promoteApplication, Side: Target})
	if err != nil {
		return err
	}
	p.version, err = Version(ctx, p.standby)
	return err
}

// openOld connects to the old primary. That it does not serve is no error.
func (p *promotion) openOld(ctx context.Context) (err error) {
	if p.From.Empty() {
		p.silent = errors.New("no connection string of it is given")
		return nil
	}
	p.primary, err = openPrimary(ctx, p.From)
	if err == nil {
		return p.readOld(ctx)
	}
	if fault.KindOf(err) == fault.Denied || fault.KindOf(err) == fault.Invalid || ctx.Err() != nil {
		return err
	}
	p.silent = err
	return nil
}

func (p *promotion) close(ctx context.Context) error {
	return errors.Join(hangUp(ctx, p.standby), hangUp(ctx, p.primary))
}

// prepare does all that comes before the point of no return, and gives the
// state from which the promotion only goes forward.
func (p *promotion) prepare(ctx context.Context) (s PromoteState, err error) {
	if err := p.refuse(ctx); err != nil {
		return s, err
	}
	if s.System, s.Timeline, err = identity(ctx, p.standby); err != nil {
		return s, err
	}
	began := time.Now().UTC()
	fenced, err := p.fence(ctx)
	if err != nil {
		return s, err
	}
	s.Reached = &PromoteReached{Fence: fenced.how, FencedAt: began}
	if !p.StopAt.Zero() {
		s.Reached.LSN, s.Reached.Complete, err = p.replayTo(ctx, fenced)
		return s, err
	}
	p.Progress.Note("waiting until the standby has replayed everything")
	s.Reached.LSN, s.Reached.Complete, err = p.catchUp(ctx, fenced)
	return s, err
}

// promoteLimit bounds the promotion itself: the server ends recovery and
// writes a checkpoint's record, not a checkpoint.
const promoteLimit = 5 * time.Minute

// promote tells the standby, unless it has been told already, and waits until
// it takes writes.
func (p *promotion) promote(ctx context.Context) error {
	role, err := roleOf(ctx, p.standby)
	if err != nil {
		return err
	}
	if role == RoleStandby {
		if err := p.tell(ctx); err != nil {
			return err
		}
	}
	return p.resetStop(ctx)
}

func (p *promotion) tell(ctx context.Context) error {
	if p.version < sqlPromote {
		return p.Local.pgCtl(ctx, p.version/100_00, "promote", "-t", fmt.Sprint(int(promoteLimit.Seconds())))
	}
	var done bool
	err := p.standby.QueryRow(ctx, "select pg_promote(true, $1)", int(promoteLimit.Seconds())).Scan(&done)
	if err != nil {
		return fmt.Errorf("ask it to promote: %w", err)
	}
	if !done {
		return fault.New(fault.Failed, fmt.Sprintf("it was told to promote and is still a standby after %s", promoteLimit), "look into its log; the same step goes on waiting")
	}
	return nil
}

// sqlPromote is the first version with pg_promote.
const sqlPromote = 12_00_00

func (p *promotion) result(ctx context.Context) (r PromoteResult, err error) {
	system, timeline, err := primaryIdentity(ctx, p.standby)
	if err != nil {
		return r, err
	}
	if system != p.State.System || timeline <= p.State.Timeline {
		return r, fmt.Errorf("its system identifier is %s and its timeline %d, want %s and more than %d", system, timeline, p.State.System, p.State.Timeline)
	}
	r = PromoteResult{PromoteReached: *p.State.Reached, System: system, Timeline: timeline, FormerTimeline: p.State.Timeline, PromotedAt: time.Now().UTC()}
	r.FenceToPromoted = r.PromotedAt.Sub(r.FencedAt)
	r.WayBack = p.wayBack()
	return r, nil
}

// identity reads the system identifier and the timeline of the newest
// checkpoint.
func identity(ctx context.Context, conn *pgx.Conn) (system string, timeline int64, err error) {
	err = conn.QueryRow(ctx, `
		select s.system_identifier::text, c.timeline_id from pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c`).Scan(&system, &timeline)
	if err != nil {
		return "", 0, fmt.Errorf("read the system identifier: %w", err)
	}
	return system, timeline, nil
}

// primaryIdentity reads the timeline that a primary writes: the first eight
// digits of its log file's name, in hex.
func primaryIdentity(ctx context.Context, conn *pgx.Conn) (system string, timeline int64, err error) {
	err = conn.QueryRow(ctx, `
		select system_identifier::text, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
		from pg_catalog.pg_control_system()`).Scan(&system, &timeline)
	if err != nil {
		return "", 0, fmt.Errorf("read the system identifier and the timeline: %w", err)
	}
	return system, timeline, nil
}
