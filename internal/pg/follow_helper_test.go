package pg

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

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
		From: from, To: to, WayHome: true, Count: true, CountHome: true, Drain: time.Minute, Jobs: 2, Progress: n.notes,
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
