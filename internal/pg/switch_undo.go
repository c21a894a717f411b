package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/fault"
)

// UndoSwitch goes home: the new primary is frozen, the old one takes in
// everything that users wrote there, to the exact end of the log, and then the
// new one follows the old one again, as before the switch. The old primary is
// left frozen, for whoever froze it to open.
func UndoSwitch(ctx context.Context, o SwitchOptions) (err error) {
	if o.State.Follow == "" {
		return nil
	}
	s, err := openSwitcher(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if err := s.goHome(ctx); err != nil {
		return fault.Wrap(fault.KindOf(err), fmt.Sprintf("go home from %s", o.To), err, "")
	}
	s.State = SwitchState{}
	return s.save(ctx)
}

func (s *switcher) goHome(ctx context.Context) error {
	if s.State.Drained == "" {
		return nil // the target still follows: nothing was changed
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	if err := s.bringHome(ctx); err != nil {
		return err
	}
	if err := s.home.dismantle(ctx); err != nil {
		return err
	}
	s.Progress.Note("following the old primary again")
	return s.followAgain(ctx)
}

// bringHome stops writes to the new primary and brings what was written home.
func (s *switcher) bringHome(ctx context.Context) error {
	if !s.State.Opening || s.State.Returned {
		if err := s.closeAgain(ctx); err != nil || !s.State.Returned {
			return err
		}
		return refillEmptied(ctx, s.target, s.source, s.Progress.Note)
	}
	if !s.State.Home {
		return s.unused(ctx)
	}
	if err := s.home.whole(ctx); err != nil {
		return fault.Wrap(fault.Failed, "the way home does not stand any more", err, "it was ended by postgres_settle, or by hand: skip this step to keep the new primary")
	}
	if _, err := s.homeUnchanged(ctx); err != nil {
		return err // before anybody is stopped
	}
	if err := s.stopWriters(ctx); err != nil {
		return err
	}
	s.Progress.Note("bringing home what was written")
	if _, err := s.home.drain(ctx, s.Drain); err != nil {
		return err
	}
	change, err := s.homeUnchanged(ctx)
	if err == nil {
		err = s.home.compareAltered(ctx, change, s.Jobs)
	}
	if err != nil {
		return err
	}
	// All views: what users saw here is newer than what the old primary holds.
	if _, err := carry(ctx, s.target, s.source, nil, s.Progress.Note); err != nil {
		return err
	}
	if s.CountHome {
		if err := s.count(ctx, s.To, s.From); err != nil {
			return err
		}
	}
	s.State.Returned = true
	return s.save(ctx)
}

// unused lets a primary without a way home go back only if nobody wrote to it.
func (s *switcher) unused(ctx context.Context) error {
	now, err := TakeMark(ctx, s.target.conn)
	if err != nil {
		return err
	}
	if reason := now.usedSince(*s.State.Left); reason != "" {
		return noWayHome(reason) // before anybody is stopped
	}
	if err := s.stopWriters(ctx); err != nil {
		return err
	}
	s.Progress.Note("asking whether users have written")
	unused, reason, err := UnusedSince(ctx, s.target.conn, *s.State.Left)
	if err != nil {
		return err
	}
	if !unused {
		return noWayHome(reason)
	}
	s.State.Returned = true
	return s.save(ctx)
}

func noWayHome(reason string) error {
	return fault.New(fault.Failed, "there is no way home (way_home = false), and going back would lose what users wrote: "+reason,
		"skip this step to keep the new primary and undo the rest; or bring the rows back by hand")
}

// homeUnchanged refuses a new primary whose schema was changed.
func (s *switcher) homeUnchanged(ctx context.Context) (change schemaChange, err error) {
	if change, err = s.home.changedSince(ctx, s.State.Schema); err != nil {
		return change, err
	}
	for _, text := range change.Warnings {
		s.Progress.Note(text)
	}
	return change, change.refusal(Target, Source)
}

// stopWriters freezes the new primary, with the same proof as the old one.
func (s *switcher) stopWriters(ctx context.Context) error {
	s.Progress.Note("freezing the new primary")
	if err := s.target.close(ctx); err != nil { // it would be ended too
		return err
	}
	_, err := Freeze(ctx, s.To, FreezeOptions{
		Note: s.Progress.Note,
		Change: func(ctx context.Context, c FreezeChange) error {
			if slices.ContainsFunc(s.State.Opens, func(o FreezeChange) bool { return o.ID() == c.ID() }) {
				return nil
			}
			s.State.Opens = append(s.State.Opens, c)
			return s.save(ctx)
		},
	})
	if err != nil {
		return err
	}
	target, err := openEnd(ctx, s.To, Target)
	if err != nil {
		return err
	}
	s.target, s.forward.subscriber, s.home.publisher = target, target, target
	return nil
}

// closeAgain closes a follower that was being opened, and nobody wrote to.
func (s *switcher) closeAgain(ctx context.Context) error {
	z, err := s.target.freezer(ctx)
	if err != nil {
		return err
	}
	return alterAll(ctx, z, s.State.Opens, func(c FreezeChange) string { return c.New })
}

// followAgain makes the target follow the source as before the switch. Both
// are closed to writers and hold the same, so that no copy is needed.
func (s *switcher) followAgain(ctx context.Context) error {
	there, err := s.forward.subscribed(ctx)
	if err != nil || there {
		return err
	}
	if err := s.forward.dropSlot(ctx); err != nil {
		return err
	}
	if err := s.forward.publish(ctx); err != nil {
		return err
	}
	if err := s.forward.makeSlot(ctx); err != nil {
		return err
	}
	print, err := takePrint(ctx, s.source.conn)
	if err != nil {
		return err
	}
	print.Views = nil // those of the source may be newer now
	return s.forward.subscribe(ctx, followNote{Opens: s.State.Opens, Schema: print, Identities: s.State.Identities})
}
