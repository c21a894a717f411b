package pg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A follower is a copy that goes on receiving what is written to its source,
// by logical replication. A slot on the source gives the moment at which the
// copy is taken and keeps what comes after it; a subscription on the target
// takes it from there. Before the first table stands and until it is switched
// to, the follower is read-only by default, so that nobody writes to it by
// mistake: a copy that starts over, and undo, keep nothing that others wrote.

// FollowOptions say what follows what, and how.
type FollowOptions struct {
	// Copy is the copy that the following begins with; its State and Save are
	// Follow's own.
	CopyOptions
	// Reach is the source as the target's server reaches it.
	Reach secret.DSN
	// MaxLag is how many bytes of log the target may be behind in the end.
	MaxLag int64
	// MaxSlot bounds the log that the source keeps for the target, in bytes; 0
	// is no bound. DropSlot drops the slot rather than exceed it.
	MaxSlot  int64
	DropSlot bool
	// FullIdentity lets tables without a key be followed by whole rows, for
	// which a property of these tables is changed on the source.
	FullIdentity bool
	// State is what an earlier call saved last, Save keeps it.
	State FollowState
	Save  func(context.Context, FollowState) error
	// Change is told of a table's identity before it is changed, Restored after
	// the old one stands again; Changed lists those that are changed.
	Change, Restored func(context.Context, IdentityChange) error
	Changed          func() []IdentityChange
}

// FollowState is what must outlive the process.
type FollowState struct {
	// Name is that of publication, slot and subscription; "" is none yet.
	Name string `json:"name,omitempty"`
	// Schema is the source's when the copy was taken.
	Schema schemaPrint `json:"schema,omitzero"`
	Copy   CopyState   `json:"copy,omitzero"`
	// Held is the slot's moment while a process of its own holds it.
	Held *HeldSnapshot `json:"held,omitempty"`
	// Opens are the settings by which the target is closed to writers, with
	// their old values.
	Opens []FreezeChange `json:"opens,omitempty"`
	// ClosedAt is when the last session that could write there by default had
	// ended, by the target's clock; zero: not yet.
	ClosedAt time.Time `json:"closed_at,omitzero"`
	// Caught tells that the target has caught up once: it may be switched to.
	Caught bool `json:"caught,omitempty"`
}

// FollowResult is what a follow did.
type FollowResult struct {
	Copy CopyResult
	// Name is that of publication, slot and subscription.
	Name string
	Lag  Lag
}

// followName is the name of the stream that a token stands for.
func followName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return followPrefix + hex.EncodeToString(sum[:8])
}

// The streams' names begin so: forward, and on the way home.
const (
	followPrefix = "evac_follow_"
	homePrefix   = "evac_home_"
)

// follower is one call of Follow.
type follower struct {
	FollowOptions
	stream replication
}

func openFollower(ctx context.Context, o FollowOptions) (*follower, error) {
	source, target, err := openEnds(ctx, o.From, o.To)
	if err != nil {
		return nil, err
	}
	if o.Reach.Empty() {
		o.Reach = o.From
	}
	f := &follower{FollowOptions: o, stream: replication{name: followName(o.Token), publisher: source, subscriber: target, reach: o.Reach, progress: o.Progress}}
	return f, nil
}

func (f *follower) close(ctx context.Context) error {
	return errors.Join(f.stream.publisher.close(ctx), f.stream.subscriber.close(ctx))
}

// copyOptions are the copy's own, whose state is a part of the follower's.
func (f *follower) copyOptions() CopyOptions {
	o := f.CopyOptions
	o.State, o.Save = f.State.Copy, func(ctx context.Context, s CopyState) error {
		f.State.Copy = s
		return f.Save(ctx, f.State)
	}
	return o
}

func (f *follower) save(ctx context.Context) error {
	if err := f.Save(ctx, f.State); err != nil {
		return fmt.Errorf("save how far the follower is: %w", err)
	}
	return nil
}

// Follow copies the source and makes the target follow it. It returns when the
// target is less than MaxLag behind, and goes on from what is already done. A
// copy that was cut off starts over unless its moment is held or the source is
// unwritten since.
func Follow(ctx context.Context, o FollowOptions) (result FollowResult, err error) {
	f, err := openFollower(ctx, o)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	result, err = f.follow(ctx)
	return result, fault.Wrap(fault.KindOf(err), fmt.Sprintf("follow %s", o.From), err, "")
}

func (f *follower) follow(ctx context.Context) (result FollowResult, err error) {
	if err := f.stands(ctx); err != nil {
		return result, err
	}
	if err := f.fill(ctx); err != nil {
		return result, err
	}
	if err := f.subscribe(ctx); err != nil {
		return result, err
	}
	lag, err := f.catchUp(ctx)
	if err != nil && ctx.Err() == nil { // a change of the schema stops the worker
		change, why := f.stream.changedSince(ctx, f.State.Schema)
		err = errors.Join(why, change.refusal(Source, Target), err)
	}
	if err != nil {
		return result, err
	}
	if !f.State.Caught {
		f.State.Caught = true
		if err := f.save(ctx); err != nil {
			return result, err
		}
	}
	return FollowResult{Copy: *f.State.Copy.Finished, Name: f.stream.name, Lag: lag}, nil
}

// stands looks whether what an earlier call did is still there, and drops the
// rest of what is not. A target that was switched to is left alone.
func (f *follower) stands(ctx context.Context) error {
	if f.State.Copy.Finished == nil {
		return nil
	}
	_, lost := f.stream.slot(ctx, "")
	if lost == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	there, err := f.stream.subscribed(ctx)
	if err != nil {
		return err
	}
	if f.State.Caught && !there {
		return fault.New(fault.Failed, "the target does not follow the source any more: it was switched to", "undo the switch first, or take another target")
	}
	f.Progress.Note("starting over: " + lost.Error())
	return f.drop(ctx)
}

// subscribe lets the target follow.
func (f *follower) subscribe(ctx context.Context) error {
	there, err := f.stream.subscribed(ctx)
	if err != nil || there {
		return err
	}
	// The copy has taken the source's publication along.
	if err := run(ctx, f.stream.subscriber.conn, "drop publication if exists "+Quote(f.stream.name)); err != nil {
		return fmt.Errorf("drop publication %q on target: %w", f.stream.name, err)
	}
	if err := f.closeWriters(ctx); err != nil {
		return err
	}
	return f.stream.subscribe(ctx, followNote{Opens: f.State.Opens, Schema: f.State.Schema, Identities: f.Changed()})
}
