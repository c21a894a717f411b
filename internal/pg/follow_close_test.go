package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// atNote calls a function, once, before a note is passed on.
type atNote struct {
	Progress
	text string
	do   func()
}

func (p *atNote) Note(text string) {
	if text == p.text && p.do != nil {
		do := p.do
		p.do = nil
		do()
	}
	p.Progress.Note(text)
}

// A client that fails over to the target while it is copied must not write
// there: a copy that starts over wipes the target.
func TestNobodyWritesToTheTargetOfACopy(t *testing.T) {
	from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	role := databaseOf(t, to)
	load(t, from, fmt.Sprintf(`create table orders (id serial primary key, a text); insert into orders (a) values ('x');
		create role %[1]s login; alter role %[1]s set default_transaction_read_only = off; grant all on orders to %[1]s;
		grant all on sequence orders_id_seq to %[1]s`, Quote(role)))
	t.Cleanup(func() { once(t, from, "drop owned by "+Quote(role)+"; drop role "+Quote(role)) })
	load(t, to, "alter database "+Quote(databaseOf(t, to))+" set default_transaction_read_only = off")
	before, early := closedBy(t, to), dial(t, to)
	n := newNight(t, from, to)

	ctx, cut := context.WithCancel(t.Context())
	n.follow.Progress = &atNote{Progress: n.notes, text: "setting the database", do: func() {
		wantReadOnly(t, to, as(to, role))
		if _, err := early.Exec(t.Context(), "insert into orders (a) values ('early')"); err == nil {
			t.Error("a session from before the copy wrote to the target")
		}
		cut()
	}}
	if _, err := Follow(ctx, n.follow); !errors.Is(err, context.Canceled) {
		t.Fatalf("follow ended with %v", err)
	}
	wantReadOnly(t, to)
	load(t, from, "insert into orders (a) values ('written meanwhile')")
	n.follow.Progress = &atNote{Progress: n.notes, text: "making roles", do: func() { wantClosed(t, to) }}
	n.must("start over", func(ctx context.Context) error { _, err := Follow(ctx, n.follow); return err })
	if !strings.Contains(strings.Join(n.notes.notes, "\n"), "started over") {
		t.Errorf("the copy did not start over: %q", n.notes.notes)
	}
	wantReadOnly(t, to, as(to, role))

	n.freezeSource()
	n.switchOver()
	once(t, as(to, role), "insert into orders (a) values ('after the switch')")
	if diff := cmp.Diff(before, closedBy(t, to)); diff != "" {
		t.Errorf("settings of the target before (-) and after (+) the switch:\n%s", diff)
	}
	n.must("go home", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	n.must("unfreeze", n.freeze.unfreeze)
	n.follow.Progress = &atNote{Progress: n.notes, text: "dropping what the copy made", do: func() { wantReadOnly(t, to, as(to, role)) }}
	n.must("undo", func(ctx context.Context) error { return UndoFollow(ctx, n.follow) })
	if diff := cmp.Diff(before, closedBy(t, to)); diff != "" {
		t.Errorf("settings of the target before (-) and after (+) all:\n%s", diff)
	}
}

// A database that the copy would refuse may be somebody's: it stays as it is.
func TestFollowClosesNoDatabaseThatItRefuses(t *testing.T) {
	n := plainNight(t)
	load(t, n.to, "create table theirs (a int)")
	theirs := dial(t, n.to)
	_, err := Follow(t.Context(), n.follow)
	wantRefused(t, err, "not empty", "theirs")
	if _, err := theirs.Exec(t.Context(), "insert into theirs values (1)"); err != nil {
		t.Errorf("whoever works there cannot write any more: %v", err)
	}
	if got := closedBy(t, n.to); len(got) > 0 {
		t.Errorf("its settings are %q, want none", got)
	}
}

// A session that the user may not end is named.
func TestFollowNamesWhoCannotBeClosedOut(t *testing.T) {
	from, to := keeper(t, "16"), keeper(t, testenv.Newer)
	load(t, from, "create table orders (id serial primary key, a text)")
	n := newNight(t, from, to)
	dial(t, n.superuser(to))
	n.startFollowing()
	if notes := strings.Join(n.notes.notes, "\n"); !strings.Contains(notes, `may not end: user "postgres" from 127.0.0.1`) {
		t.Errorf("nobody is told of the session: %s", notes)
	}
}

// superuser is who may do everything on a keeper's server.
func (n *night) superuser(dsn secret.DSN) secret.DSN { return as(dsn, "postgres:super%20secret") }

// wantReadOnly fails unless every newcomer is refused to write.
func wantReadOnly(t testing.TB, users ...secret.DSN) {
	t.Helper()
	for _, dsn := range users {
		if err := tryOnce(t.Context(), dsn, "insert into public.orders (a) values ('lost')"); sqlState(err) != readOnlyTransaction {
			t.Errorf("%s: a write to the target ended with %v, want it refused as read-only", dsn, err)
		}
	}
}

func wantClosed(t testing.TB, dsn secret.DSN) {
	t.Helper()
	if got := one(t, dsn, "select current_setting('default_transaction_read_only')"); got != "on" {
		t.Errorf("default_transaction_read_only of the target is %q, want on", got)
	}
}

// closedBy lists the settings of a database by which it may be closed.
func closedBy(t testing.TB, dsn secret.DSN) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	list, err := texts(t.Context(), conn, `
		select coalesce(r.rolname, '') || ' ' || s.setconfig::text from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole
		where d.datname = current_database() order by 1`)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return list
}
