package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A switch makes the follower the database that users write to. The source is
// frozen before; then the follower takes in everything up to the exact end of
// the source's log, gets what replication does not carry, and is opened. The
// way home is the same in reverse, and stands before the first user writes:
// from then on the old database receives what the new one is given, so that
// one can go back with nothing lost.

// SwitchOptions say what becomes the primary, and how.
type SwitchOptions struct {
	// From is the old primary, To the follower that becomes the primary.
	From, To secret.DSN
	// FromReach is the old primary as the follower's server reaches it, ToReach
	// the follower as the old primary's server reaches it.
	FromReach, ToReach secret.DSN
	// WayHome builds the way home.
	WayHome bool
	// Count counts the rows of every table on both sides before the opening.
	Count bool
	// Drain bounds the wait for what is not applied yet.
	Drain time.Duration
	// Jobs is how many tables are counted at once.
	Jobs     int
	Progress Progress
	// State is what an earlier call saved last, Save keeps it.
	State SwitchState
	Save  func(context.Context, SwitchState) error
}

// SwitchState is what must outlive the process.
type SwitchState struct {
	// Follow is the name of the replication that is ended; "" is not begun.
	Follow string `json:"follow,omitempty"`
	// Opens are the settings by which the follower is closed to writers, with
	// their old values.
	Opens []FreezeChange `json:"opens,omitempty"`
	// Drained is the position of the source's log up to which all is applied.
	Drained string `json:"drained,omitempty"`
	// Home tells that the way home stands, Schema what the new primary's
	// schema was then.
	Home   bool        `json:"home,omitempty"`
	Schema schemaPrint `json:"schema,omitzero"`
	// Opening is saved before users may write; Left is the mark from before.
	Opening bool        `json:"opening,omitempty"`
	Left    *FreezeMark `json:"left,omitempty"`
	// Returned tells that all that users wrote is home.
	Returned bool          `json:"returned,omitempty"`
	Result   *SwitchResult `json:"result,omitempty"`
}

