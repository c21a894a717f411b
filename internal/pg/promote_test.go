package pg

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// Under writers, every write that was acknowledged is on the new primary.
func TestPromoteUnderWriters(t *testing.T) {
	t.Parallel()
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			primary := newPrimary(t, which)
			to := testenv.NewStandby(t, primary, "")
			stop := make(chan struct{})
			acknowledged := writers(t, primary.DSN("postgres", ""), stop)
			o := promoting(primary, to)
			plan, err := PlanPromote(t.Context(), *o)
			if err != nil {
				t.Fatal(err)
			}
			if plan.System == "" || plan.Primary == "" || plan.Silent != nil || plan.Sessions == 0 {
				t.Errorf("plan sees %+v", plan)
			}
			r, err := Promote(t.Context(), *o)
			close(stop)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("between: %s, %+v", r.FenceToPromoted, r)
			if err := VerifyPromote(t.Context(), *o, r); err != nil {
				t.Error(err)
			}
			if r.Timeline != 2 || r.Complete == "" || !strings.Contains(strings.Join(r.WayBack, "\n"), primary.DataDir()) {
				t.Errorf("result is %+v", r)
			}
			want := acknowledged()
			if got := present(t, to.DSN, want); len(want) < 10 || !cmp.Equal(got, want) {
				t.Errorf("%d writes were acknowledged; the new primary has %d of them", len(want), len(got))
			}
			if err := tryOnce(t.Context(), primary.DSN("postgres", ""), "select 1"); err == nil || !strings.Contains(err.Error(), "fenced by evac") {
				t.Errorf("the old primary answers %v", err)
			}
			if left := o.Changed(); len(left) != len(fenceChanges()) {
				t.Errorf("the journal says %v is changed", left)
			}
		})
	}
}

// The way back that is explained works as it is written: the old primary, which
// holds rows that nobody else has, follows the new one.
func TestPromoteWayBack(t *testing.T) {
	t.Parallel()
	primary := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { // with data checksums
		o.Settings["full_page_writes"], o.Settings["autovacuum"], o.Settings["wal_keep_size"] = "on", "off", "256MB"
	})
	db := primary.DSN("postgres", "")
	once(t, db, "create table t (a int)")
	to := testenv.NewStandby(t, primary, "")
	o := promoting(primary, to)
	o.Fence = FenceNone
	r, err := Promote(t.Context(), *o)
	if err != nil {
		t.Fatal(err)
	}
	once(t, db, "insert into t select generate_series(1, 1000)") // into the past
	once(t, to.DSN, "insert into t values (7)")
	port := testenv.FreePort(t)
	t.Cleanup(func() { testenv.StopServer(t, to.Bin, primary.DataDir()) })
	for _, line := range r.WayBack {
		if strings.HasPrefix(line, "#") {
			break // what follows is for when it fails
		}
		if strings.HasPrefix(line, "pg_ctl start") { // both are on one machine here
			line += fmt.Sprintf(" -w -l %s/log -o '-p %d'", primary.DataDir(), port)
		}
		asServer(t, to.Bin, line)
	}
	const look = "--command=select pg_is_in_recovery(), (select string_agg(a::text, ',') from t)"
	if got := strings.TrimSpace(psql(t, testenv.AtPort(t, db, port), "--tuples-only", "--no-align", look)); got != "t|7" {
		t.Errorf("the old primary is %s", got)
	}
}

