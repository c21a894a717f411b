package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// plainNight is a night on a database with two tables.
func plainNight(t *testing.T) *night {
	from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	load(t, from, "create table orders (id serial primary key, a text); create table loose (a int); insert into orders (a) values ('x'); insert into loose values (1)")
	return newNight(t, from, to)
}

// wantRefused fails unless the error names all the words.
func wantRefused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was not refused, want %q", words)
	}
	text := err.Error() + " " + strings.Join(fault.Hints(err), " ")
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("the refusal does not say %q: %s", w, text)
		}
	}
}

func TestFollowNamesWhatCannotBeFollowed(t *testing.T) {
	n := plainNight(t)
	n.follow.FullIdentity = false
	load(t, n.from, `create function f() returns trigger language plpgsql as 'begin return null; end';
		create trigger always after insert on orders for each row execute function f(); alter table orders enable always trigger always`)
	_, err := PlanFollow(t.Context(), n.follow)
	wantRefused(t, err, "public.loose", "without a key", "always on public.orders", "replica identity")

	n.follow.FullIdentity = true
	load(t, n.from, "alter table orders enable trigger always; create table odd (a json)")
	_, err = PlanFollow(t.Context(), n.follow)
	wantRefused(t, err, "public.odd (a)", "cannot be compared")

	load(t, n.from, "drop table odd")
	n.follow.Reach = secret.NewDSN("postgres://postgres:hidden-word@127.0.0.1:1/x")
	_, err = PlanFollow(t.Context(), n.follow)
	wantRefused(t, err, "127.0.0.1")
	if strings.Contains(err.Error(), "hidden-word") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestChangesOfTheSchemaAreNamedAtTheSwitch(t *testing.T) {
	n := plainNight(t)
	n.startFollowing()
	load(t, n.from, "truncate loose; analyze; vacuum full orders; insert into orders (a) values ('y'); reindex table orders")
	n.must("nothing was changed", func(ctx context.Context) error { _, err := VerifyFollow(ctx, n.follow); return err })
	load(t, n.from, "alter table orders add b int; create table later (id int primary key); create index by_a on orders (a)")
	_, err := PlanSwitch(t.Context(), n.change)
	wantRefused(t, err, "orders", "later", "by_a")
	n.freezeSource()
	_, err = Switch(t.Context(), n.change)
	wantRefused(t, err, "orders", "later", "by_a", "same change")
	if n.change.State.Drained != "" {
		t.Error("the switch went on")
	}
	n.must("unfreeze", n.freeze.unfreeze)
	load(t, n.from, "drop table later")
	load(t, n.to, "set default_transaction_read_only = off; alter table orders add b int; create index by_a on orders (a)")
	n.freezeSource()
	r := n.switchOver()
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "orders") {
		t.Errorf("warnings %q do not name the altered table", r.Warnings)
	}
	load(t, n.to, "create table newer (id int primary key)")
	wantRefused(t, UndoSwitch(t.Context(), n.change), "newer", "same change")
	load(t, n.to, "drop table newer; insert into orders (a) values ('z')")
	n.must("go home", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	if got := one(t, n.from, "select string_agg(a, '' order by id) from orders"); got != "xyz" {
		t.Errorf("orders %q, want xyz", got)
	}
}

func TestSwitchWantsTheSourceFrozen(t *testing.T) {
	n := plainNight(t)
	n.freezeSource()
	_, err := Switch(t.Context(), n.change)
	wantRefused(t, err, "postgres_follow")
	n.must("unfreeze", n.freeze.unfreeze)
	n.startFollowing()
	_, err = Switch(t.Context(), n.change)
	wantRefused(t, err, "not frozen", "postgres_freeze")
	if got := one(t, n.to, "select current_setting('default_transaction_read_only')"); got != "on" {
		t.Errorf("the follower's default_transaction_read_only is %q, want on", got)
	}
}

func TestWithoutAWayHomeWhatWasWrittenStays(t *testing.T) {
	n := plainNight(t)
	n.change.WayHome = false
	n.startFollowing()
	n.freezeSource()
	n.switchOver()
	load(t, n.to, "insert into orders (a) values ('only there')")
	wantRefused(t, UndoSwitch(t.Context(), n.change), "no way home", "skip")
	wantRefused(t, UndoFollow(t.Context(), n.follow), "switched to", "would be lost")
	if _, err := Follow(t.Context(), n.follow); err == nil {
		t.Error("a target that was switched to was followed again")
	}
	if got := one(t, n.to, "select count(*)::text from orders"); got != "2" {
		t.Errorf("%s orders on the target, want 2", got)
	}
}

func TestSlotIsBounded(t *testing.T) {
	n := plainNight(t)
	n.startFollowing()
	load(t, n.to, "set default_transaction_read_only = off; alter subscription "+n.follow.State.Name+" disable")
	load(t, n.from, "insert into orders (a) select repeat(md5(i::text), 100) from generate_series(1, 2000) i")
	n.follow.MaxSlot, n.follow.MaxLag = 64<<10, 1<<10
	_, err := Follow(t.Context(), n.follow)
	wantRefused(t, err, "max_slot", "undo this step", "drop_slot")

	n.follow.DropSlot = true
	_, err = Follow(t.Context(), n.follow)
	wantRefused(t, err, "max_slot", "dropped")
	if got := one(t, n.from, "select count(*)::text from pg_replication_slots where slot_name = '"+n.follow.State.Name+"'"); got != "0" {
		t.Error("the slot is still there")
	}
	n.follow.MaxSlot = 1 << 30
	n.must("begin again", func(ctx context.Context) error { _, err := Follow(ctx, n.follow); return err })
	if got := one(t, n.to, "select count(*)::text from orders"); got != "2001" {
		t.Errorf("%s orders on the target, want 2001", got)
	}
}

func TestSlotIsWatchedWhileCopying(t *testing.T) {
	n := plainNight(t)
	f := follower{FollowOptions: n.follow}
	f.MaxSlot = 1
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	source, err := openEnd(ctx, n.from, Source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.close(ctx) }()
	f.stream = replication{name: "evac_follow_guard", publisher: source}
	slot, err := f.stream.exportSlot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slot.close(ctx) }()
	err = f.guarded(ctx, func(ctx context.Context) error {
		load(t, n.from, "insert into loose select generate_series(1, 10000)")
		<-ctx.Done()
		return ctx.Err()
	})
	wantRefused(t, err, "max_slot")
}

