package pg

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/testenv"
)

func TestFollowSwitchAndWayHome(t *testing.T) {
	thereAndBack(t, testenv.Older, testenv.Newer, shopSchema)
}

// thereAndBack follows, switches and goes home, while users write.
func thereAndBack(t *testing.T, older, newer testenv.Which, schema string) {
	from, to := testenv.Database(t, testenv.Postgres(t, older)), testenv.Database(t, testenv.Postgres(t, newer))
	load(t, from, schema)
	n := newNight(t, from, to)
	u := newUsers(t, from, older == "10")
	u.rest(20)
	n.startFollowing()
	u.rest(50)
	n.must("verify follow", func(ctx context.Context) error { _, err := VerifyFollow(ctx, n.follow); return err })
	load(t, from, "insert into cache values (1), (2); select lo_put(910001, 0, 'ONE, longer'), lo_unlink(910002), lo_from_bytea(910003, 'three')")
	n.must("plan switch", func(ctx context.Context) error { _, err := PlanSwitch(ctx, n.change); return err })
	n.freezeSource()
	r := n.switchOver()
	u.where.Store(&to)
	t.Logf("%+v", r)
	u.rest(50)
	n.must("verify switch", func(ctx context.Context) error { return VerifySwitch(ctx, n.change) })
	load(t, to, "insert into cache values (3); select lo_put(910003, 0, 'THREE'); refresh materialized view totals")
	n.must("go home", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	n.same()
	u.where.Store(&from)
	n.must("unfreeze", n.freeze.unfreeze)
	u.rest(20)
	u.stop()
	u.done.Wait()
	n.must("verify follow again", func(ctx context.Context) error { _, err := VerifyFollow(ctx, n.follow); return err })
	n.must("catch up", func(ctx context.Context) error {
		f, err := openFollower(ctx, n.follow)
		if err != nil {
			return err
		}
		_, err = f.stream.drain(ctx, time.Minute)
		return errors.Join(err, f.close(ctx))
	})
	u.exactly(from, to)
	n.must("undo follow", func(ctx context.Context) error { return UndoFollow(ctx, n.follow) })
	u.exactly(from)
	if left := one(t, to, "select count(*)::text from pg_class where relnamespace = 'public'::regnamespace"); left != "0" {
		t.Errorf("after undo %s relations are left on the target", left)
	}
	if identity := one(t, from, "select relreplident::text from pg_class where relname = 'loose'"); identity != "d" {
		t.Errorf("after undo the replica identity is %q, want d", identity)
	}
}

// A crash of the old primary after all is home, and before the undo has ended,
// takes nothing that is still on the new one.
func TestACrashOnTheWayHomeEmptiesNothing(t *testing.T) {
	n := plainNight(t)
	load(t, n.from, "create unlogged table cache (id serial, a text); insert into cache (a) values ('x')")
	n.startFollowing()
	n.freezeSource()
	n.switchOver()
	load(t, n.to, "insert into cache (a) values ('users'' own')")
	save, cut := n.change.Save, errors.New("cut off")
	n.change.Save = func(ctx context.Context, s SwitchState) error {
		err := save(ctx, s)
		if s.Returned {
			err = cut
		}
		return err
	}
	if err := UndoSwitch(t.Context(), n.change); !errors.Is(err, cut) {
		t.Fatalf("undo ended with %v", err)
	}
	load(t, n.from, "set default_transaction_read_only = off; truncate cache restart identity") // as a crash does
	n.change.Save = save
	n.must("go home", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	const sum = "select string_agg(a, ', ' order by id) || (select last_value from cache_id_seq) from cache"
	if got := one(t, n.from, sum); got != "x, users' own2" {
		t.Errorf("the old primary's cache holds %q", got)
	}
}

// The worker of the way home passes silently over a row that it does not find.
func TestTheWayHomeIsCounted(t *testing.T) {
	n := plainNight(t)
	n.startFollowing()
	n.freezeSource()
	n.switchOver()
	load(t, n.from, "set default_transaction_read_only = off; delete from orders")
	load(t, n.to, "update orders set a = 'users'' own'")
	wantRefused(t, UndoSwitch(t.Context(), n.change), "orders", "0 rows", "evac postgres verify")
	n.change.CountHome = false
	n.must("go home uncounted", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
}
