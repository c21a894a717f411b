package pg

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

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

// drain waits until the target has everything, and looks at the schemas
// meanwhile. Once that is saved, the source says no more that the target does
// not have.
func (s *switcher) drain(ctx context.Context, result *SwitchResult) error {
	if result.Drained = s.State.Drained; result.Drained != "" {
		return nil
	}
	s.Progress.Note("applying the rest of the source's log")
	if err := s.forward.whole(ctx); err != nil {
		return err
	}
	var change schemaChange
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) { result.Drained, err = s.forward.drain(both, s.Drain); return err })
	group.Go(func() (err error) { change, err = s.unchanged(both); return err })
	if err := group.Wait(); err != nil {
		return err
	}
	if err := s.forward.compareAltered(ctx, change, s.Jobs); err != nil {
		return err
	}
	result.Warnings = append(result.Warnings, change.Warnings...)
	s.State.Drained = result.Drained
	return s.save(ctx)
}

// unchanged refuses a source whose schema was changed while it was followed.
// The state of the follow step is not ours: the follower itself is compared. It
// works with sessions of its own, while the source is frozen and nobody may
// write to the target.
func (s *switcher) unchanged(ctx context.Context) (change schemaChange, err error) {
	look := replication{name: s.forward.name}
	if look.publisher, look.subscriber, err = openEnds(ctx, s.From, s.To); err != nil {
		return change, err
	}
	defer func() { err = errors.Join(err, look.publisher.close(ctx), look.subscriber.close(ctx)) }()
	note, err := look.note(ctx)
	if err != nil {
		return change, err
	}
	if change, err = look.changedSince(ctx, note.Schema); err != nil {
		return change, err
	}
	if err := change.refusal(Source, Target); err != nil || !s.WayHome {
		return change, err
	}
	print, err := takePrint(ctx, look.subscriber.conn)
	s.print = &print
	return change, err
}

// buildHome makes the way home. The slot stands before anybody may write to
// the new primary, and both sides are the same, so that nothing is missed and
// nothing sent twice. Without one, identities that only the following needed go
// back at once.
func (s *switcher) buildHome(ctx context.Context, result *SwitchResult) error {
	if !s.WayHome {
		return s.target.putBack(ctx, s.State.Identities)
	}
	result.Home = s.home.name
	if s.State.Home {
		return nil
	}
	s.Progress.Note("building the way home")
	if s.print == nil { // an earlier call has drained
		print, err := takePrint(ctx, s.target.conn)
		if err != nil {
			return err
		}
		s.print = &print
	}
	s.State.Schema = *s.print
	if err := s.home.dismantle(ctx); err != nil {
		return err
	}
	if err := s.home.publish(ctx); err != nil {
		return err
	}
	if err := s.home.remember(ctx, s.State.Identities); err != nil {
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