// keeper is a database whose owner is an ordinary user with a password.
func keeper(t *testing.T, which testenv.Which) secret.DSN {
	t.Helper()
	srv := testenv.OwnPostgres(t, which, func(o *servers.Options) { o.Password = secret.New("super secret") })
	conn, err := pgx.Connect(t.Context(), srv.DSN("postgres", "").Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"create role keeper login replication password 'kept secret'",
		"grant pg_create_subscription, pg_read_all_stats, pg_signal_backend to keeper",
		"create database shop template template0 owner keeper",
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return secret.NewDSN(fmt.Sprintf("postgres://keeper:kept%%20secret@127.0.0.1:%d/shop?sslmode=disable", srv.Port))
}

func TestFollowAsAnOrdinaryUser(t *testing.T) {
	from, to := keeper(t, "16"), keeper(t, testenv.Newer)
	load(t, from, shopSchema)
	n := newNight(t, from, to)
	u := newUsers(t, from, false)
	u.rest(10)
	n.startFollowing()
	u.rest(10)
	n.must("plan switch", func(ctx context.Context) error { _, err := PlanSwitch(ctx, n.change); return err })
	n.freezeSource()
	n.switchOver()
	u.where.Store(&to)
	u.rest(20)
	n.must("go home", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	u.where.Store(&from)
	n.must("unfreeze", n.freeze.unfreeze)
	u.rest(10)
	u.end(from)
}

func TestFollowIsCutWhileCopying(t *testing.T) {
	n := plainNight(t)
	load(t, n.from, "insert into orders (a) select md5(i::text) from generate_series(1, 5000) i")
	save := n.follow.Save
	cut := errors.New("cut off")
	n.follow.Save = func(ctx context.Context, s FollowState) error {
		if s.Copy.Finished != nil {
			return cut // the copy is there, and nobody knows
		}
		return save(ctx, s)
	}
	if _, err := Follow(t.Context(), n.follow); !errors.Is(err, cut) {
		t.Fatalf("follow ended with %v", err)
	}
	load(t, n.from, "update orders set a = 'new' where id = 1; delete from orders where id = 2; insert into loose values (2)")
	n.follow.Save = save
	n.must("go on", func(ctx context.Context) error { _, err := Follow(ctx, n.follow); return err })
	const sum = "select count(*) || ' ' || md5(string_agg(a, ',' order by id)) || (select sum(a) from loose) from orders"
	if here, there := one(t, n.from, sum), one(t, n.to, sum); here != there {
		t.Errorf("source %s, target %s", here, there)
	}
	n.must("undo", func(ctx context.Context) error { return UndoFollow(ctx, n.follow) })
	n.must("undo again", func(ctx context.Context) error { return UndoFollow(ctx, n.follow) })
}
