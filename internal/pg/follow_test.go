package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// night is a source, its follower and all that a caller keeps of the steps.
type night struct {
	t        testing.TB
	from, to secret.DSN
	follow   FollowOptions
	change   SwitchOptions
	identity []IdentityChange
	freeze   frozen
	notes    *noted
}

// shopSchema is what replication meets: keys, none, partitions, identity,
// values out of line that updates leave alone, generated columns, a trigger,
// a foreign key; and what it does not carry.
const shopSchema = `
	create table orders (id bigint generated always as identity primary key, writer int, k int, big text, n int default 0,
		twice int generated always as (n * 2) stored, unique (writer, k));
	create table lines (id bigserial primary key, ord bigint references orders on delete cascade, what text);
	create table loose (writer int, n bigint);
	create table parts (writer int, k int, bucket int, primary key (writer, bucket)) partition by range (bucket);
	create table parts_low partition of parts for values from (0) to (10);
	create table parts_high partition of parts for values from (10) to (20);
	create table scratch (a int primary key);
	create table audit (id bigserial primary key, what text);
	create function note() returns trigger language plpgsql as $$ begin insert into public.audit (what) values (new.what); return null; end $$;
	create trigger note after insert on lines for each row execute procedure note();
	create unlogged table cache (a int);
	create materialized view totals as select writer, count(*) from orders group by 1;
	create materialized view grand as select sum(count) from totals;
	insert into orders (writer, k, big) select 0, i, repeat(md5(i::text), 200) from generate_series(1, 300) i;
	alter table orders alter big set storage external;
	insert into loose select i, 0 from generate_series(1, 4) i;
	insert into parts select i, 0, 5 from generate_series(1, 4) i;
	select lo_from_bytea(910001, 'one'), lo_from_bytea(910002, 'two')`

func newNight(t testing.TB, from, to secret.DSN) *night {
	n := &night{t: t, from: from, to: to, notes: &noted{}, freeze: frozen{dsn: from}}
	n.follow = FollowOptions{
		CopyOptions: CopyOptions{From: from, To: to, Jobs: 2, PgDump: testenv.PgDump(t), Token: t.Name(), Progress: n.notes},
		MaxLag:      1 << 20, FullIdentity: true,
		Save:     func(_ context.Context, s FollowState) error { n.follow.State = s; return nil },
		Change:   func(_ context.Context, c IdentityChange) error { n.identity = append(n.identity, c); return nil },
		Restored: func(context.Context, IdentityChange) error { n.identity = n.identity[1:]; return nil },
		Changed:  func() []IdentityChange { return n.identity },
	}
	n.change = SwitchOptions{
		From: from, To: to, WayHome: true, Count: true, Drain: time.Minute, Jobs: 2, Progress: n.notes,
		Save: func(_ context.Context, s SwitchState) error { n.change.State = s; return nil },
	}
	t.Cleanup(func() { tearDown(t, from, to) })
	return n
}

