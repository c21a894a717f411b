package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// UndoReplica stops the replica, drops its slot and removes the files that it
// was made of, and nothing else. One that was promoted is left alone: it holds
// what nobody else has.
func UndoReplica(ctx context.Context, o ReplicaOptions) (err error) {
	if o.State.Slot == "" {
		return nil // nothing was begun
	}
	op := fmt.Sprintf("remove replica %q", o.Local.Dir)
	if err := refusePromoted(o); err != nil {
		return fault.Wrap(fault.KindOf(err), op, err, "")
	}
	r, err := openReplica(ctx, o)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), op, err, "the slot on the primary must go with it, for it keeps the write-ahead log; if the primary is gone for good: evac skip")
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	err = r.undo(ctx)
	return fault.Wrap(fault.KindOf(err), op, err, "")
}

func (r *replica) undo(ctx context.Context) error {
	mine, err := r.ours(r.Local.Dir)
	if err != nil {
		return err
	}
	if mine {
		if err := r.stop(ctx); err != nil {
			return err
		}
	}
	if err := r.dropSlot(ctx); err != nil {
		return err
	}
	return r.remove()
}

// refusePromoted refuses a replica that has become a primary: its files do not
// say any more that it follows.
func refusePromoted(o ReplicaOptions) error {
	made, err := exists(filepath.Join(o.Local.Dir, markName))
	if err != nil || !made || o.State.Base == nil {
		return err
	}
	for _, name := range []string{signalFile, recoveryConf} {
		if follows, err := exists(filepath.Join(o.Local.Dir, name)); follows || err != nil {
			return err
		}
	}
	return fault.New(fault.Failed, fmt.Sprintf("it is no replica any more: %q has no %s", o.Local.Dir, signalFile), "evac skip leaves it as it is")
}

func (r *replica) stop(ctx context.Context) error {
	if r.State.Base == nil {
		return nil // never started
	}
	if r.Local.Stop != "" {
		return shell(ctx, r.Local.Stop)
	}
	running, err := r.Local.running(ctx, r.version/100_00)
	if !running || err != nil {
		return err
	}
	return r.Local.pgCtl(ctx, r.version/100_00, "stop", "-m", "fast", "-t", fmt.Sprint(int(promoteLimit.Seconds())))
}

// slotLimit is how long a slot may stay in use after its replica has ended.
const slotLimit = time.Minute

// dropSlot drops the slot as soon as nobody uses it.
func (r *replica) dropSlot(ctx context.Context) error {
	bound := time.After(slotLimit)
	for {
		var there, active bool
		err := r.primary.QueryRow(ctx, `select count(*) > 0, coalesce(bool_or(active), false) from pg_catalog.pg_replication_slots where slot_name = $1`, r.Slot).Scan(&there, &active)
		if err != nil {
			return fmt.Errorf("look for replication slot %q: %w", r.Slot, err)
		}
		if !there {
			return nil
		}
		if !active {
			if _, err := r.primary.Exec(ctx, "select pg_drop_replication_slot($1)", r.Slot); err != nil && sqlState(err) != objectInUse {
				return fmt.Errorf("drop replication slot %q: %w", r.Slot, err)
			}
			continue
		}
		select {
		case <-bound:
			return fault.New(fault.Failed, fmt.Sprintf("replication slot %q is still in use", r.Slot), "another server follows by it: stop that first")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(followPause):
		}
	}
}

// remove removes the files, and the directory if the replica made it.
func (r *replica) remove() error {
	for _, dir := range r.directories() {
		mine, err := r.ours(dir)
		if err != nil {
			return err
		}
		if mine {
			if err := r.empty(dir); err != nil {
				return err
			}
		}
		if slices.Contains(r.State.Kept, dir) {
			continue
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) && mine {
			return err
		}
	}
	return nil
}
