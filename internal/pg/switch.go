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
	// Count counts the rows of every table on both sides before the opening,
	// CountHome before going home is done.
	Count, CountHome bool
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
	// Views are the source's materialized views as they were when the target's
	// were filled.
	Views map[string]string `json:"views,omitempty"`
	// Identities are those that tables had before they were followed by whole
	// rows.
	Identities []IdentityChange `json:"identities,omitempty"`
	// Drained is the position of the source's log up to which all is applied.
	Drained string `json:"drained,omitempty"`
	// Home tells that the way home stands, Schema what the new primary's
	// schema was then.
	Home   bool        `json:"home,omitempty"`
	Schema schemaPrint `json:"schema,omitzero"`
	// Opening is saved before users may write; Left is the mark from before.
	Opening bool `json:"opening,omitempty"`
	// Ready is what was done before the opening.
	Ready SwitchResult `json:"ready,omitzero"`
	Left  *FreezeMark  `json:"left,omitempty"`
	// Returned tells that all that users wrote is home.
	Returned bool          `json:"returned,omitempty"`
	Result   *SwitchResult `json:"result,omitempty"`
}

// SwitchResult is what a switch did.
type SwitchResult struct {
	// Drained is the position of the source's log up to which all is applied.
	Drained string `json:"drained"`
	// DrainTime is how long that took, EndTime to end the following, CarryTime
	// to bring over what it does not carry, HomeTime to build the way home, and
	// Time the whole switch.
	DrainTime time.Duration `json:"drain_time"`
	EndTime   time.Duration `json:"end_time"`
	CarryTime time.Duration `json:"carry_time"`
	HomeTime  time.Duration `json:"home_time"`
	Time      time.Duration `json:"time"`
	Sequences int           `json:"sequences"`
	Objects   int           `json:"objects"`
	Unlogged  int           `json:"unlogged"`
	// Views counts the materialized views that were refreshed; Kept names, in
	// quotes, those that hold what the copy gave them.
	Views int      `json:"views"`
	Kept  []string `json:"kept,omitempty"`
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
	// print is the new primary's schema, if this call has read it.
	print *schemaPrint
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
	s.forward = replication{name: follow, publisher: s.source, subscriber: s.target, reach: s.FromReach, progress: s.Progress}
	s.home = replication{name: homePrefix + strings.TrimPrefix(follow, followPrefix), publisher: s.target, subscriber: s.source, reach: s.ToReach, progress: s.Progress}
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
		s.State.Ready, err = s.prepare(ctx)
	}
	if err = errors.Join(err, s.close(ctx)); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	if err := s.open(ctx); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	result = s.State.Ready
	result.Time = time.Since(began)
	s.State.Result = &result
	return result, s.save(ctx)
}

// prepare does everything that comes before the opening.
func (s *switcher) prepare(ctx context.Context) (result SwitchResult, err error) {
	if err := s.begin(ctx); err != nil {
		return result, err
	}
	for _, part := range []struct {
		took *time.Duration
		do   func(context.Context, *SwitchResult) error
	}{
		{&result.DrainTime, s.drain},
		{&result.EndTime, func(ctx context.Context, _ *SwitchResult) error { return s.forward.dismantle(ctx) }},
		{&result.CarryTime, s.carry},
		{&result.HomeTime, s.buildHome},
	} {
		began := time.Now()
		if err := part.do(ctx, &result); err != nil {
			return result, err
		}
		*part.took = time.Since(began)
	}
	return result, nil
}

// carry brings over what replication does not, and wants the source frozen
// still.
func (s *switcher) carry(ctx context.Context, result *SwitchResult) error {
	c, err := carry(ctx, s.source, s.target, s.State.Views, s.Progress.Note)
	if err != nil {
		return err
	}
	result.Sequences, result.Objects, result.Unlogged, result.Views, result.Kept = c.Sequences, c.Objects, c.Unlogged, c.Views, quotedNames(c.Kept)
	if s.Count {
		if err := s.count(ctx, s.From, s.To); err != nil {
			return err
		}
	}
	return s.quiet(ctx)
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
	s.State.Follow, s.State.Opens, s.State.Views, s.State.Identities = name, note.Opens, note.Schema.Views, note.Identities
	return s.save(ctx)
}
