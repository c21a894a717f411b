package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/fault"
)

// UndoFollow takes a follower down, also a half-made one: subscription, slot
// and publication go, the copy is dropped, identities are put back. A target
// that was switched to, and has not come home, is not touched but refused: its
// users' writes are only there.
func UndoFollow(ctx context.Context, o FollowOptions) (err error) {
	if o.State.Name == "" {
		return nil
	}
	f, err := openFollower(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	op := fmt.Sprintf("undo the following of %s", o.From)
	there, err := f.stream.subscribed(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if f.State.Caught && !there {
		return fault.New(fault.Failed, op+": the target was switched to and has not come home: what was written there would be lost",
			"undo the switch first; or skip this step to leave the target as it is and undo the rest")
	}
	for _, part := range []func(context.Context) error{f.drop, f.openWriters, f.restoreIdentities} {
		if err := part(ctx); err != nil {
			return fault.Wrap(fault.KindOf(err), op, err, "")
		}
	}
	f.State = FollowState{}
	return f.save(ctx)
}

// drop takes the stream down and empties the target, which stays closed to
// writers. Nothing is lost with it: a follower has only what its source has.
func (f *follower) drop(ctx context.Context) error {
	if f.State.Caught { // from here on a missing subscription is no switch
		f.State.Caught = false
		if err := f.save(ctx); err != nil {
			return err
		}
	}
	if err := f.stream.dismantle(ctx); err != nil {
		return err
	}
	o := f.copyOptions()
	o.State.Left = nil // its rows have moved on with the source's
	if err := UndoCopy(ctx, o); err != nil {
		return err
	}
	f.State.Copy = CopyState{}
	return nil
}