// A delayed replica goes back to before a bad deploy, by a time or a position:
// the rows are there again, and what was written up to then as well.
func TestPromoteBeforeBadDeploy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		which testenv.Which
		fence Fence
		by    string
	}{
		{testenv.Older, FenceConnections, "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"},
		{testenv.Newer, FenceNone, "select pg_current_wal_insert_lsn()"},
	} {
		t.Run(string(c.which), func(t *testing.T) {
			t.Parallel()
			primary := newPrimary(t, c.which)
			db := primary.DSN("postgres", "")
			once(t, db, "alter database postgres set synchronous_commit = on; insert into t select generate_series(1, 1000)")
			r := replicating(t, primary)
			r.Delay = time.Hour
			if _, err := Replica(t.Context(), *r); err != nil {
				t.Fatal(err)
			}
			once(t, db, "insert into t select generate_series(1001, 1500)") // held back
			stop, err := ParseStopPoint(strings.TrimSpace(psql(t, db, "--tuples-only", "--no-align", "--command="+c.by)))
			if err != nil {
				t.Fatal(err)
			}
			once(t, db, "delete from t")
			once(t, db, "insert into t values (1)")
			to := &testenv.Standby{Dir: r.Local.Dir, Bin: r.Local.Bin, User: r.Local.User, DSN: testenv.AtPort(t, db, r.Port)}
			o := promoting(primary, to)
			o.Fence = c.fence
			_, err = PlanPromote(t.Context(), *o)
			refuses(t, err, fault.Failed, "held back by 1h0m0s")
			o.StopAt = stop
			testenv.StopServer(t, to.Bin, to.Dir) // as if evac had died while it was restarting
			o.State.Restarting = primary.Install.Major
			if _, err := Promote(t.Context(), *o); err != nil {
				t.Fatal(err)
			}
			rows := strings.TrimSpace(psql(t, to.DSN, "--tuples-only", "--no-align", "--command=select count(*), sum(a) from t"))
			if want := "1500|1125750"; rows != want {
				t.Errorf("the rows are %s, want %s", rows, want)
			}
			if left := psql(t, to.DSN, "--tuples-only", "--no-align", "--command=select name from pg_file_settings where name like 'recovery_target%' and name <> 'recovery_target_timeline'"); strings.TrimSpace(left) != "" {
				t.Errorf("settings are left: %s", left)
			}
			refuses(t, UndoReplica(t.Context(), *r), fault.Failed, "it is no replica any more")
		})
	}
}

// A standby that is past the stop point is refused.
func TestPromotePastStopPoint(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Newer)
	to := testenv.NewStandby(t, primary, "")
	once(t, primary.DSN("postgres", ""), "insert into t values (1)")
	o := promoting(primary, to)
	o.StopAt = StopPoint{LSN: "0/1"}
	_, err := PlanPromote(t.Context(), *o)
	refuses(t, err, fault.Failed, "has already replayed", "past 0/1")
}

// The sick primary: it was killed, and nobody can ask it. Without a word on
// what may be lost nothing is promoted, and with it what was replicated is
// there.
func TestPromoteSickPrimary(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Older)
	db := primary.DSN("postgres", "")
	to := testenv.NewStandby(t, primary, "")
	load(t, db, "alter database postgres set synchronous_commit = on; alter system set synchronous_standby_names = '*'; select pg_reload_conf();")
	once(t, db, "insert into t select generate_series(1, 100)") // waits for the standby
	if err := primary.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := promoting(primary, to)
	_, err := PlanPromote(t.Context(), *o)
	refuses(t, err, fault.Failed, "the old primary does not answer", "connection refused")
	o.Fence = FenceCommand
	_, err = PlanPromote(t.Context(), *o)
	refuses(t, err, fault.Invalid, "needs the command")
	o.Command = "true"
	_, err = Promote(t.Context(), *o)
	refuses(t, err, fault.Failed, "the standby has replayed all that it received", "nobody can tell")
	o.Lose = 16 << 20
	r, err := Promote(t.Context(), *o)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyPromote(t.Context(), *o, r); err != nil {
		t.Error(err)
	}
	if rows := strings.TrimSpace(psql(t, to.DSN, "--tuples-only", "--command=select count(*) from t")); rows != "100" || r.Complete != "" {
		t.Errorf("%s rows, result %+v", rows, r)
	}
}

