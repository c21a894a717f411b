package pg

import (
	"context"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// Whoever stays on the new database has the replica identities of before the
// move, not those that only the following needed.
func TestStayingPutsIdentitiesBack(t *testing.T) {
	const identity = "select relreplident::text from pg_class where relname = 'loose'"
	for _, wayHome := range []bool{true, false} {
		t.Run(map[bool]string{true: "way home", false: "none"}[wayHome], func(t *testing.T) {
			from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
			load(t, from, "create table loose (a int); create table wide (a int); alter table wide replica identity full")
			n := newNight(t, from, to)
			n.change.WayHome = wayHome
			n.startFollowing()
			if got := one(t, to, identity); got != "f" {
				t.Fatalf("while the target follows its replica identity is %q, want f", got)
			}
			n.freezeSource()
			n.switchOver()
			if wayHome {
				if got := one(t, to, identity); got != "f" {
					t.Errorf("while the way home stands the replica identity is %q, want f", got)
				}
				n.must("settle", func(ctx context.Context) error { _, err := Settle(ctx, from, to); return err })
				if got := one(t, from, identity); got != "d" {
					t.Errorf("the old database's replica identity is %q, want d", got)
				}
			}
			if got := one(t, to, identity); got != "d" {
				t.Errorf("the new database's replica identity is %q, want d", got)
			}
			if got := one(t, to, "select relreplident::text from pg_class where relname = 'wide'"); got != "f" {
				t.Errorf("a table that had the whole row before has %q, want f", got)
			}
		})
	}
}
