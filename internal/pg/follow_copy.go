package pg

import (
	"context"
	"errors"
	"fmt"
)

// fill takes the copy, at the moment from which on the slot keeps everything.
func (f *follower) fill(ctx context.Context) (err error) {
	o := f.copyOptions()
	if o.State.Finished != nil {
		stands, err := finishCopy(ctx, o)
		if err == nil && stands && o.State.Left == nil {
			err = leave(ctx, o, o.State)
		}
		if stands || err != nil { // unlogged tables that a crash has emptied come with the switch
			return err
		}
		o.State = f.State.Copy
	}
	// Then it has refused what it refuses, a database that is somebody's above
	// all, and has the roles, which may have defaults of their own.
	o.roled = func(ctx context.Context, own uint32) error { return f.closeWriters(ctx, own) }
	still, err := f.stillHeld(ctx)
	if err != nil {
		return err
	}
	if still {
		o.Snapshot = f.State.Held
	} else {
		var slot *exportedSlot
		if slot, err = f.begin(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, slot.close(ctx)) }()
		if o.Snapshot, err = f.hold(ctx, slot); err != nil {
			return err
		}
	}
	err = f.guarded(ctx, func(ctx context.Context) error {
		_, err := Copy(ctx, o)
		return err
	})
	if err != nil || f.State.Held == nil {
		return err
	}
	held := f.State.Held
	if err := letGo(ctx, f.stream.publisher.conn, held); err != nil {
		return err
	}
	f.State.Held = nil
	return f.save(ctx)
}

// hold lets a process of its own hold the slot's moment, if there may be one:
// then a copy that is killed goes on with this slot.
func (f *follower) hold(ctx context.Context, slot *exportedSlot) (*HeldSnapshot, error) {
	if f.Hold == nil {
		return &slot.held, nil
	}
	held, err := f.Hold(ctx, f.From, &slot.held)
	if err != nil {
		return nil, err
	}
	f.State.Held = &held
	if err := f.save(ctx); err != nil {
		return nil, err
	}
	return &held, held.keep()
}

// stillHeld tells whether an earlier call's slot stands and its moment is held.
func (f *follower) stillHeld(ctx context.Context) (bool, error) {
	if f.State.Held == nil {
		return false, nil
	}
	if _, lost := f.stream.slot(ctx, ""); lost != nil {
		return false, ctx.Err()
	}
	return stillHeld(ctx, f.From, *f.State.Held)
}

// begin makes publication and slot. Those of an earlier call whose copy was cut
// off are of no use once the slot's moment is held no more.
func (f *follower) begin(ctx context.Context) (slot *exportedSlot, err error) {
	if f.State.Name == "" {
		f.State.Name = f.stream.name
		if err := f.save(ctx); err != nil {
			return nil, err
		}
	}
	if err := f.stream.dropSlot(ctx); err != nil {
		return nil, err
	}
	if err := f.makeIdentities(ctx); err != nil {
		return nil, err
	}
	if err := f.stream.publish(ctx); err != nil {
		return nil, err
	}
	f.Progress.Note("making the slot: it waits for transactions that are under way")
	if slot, err = f.stream.exportSlot(ctx); err != nil {
		return nil, err
	}
	if f.State.Schema, err = f.printAt(ctx, slot.held.ID); err == nil {
		err = f.save(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, slot.close(ctx))
	}
	return slot, nil
}

// printAt reads the source's schema as the snapshot sees it.
func (f *follower) printAt(ctx context.Context, snapshot string) (p schemaPrint, err error) {
	conn := f.stream.publisher.conn
	if err := run(ctx, conn, beginSnapshot+"; set transaction snapshot "+Literal(snapshot)); err != nil {
		return p, fmt.Errorf("join snapshot of source: %w", err)
	}
	p, err = takePrint(ctx, conn)
	if end := run(ctx, conn, "rollback"); end != nil {
		err = errors.Join(err, fmt.Errorf("read schema of source: %w", end))
	}
	return p, err
}
