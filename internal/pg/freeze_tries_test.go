package pg

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// Who is turned away by a strict freeze is named from the server's log,
// whichever form it has.
func TestWhoTriesUnderAStrictFreeze(t *testing.T) {
	for _, destination := range []string{"stderr", "csvlog"} {
		t.Run(destination, func(t *testing.T) {
			t.Parallel()
			srv := testenv.OwnPostgres(t, testenv.Older, func(o *servers.Options) {
				o.Settings["logging_collector"], o.Settings["log_connections"], o.Settings["log_destination"] = "on", "on", destination
			})
			z := &frozen{dsn: testenv.Database(t, srv)}
			once(t, z.dsn, "create role app login")
			if _, err := z.freeze(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			since := time.Now().Add(-time.Second)
			for range 3 {
				knock(t, srv.DSN(databaseOf(t, z.dsn), "app"), "forgotten batch")
			}
			var got Tries
			eventually(t, "three tries in the log", func() bool {
				var err error
				got, err = whoTries(t.Context(), z.dsn, since)
				return err == nil && len(got.List) == 1 && got.List[0].Count == 3
			})
			want := Tries{List: []Try{{User: "app", Address: "127.0.0.1", Application: "forgotten batch", Count: 3}}}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Try{}, "Last")); diff != "" {
				t.Error(diff)
			}
			if later, err := whoTries(t.Context(), z.dsn, time.Now().Add(time.Hour)); err != nil || len(later.List) > 0 {
				t.Errorf("tries of the future: %+v, %v", later, err)
			}
		})
	}
}

// whoTries asks in a session of its own.
func whoTries(ctx context.Context, dsn secret.DSN, since time.Time) (tries Tries, err error) {
	f, err := openFreezer(ctx, dsn)
	if err != nil {
		return tries, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, f.conn)) }()
	return f.whoTries(ctx, since)
}

// knock wants to be refused.
func knock(t *testing.T, dsn secret.DSN, application string) {
	t.Helper()
	config, err := pgx.ParseConfig(dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = application
	if conn, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("it was not refused")
	}
}

// Where the log cannot be read, what to switch on is said.
func TestWhoTriesInTheDark(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	got, err := whoTries(t.Context(), db, time.Now())
	if err != nil || len(got.List) > 0 || !strings.Contains(got.Blind, "logging_collector is off") {
		t.Errorf("%+v, %v", got, err)
	}
	srv := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { o.Settings["logging_collector"] = "on" })
	own := testenv.Database(t, srv)
	once(t, own, "create role plain login")
	got, err = whoTries(t.Context(), srv.DSN(databaseOf(t, own), "plain"), time.Now())
	if err != nil || !strings.Contains(got.Blind, "grant pg_monitor") {
		t.Errorf("%+v, %v", got, err)
	}
}

// A refused role cannot connect, its clients are named, others read on, and
// undo gives it its old limit. A copy does not take the limit along.
func TestFreezeRefusesRoles(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) {
		o.Settings["logging_collector"], o.Settings["log_connections"] = "on", "on"
	})
	admin := testenv.Database(t, srv)
	name := databaseOf(t, admin)
	once(t, admin, `create role maker login createrole; grant pg_read_all_stats, pg_signal_backend to maker; alter database `+Quote(name)+` owner to maker`)
	once(t, srv.DSN(name, "maker"), `create role app login connection limit 7; create role reader login`)
	once(t, admin, `create table t (a int); alter table t owner to app; create role foreigner login`)
	z := &frozen{dsn: srv.DSN(name, "maker"), refuse: []string{"app"}}
	app := dial(t, srv.DSN(name, "app"))
	eventually(t, "superusers gone", func() bool { _, err := PlanFreeze(t.Context(), z.dsn, FreezeOptions{}); return err == nil })

	for role, says := range map[string]string{
		"nobody": "there is no role", "postgres": "superuser", "maker": "connects as it", "foreigner": "may not limit",
	} {
		if _, err := PlanFreeze(t.Context(), z.dsn, FreezeOptions{Refuse: []string{role}}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("refuse %q: %v", role, err)
		}
	}
	got, err := z.freeze(t.Context(), false)
	if err != nil || got.Terminated != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := app.Ping(t.Context()); err == nil {
		t.Error("the session of a refused role lives on")
	}
	knock(t, srv.DSN(name, "app"), "batch")
	once(t, srv.DSN(name, "reader"), "select 1")
	proof, err := ProveFrozen(t.Context(), z.dsn, z.options(), got.Proof.Mark)
	if err != nil || !strings.Contains(proof.Tries.Blind, "grant pg_monitor") {
		t.Errorf("%+v, %v", proof.Tries, err)
	}
	tries, err := whoTries(t.Context(), admin, got.Proof.Mark.TakenAt)
	if err != nil || len(tries.List) != 1 || tries.List[0].User != "app" || tries.List[0].Address != "127.0.0.1" {
		t.Errorf("%+v, %v", tries, err)
	}
	limit := func() int {
		g, err := readGlobals(t.Context(), dial(t, admin), 18_00_00)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range g.Roles {
			if r.Name == "app" {
				return int(r.Limit)
			}
		}
		t.Fatal("the role is not there")
		return 0
	}
	if got := limit(); got != -1 {
		t.Errorf("a copy would give the role the limit %d", got)
	}
	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := limit(); got != 7 {
		t.Errorf("limit is %d after undo, want 7", got)
	}
}

// An owner without pg_signal_backend freezes as a member of every role that may
// connect; a role that it is no member of is named.
func TestFreezeByAMemberOfAll(t *testing.T) {
	t.Parallel()
	srv := testenv.OwnPostgres(t, testenv.Older, nil)
	admin := testenv.Database(t, srv)
	name := databaseOf(t, admin)
	once(t, admin, `create role app login; create role stranger login; create role owner login in role app; alter database `+Quote(name)+` owner to owner;
		create role shut login; create role gone; revoke connect on database `+Quote(name)+` from public; grant connect on database `+Quote(name)+` to app, stranger`)
	z := &frozen{dsn: srv.DSN(name, "owner")}
	_, err := PlanFreeze(t.Context(), z.dsn, FreezeOptions{})
	for _, says := range []string{`may not see the sessions of "stranger"`, `may not end the sessions of "stranger"`} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("plan with a stranger: %v, want %s", err, says)
		}
	}
	boss := dial(t, admin)
	once(t, admin, "grant stranger to owner")
	eventually(t, "only one superuser's session", func() bool {
		_, err = PlanFreeze(t.Context(), z.dsn, FreezeOptions{})
		return err != nil && strings.Count(err.Error(), "session of the superuser") == 1
	})
	_ = boss.Close(context.WithoutCancel(t.Context()))
	eventually(t, "superusers gone", func() bool { _, err := PlanFreeze(t.Context(), z.dsn, FreezeOptions{}); return err == nil })
	stranger := dial(t, srv.DSN(name, "stranger"))
	got, err := z.freeze(t.Context(), false)
	if err != nil || got.Terminated != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := stranger.Ping(t.Context()); err == nil {
		t.Error("the session from before the freeze lives on")
	}
	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
}