// tearDown takes all replication of the two databases away.
func tearDown(t testing.TB, databases ...secret.DSN) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var ends []*end
	for _, dsn := range databases {
		e, err := openEnd(ctx, dsn, Source)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = e.close(ctx) }()
		ends = append(ends, e)
		names, err := texts(ctx, e.conn, "select subname::text from pg_subscription join pg_database d on d.oid = subdbid where datname = current_database()")
		for _, name := range names {
			err = errors.Join(err, (&replication{name: name, subscriber: e}).unsubscribe(ctx))
		}
		if err != nil {
			t.Error(err)
		}
	}
	for _, e := range ends {
		names, err := texts(ctx, e.conn, "select slot_name::text from pg_replication_slots where database = current_database()")
		for _, name := range names {
			err = errors.Join(err, (&replication{name: name, publisher: e}).dropSlot(ctx))
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// must runs one step of the night.
func (n *night) must(what string, do func(ctx context.Context) error) {
	n.t.Helper()
	began := time.Now()
	if err := do(n.t.Context()); err != nil {
		n.t.Fatalf("%s: %v (hints %q, notes %q)", what, err, fault.Hints(err), n.notes.notes)
	}
	n.t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
}

func (n *night) startFollowing() {
	n.t.Helper()
	n.must("plan", func(ctx context.Context) error { _, err := PlanFollow(ctx, n.follow); return err })
	n.must("follow", func(ctx context.Context) error { _, err := Follow(ctx, n.follow); return err })
}

func (n *night) freezeSource() {
	n.t.Helper()
	n.must("freeze", func(ctx context.Context) error { _, err := n.freeze.freeze(ctx, false); return err })
}

func (n *night) switchOver() (r SwitchResult) {
	n.t.Helper()
	n.must("switch", func(ctx context.Context) (err error) { r, err = Switch(ctx, n.change); return err })
	return r
}

// same fails unless both databases hold the same rows, by plain SQL. A
// materialized view may have been refreshed on one side only.
func (n *night) same() {
	n.t.Helper()
	for _, dsn := range []secret.DSN{n.from, n.to} {
		load(n.t, dsn, "set default_transaction_read_only = off; refresh materialized view totals; refresh materialized view grand")
	}
	if diff := cmp.Diff(contents(n.t, n.from), contents(n.t, n.to)); diff != "" {
		n.t.Fatalf("source (-) and target (+):\n%s", diff)
	}
}

// contents sums up what a database holds.
func contents(t testing.TB, dsn secret.DSN) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, name := range []string{"orders", "lines", "loose", "parts", "scratch", "audit", "cache", "totals", "grand"} {
		sums[name] = one(t, dsn, "select count(*) || ' ' || coalesce(md5(string_agg(x::text, e'\n' order by x::text)), '') from "+name+" x")
	}
	sums["sequences"] = one(t, dsn, "select (select last_value || ' ' || is_called from orders_id_seq) || ' ' || (select last_value || ' ' || is_called from lines_id_seq)")
	sums["objects"] = one(t, dsn, "select string_agg(oid || ' ' || lo_get(oid)::text, ',' order by oid) from pg_largeobject_metadata")
	return sums
}

func one(t testing.TB, dsn secret.DSN, sql string) (text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn.Reveal())
	if err == nil {
		defer func() { _ = conn.Close(context.Background()) }()
		err = conn.QueryRow(t.Context(), sql).Scan(&text)
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

// users write without a pause to wherever they are sent, and remember what was
// acknowledged to them.
type users struct {
	t     testing.TB
	where atomic.Pointer[secret.DSN]
	stop  context.CancelFunc
	done  sync.WaitGroup
	acked [5]atomic.Int64 // by writer, counted from 1
	// keeps tells that they truncate nothing.
	keeps bool
}

func newUsers(t testing.TB, dsn secret.DSN, keeps bool) *users {
	ctx, stop := context.WithCancel(t.Context())
	u := &users{t: t, stop: stop, keeps: keeps}
	u.where.Store(&dsn)
	for i := 1; i <= 4; i++ {
		u.done.Go(func() {
			for k := int64(1); ctx.Err() == nil; {
				k = u.session(ctx, i, k)
			}
		})
	}
	t.Cleanup(func() { stop(); u.done.Wait() })
	return u
}

// session writes until it breaks, and gives the number to go on with.
func (u *users) session(ctx context.Context, writer int, k int64) int64 {
	dsn := u.where.Load()
	conn, err := pgx.Connect(ctx, dsn.Reveal())
	if err != nil {
		return k
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for ctx.Err() == nil && u.where.Load() == dsn {
		err := u.write(ctx, conn, writer, k)
		var refused *pgconn.PgError
		switch {
		case err == nil:
			u.acked[writer].Store(k)
		case errors.As(err, &refused) && refused.Code == "23505" && strings.Contains(refused.ConstraintName, "writer_k"):
			// An earlier try did get through.
			u.acked[writer].Store(k)
		case errors.As(err, &refused) && refused.Code != "25006" && refused.Code != "57P01" && refused.Code != "40P01":
			u.t.Errorf("writer %d: %v", writer, err)
			return k
		default:
			return k
		}
		k++
		select {
		case <-time.After(userPause):
		case <-ctx.Done():
		}
	}
	return k
}

// userPause is the time that a user takes between two writes.
const userPause = 20 * time.Millisecond

// write is one user's transaction: it counts itself in three ways.
func (u *users) write(ctx context.Context, conn *pgx.Conn, writer int, k int64) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var id int64
		if err := tx.QueryRow(ctx, "insert into orders (writer, k, big) values ($1, $2, repeat('x', 3000)) returning id", writer, k).Scan(&id); err != nil {
			return err
		}
		var b pgx.Batch
		b.Queue("insert into lines (ord, what) values ($1, $2)", id, fmt.Sprint(writer, " ", k))
		b.Queue("update orders set n = n + 1 where writer = 0 and k = $1", k%300+1) // leaves the value out of line alone
		b.Queue("update loose set n = n + 1 where writer = $1", writer)
		b.Queue("update parts set k = k + 1, bucket = 19 - bucket where writer = $1", writer) // walks to the other partition
		if k%5 == 0 {
			b.Queue("delete from orders where writer = $1 and k = $2", writer, k-3)
		}
		if k%7 == 0 && writer == 1 && !u.keeps {
			b.Queue("truncate scratch")
			b.Queue("insert into scratch select i from generate_series(1, $1::int) i", k%50)
		}
		return tx.SendBatch(ctx, &b).Close()
	})
}

// rest lets the users write some more.
func (u *users) rest(n int64) {
	u.t.Helper()
	var goals [5]int64
	for i := 1; i <= 4; i++ {
		goals[i] = u.acked[i].Load() + n
	}
	end := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 1; i <= 4; {
		if u.acked[i].Load() >= goals[i] {
			i++
			continue
		}
		select {
		case <-tick.C:
		case <-end:
			u.t.Fatalf("writer %d got %d writes through, want %d", i, u.acked[i].Load(), goals[i])
		}
	}
}

// end stops the users and wants every acknowledged write there exactly once.
func (u *users) end(databases ...secret.DSN) {
	u.t.Helper()
	u.stop()
	u.done.Wait()
	u.exactly(databases...)
}

func (u *users) exactly(databases ...secret.DSN) {
	u.t.Helper()
	for _, dsn := range databases {
		for i := 1; i <= 4; i++ {
			acked := u.acked[i].Load()
			lines := one(u.t, dsn, fmt.Sprintf("select count(*) || ' ' || count(distinct what) || ' ' || coalesce(max(split_part(what, ' ', 2)::int), 0) from audit where what like '%d %%'", i))
			loose := one(u.t, dsn, fmt.Sprintf("select n::text from loose where writer = %d", i))
			parts := one(u.t, dsn, fmt.Sprintf("select k::text from parts where writer = %d", i))
			ok := false
			for _, n := range []int64{acked, acked + 1} { // one may be under way
				ok = ok || lines == fmt.Sprintf("%d %d %d", n, n, n) && loose == fmt.Sprint(n) && parts == fmt.Sprint(n)
			}
			if !ok {
				u.t.Errorf("%s: writer %d was acknowledged %d writes; there are %s lines, %s in the table without key, %s in the partitions", dsn, i, acked, lines, loose, parts)
			}
		}
	}
}

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