// SwitchResult is what a switch did.
type SwitchResult struct {
	// Drained is the position of the source's log up to which all is applied.
	Drained string `json:"drained"`
	// DrainTime is how long that took, Time the whole switch.
	DrainTime time.Duration `json:"drain_time"`
	Time      time.Duration `json:"time"`
	Sequences int           `json:"sequences"`
	Objects   int           `json:"objects"`
	Unlogged  int           `json:"unlogged"`
	Views     int           `json:"views"`
	// Home names the replication of the way home, "" if there is none.
	Home     string   `json:"home,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// switcher is one call of Switch.
type switcher struct {
	SwitchOptions
	source, target *end
	// forward is the following, home the way back.
	forward, home replication
}

func openSwitcher(ctx context.Context, o SwitchOptions) (*switcher, error) {
	if o.FromReach.Empty() {
		o.FromReach = o.From
	}
	if o.ToReach.Empty() {
		o.ToReach = o.To
	}
	source, target, err := openEnds(ctx, o.From, o.To)
	if err != nil {
		return nil, err
	}
	s := &switcher{SwitchOptions: o, source: source, target: target}
	if s.State.Follow != "" {
		s.name(s.State.Follow)
	}
	return s, nil
}

// name sets both replications up.
func (s *switcher) name(follow string) {
	s.forward = replication{name: follow, publisher: s.source, subscriber: s.target, reach: s.FromReach}
	s.home = replication{name: homePrefix + strings.TrimPrefix(follow, followPrefix), publisher: s.target, subscriber: s.source, reach: s.ToReach}
}

func (s *switcher) close(ctx context.Context) error {
	return errors.Join(s.source.close(ctx), s.target.close(ctx))
}

func (s *switcher) save(ctx context.Context) error {
	if err := s.Save(ctx, s.State); err != nil {
		return fmt.Errorf("save how far the switch is: %w", err)
	}
	return nil
}

// errNoFollower tells that nothing follows.
var errNoFollower = errors.New("the target does not follow the source")

// find gives the name of the replication by which the target follows the
// source.
func (s *switcher) find(ctx context.Context) (string, error) {
	here, err := texts(ctx, s.target.conn, `
		select s.subname::text from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
		where d.datname = current_database() and left(s.subname, length($1::text)) = $1`, followPrefix)
	if err != nil {
		return "", fmt.Errorf("list subscriptions of target: %w", err)
	}
	both, err := texts(ctx, s.source.conn, "select slot_name::text from pg_catalog.pg_replication_slots where database = current_database() and slot_name = any($1::text[])", here)
	if err != nil {
		return "", fmt.Errorf("list replication slots of source: %w", err)
	}
	if len(both) != 1 {
		return "", fault.Wrap(fault.Failed, fmt.Sprintf("look for the one replication from %s to %s (%d subscriptions of evac's, %d of them with a slot)", s.From, s.To, len(here), len(both)),
			errNoFollower, "put a postgres_follow step before this one")
	}
	return both[0], nil
}

// Switch makes the follower the primary. It goes on from what is already done.
// If it fails before the opening, nobody has written to the follower.
func Switch(ctx context.Context, o SwitchOptions) (result SwitchResult, err error) {
	if o.State.Result != nil {
		return *o.State.Result, nil
	}
	began := time.Now()
	s, err := openSwitcher(ctx, o)
	if err != nil {
		return result, err
	}
	op := fmt.Sprintf("switch to %s", o.To)
	if !s.State.Opening { // later users may have written
		result, err = s.prepare(ctx)
	}
	if err = errors.Join(err, s.close(ctx)); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	if err := s.open(ctx); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	result.Time = time.Since(began)
	s.State.Result = &result
	return result, s.save(ctx)
}

// prepare does everything that comes before the opening.
func (s *switcher) prepare(ctx context.Context) (result SwitchResult, err error) {
	if err := s.begin(ctx); err != nil {
		return result, err
	}
	s.Progress.Note("applying the rest of the source's log")
	began := time.Now()
	if err := s.drain(ctx, &result); err != nil {
		return result, err
	}
	result.Drained, result.DrainTime = s.State.Drained, time.Since(began)
	if err := s.forward.dismantle(ctx); err != nil {
		return result, err
	}
	c, err := carry(ctx, s.source, s.target, s.Progress.Note)
	if err != nil {
		return result, err
	}
	result.Sequences, result.Objects, result.Unlogged, result.Views = c.Sequences, c.Objects, c.Unlogged, c.Views
	if s.Count {
		s.Progress.Note("counting rows")
		if err := countBoth(ctx, s.From, s.To, s.Jobs); err != nil {
			return result, err
		}
	}
	if err := s.quiet(ctx); err != nil {
		return result, err
	}
	if s.WayHome {
		if err := s.buildHome(ctx); err != nil {
			return result, err
		}
		result.Home = s.home.name
	}
	return result, nil
}

// begin finds the follower and saves what is known of it.
func (s *switcher) begin(ctx context.Context) error {
	if err := s.quiet(ctx); err != nil || s.State.Follow != "" {
		return err
	}
	name, err := s.find(ctx)
	if err != nil {
		return err
	}
	s.name(name)
	note, err := s.forward.note(ctx)
	if err != nil {
		return err
	}
	s.State.Follow, s.State.Opens = name, note.Opens
	return s.save(ctx)
}

// quiet refuses a source that is not frozen.
func (s *switcher) quiet(ctx context.Context) error {
	z, err := s.source.freezer(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(z.settingsStand(ctx, FreezeOptions{}), writeRefused(ctx, s.From), z.prepared(ctx))
	if err != nil {
		return fault.Wrap(fault.Failed, "the source is not frozen", err, "put a postgres_freeze step before this one: evac postgres freeze")
	}
	writing, err := z.sessions(ctx, " and a.backend_xid is not null")
	if err == nil && len(writing) > 0 {
		err = fault.New(fault.Failed, "the source is frozen, but still written by "+named(writing), "stop these clients: they set their transactions to read write themselves; then try again")
	}
	return err
}

// drain waits until the target has everything. Once that is saved, the source
// says no more that the target does not have.
func (s *switcher) drain(ctx context.Context, result *SwitchResult) error {
	if s.State.Drained != "" {
		return nil
	}
	if err := s.forward.whole(ctx); err != nil {
		return err
	}
	lsn, err := s.forward.drain(ctx, s.Drain)
	if err != nil {
		return err
	}
	if err := s.unchanged(ctx, result); err != nil {
		return err
	}
	s.State.Drained = lsn
	return s.save(ctx)
}

// unchanged refuses a source whose schema was changed while it was followed.
// The state of the follow step is not ours: the follower itself is compared.
func (s *switcher) unchanged(ctx context.Context, result *SwitchResult) error {
	note, err := s.forward.note(ctx)
	if err != nil {
		return err
	}
	change, err := s.forward.changedSince(ctx, note.Schema)
	if err != nil {
		return err
	}
	result.Warnings = append(result.Warnings, change.Warnings...)
	return change.refusal(Source, Target)
}

// buildHome makes the way home. The slot stands before anybody may write to
// the new primary, and both sides are the same, so that nothing is missed and
// nothing sent twice.
func (s *switcher) buildHome(ctx context.Context) (err error) {
	if s.State.Home {
		return nil
	}
	s.Progress.Note("building the way home")
	if s.State.Schema, err = takePrint(ctx, s.target.conn); err != nil {
		return err
	}
	if err := s.home.dismantle(ctx); err != nil {
		return err
	}
	if err := s.home.publish(ctx); err != nil {
		return err
	}
	if err := s.home.makeSlot(ctx); err != nil {
		return err
	}
	if err := s.home.subscribe(ctx, followNote{}); err != nil {
		return err
	}
	s.State.Home = true
	return s.save(ctx)
}

// open lets users write. Sessions of evac's must have ended: all that began
// while the follower was closed are ended, for they would stay read-only.
func (s *switcher) open(ctx context.Context) (err error) {
	s.Progress.Note("opening the new primary")
	if !s.State.Opening {
		if !s.State.Home {
			if s.State.Left, err = leftMark(ctx, s.To); err != nil {
				return err
			}
		}
		s.State.Opening = true
		if err := s.save(ctx); err != nil {
			return err
		}
	}
	return Unfreeze(ctx, s.To, s.State.Opens, func(context.Context, FreezeChange) error { return nil })
}

// leftMark takes the target's mark once evac's own sessions there are gone.
func leftMark(ctx context.Context, to secret.DSN) (mark *FreezeMark, err error) {
	conn, err := Connect(ctx, to, ConnOptions{Application: "evac switch", Side: Target})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	if err := awaitGone(ctx, conn, followApplication); err != nil {
		return nil, err
	}
	m, err := TakeMark(ctx, conn)
	return &m, err
}
