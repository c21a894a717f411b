package pg

import (
	"context"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/testenv"
)

// TestSwitchPastAnOrphan: the network is cut, and only the target hears of it.
// The source's session would keep the slot for a minute; the switch ends it.
func TestSwitchPastAnOrphan(t *testing.T) {
	t.Parallel()
	n := plainNight(t)
	wire := testenv.NewWire(t, n.from)
	n.follow.Reach, n.change.FromReach = wire.DSN(n.from), wire.DSN(n.from)
	n.startFollowing()
	n.freezeSource()
	if wire.HalfOpen(testenv.ServerEnd) == 0 {
		t.Fatal("nothing goes through the wire")
	}
	n.change.Drain = 30 * time.Second
	n.switchOver()
	if !n.notes.noting("which had lost the target") {
		t.Errorf("nothing says why it took so long: %q", n.notes.notes)
	}
	n.must("go back", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	n.must("unfreeze", n.freeze.unfreeze)
	n.must("undo follow", func(ctx context.Context) error { return UndoFollow(ctx, n.follow) })
}