// An orderly shutdown by command is recognised by its last record: nothing is
// lost, and nobody needs to say what may be.
func TestPromoteAfterShutdown(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Newer)
	to := testenv.NewStandby(t, primary, "")
	stop := make(chan struct{})
	acknowledged := writers(t, primary.DSN("postgres", ""), stop)
	o := promoting(primary, to)
	o.Fence, o.Command = FenceCommand, fmt.Sprintf("kill -INT %d", primary.PID())
	r, err := Promote(t.Context(), *o)
	close(stop)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyPromote(t.Context(), *o, r); err != nil {
		t.Error(err)
	}
	want := acknowledged()
	if got := present(t, to.DSN, want); !cmp.Equal(got, want) || !strings.Contains(r.Complete, "shut down in order") {
		t.Errorf("%d of %d writes arrived, result %+v", len(got), len(want), r)
	}
}

// A failure before the promotion takes the fence away: the old primary serves.
func TestPromoteFailureLiftsFence(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Older)
	db := primary.DSN("postgres", "")
	load(t, db, "alter system set autovacuum = on; select pg_reload_conf();")
	to := testenv.NewStandby(t, primary, "")
	o := promoting(primary, to)
	o.StopAt, o.Local.Restart = StopPoint{Time: time.Now().Add(-time.Hour).Add(24 * time.Hour)}, "echo no such unit; exit 5"
	_, err := Promote(t.Context(), *o)
	refuses(t, err, fault.Failed, "restart the standby: exit status 5: no such unit")
	once(t, db, "insert into t values (1)")
	settings := psql(t, db, "--tuples-only", "--no-align", "--command=select name || '=' || setting from pg_file_settings where sourcefile like '%auto.conf'")
	if strings.TrimSpace(settings) != "autovacuum=on" {
		t.Errorf("settings are %s", settings)
	}
}

// What cannot work is refused, all at once.
func TestPromoteRefuses(t *testing.T) {
	t.Parallel()
	primary, other := newPrimary(t, testenv.Newer), testenv.Postgres(t, testenv.Older)
	db := primary.DSN("postgres", "")
	once(t, db, "create role evac_promoter login")
	to := testenv.NewStandby(t, primary, "")
	second := testenv.NewStandby(t, primary, "")
	fresh := promoting(primary, to)
	for _, c := range []struct {
		name   string
		change func(*PromoteOptions)
		kind   fault.Kind
		says   []string
	}{
		{"a primary", func(o *PromoteOptions) { o.Database = other.DSN("postgres", "") }, fault.Invalid, []string{"it is a primary already"}},
		{"another cluster", func(o *PromoteOptions) { o.From = other.DSN("postgres", "") }, fault.Invalid, []string{"another cluster"}},
		{"from a standby", func(o *PromoteOptions) { o.From = second.DSN }, fault.Invalid, []string{"is a standby itself"}},
		{"rights", func(o *PromoteOptions) { o.From, o.Database = as(db, "evac_promoter"), as(to.DSN, "evac_promoter") }, fault.Denied,
			[]string{`user "evac_promoter" may not promote`, `user "evac_promoter" is no superuser of the old primary`}},
		{"a stop point and no way to restart", func(o *PromoteOptions) { o.StopAt.LSN, o.Local.Dir = "F/0", "" }, fault.Invalid, []string{"needs the standby to be restarted"}},
		{"no old primary", func(o *PromoteOptions) { o.From = secret.DSN{} }, fault.Invalid, []string{"needs the old primary"}},
		{"wrong password", func(o *PromoteOptions) {
			o.From = secret.NewDSN("postgres://nobody:hidden@" + strings.SplitN(db.Reveal(), "@", 2)[1])
		}, fault.Denied, []string{"connect to source nobody@"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := *fresh
			c.change(&o)
			_, err := PlanPromote(t.Context(), o)
			refuses(t, err, c.kind, c.says...)
		})
	}
}
