package pg

import (
	"context"
	"errors"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

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
