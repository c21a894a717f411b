package pg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// replicating are the options of a replica with a journal in memory.
func replicating(t testing.TB, of *servers.Postgres) *ReplicaOptions {
	t.Helper()
	o := &ReplicaOptions{
		From: of.DSN("postgres", ""), Port: testenv.FreePort(t), Token: t.Name(), Progress: &noted{},
		Local:    Local{Dir: filepath.Join(testenv.ServerDir(t), "replica"), Bin: of.Install.Bin, User: "postgres"},
		Settings: map[string]string{"unix_socket_directories": "", "shared_buffers": "16MB", "fsync": "off", "wal_retrieve_retry_interval": "100ms"},
	}
	o.Save = func(_ context.Context, s ReplicaState) error { o.State = s; return nil }
	t.Cleanup(func() { testenv.StopServer(t, o.Local.Bin, o.Local.Dir) })
	return o
}

// A replica follows under writes; its undo leaves nothing.
func TestReplica(t *testing.T) {
	t.Parallel()
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			primary := newPrimary(t, which)
			from := primary.DSN("postgres", "")
			once(t, from, "alter database postgres set synchronous_commit = on") // or an acknowledged row may not be on disk
			stop := make(chan struct{})
			acknowledged := writers(t, from, stop)
			o := replicating(t, primary)
			plan, err := PlanReplica(t.Context(), *o)
			if err != nil || plan.Bytes == 0 || plan.Bin != o.Local.Bin {
				t.Fatalf("plan is %+v: %v", plan, err)
			}
			r, err := Replica(t.Context(), *o)
			close(stop)
			if err != nil {
				t.Fatal(err)
			}
			if r.Checked < 500 || r.Files <= r.Checked || r.Bytes == 0 || r.System != plan.System {
				t.Errorf("result is %+v", r)
			}
			want := acknowledged()
			if _, err := VerifyReplica(t.Context(), *o, r.System); err != nil {
				t.Fatal(err)
			}
			if got := present(t, testenv.AtPort(t, from, o.Port), want); len(got) != len(want) {
				t.Errorf("the replica has %d of %d rows", len(got), len(want))
			}
			if again, err := Replica(t.Context(), *o); err != nil || again.BaseBackup != r.BaseBackup {
				t.Errorf("another call made %+v: %v", again, err)
			}
			if err := UndoReplica(t.Context(), *o); err != nil {
				t.Fatal(err)
			}
			if left, err := os.ReadDir(filepath.Dir(o.Local.Dir)); err != nil || len(left) > 0 {
				t.Errorf("undo left %v: %v", left, err)
			}
			if slots := strings.TrimSpace(psql(t, from, "--tuples-only", "--command=select count(*) from pg_replication_slots")); slots != "0" {
				t.Errorf("undo left %s slots", slots)
			}
		})
	}
}

// A base backup that is cut off in the middle is taken again, or undone.
func TestReplicaCutInTheMiddle(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Newer)
	once(t, primary.DSN("postgres", ""), "create table bulk as select i, repeat('x', 1000) from generate_series(1, 20000) i")
	for _, then := range []string{"again", "undo"} {
		t.Run(then, func(t *testing.T) {
			o := replicating(t, primary)
			ctx, cut := context.WithCancel(t.Context())
			o.Progress = &cutting{after: 5 << 20, cut: cut}
			if _, err := Replica(ctx, *o); !errors.Is(err, context.Canceled) {
				t.Fatalf("the cut ended it with %v", err)
			}
			if half, err := os.ReadDir(o.Local.Dir); err != nil || len(half) < 2 || o.State.Base != nil {
				t.Fatalf("it was cut off with %v: %v", half, err)
			}
			o.Progress = &noted{}
			if then == "again" {
				if _, err := Replica(t.Context(), *o); err != nil {
					t.Fatal(err)
				}
			}
			if err := UndoReplica(t.Context(), *o); err != nil {
				t.Fatal(err)
			}
			if there, err := exists(o.Local.Dir); there || err != nil {
				t.Errorf("undo left the directory: %v", err)
			}
		})
	}
}

// cutting ends the work after so many bytes.
type cutting struct {
	noted
	after int64
	cut   func()
}

func (c *cutting) Add(n int64) {
	c.noted.Add(n)
	if c.after -= n; c.after < 0 {
		c.cut()
	}
}

// The password stands in no file that others read, and not in the settings.
func TestReplicaKeepsPassword(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Older)
	o := replicating(t, primary)
	o.From = secret.NewDSN(strings.Replace(o.From.Reveal(), "postgres@", "postgres:hid%3Aden@", 1))
	if _, err := Replica(t.Context(), *o); err != nil {
		t.Fatal(err)
	}
	var found []string
	err := filepath.WalkDir(o.Local.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Dir(path) != o.Local.Dir {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "hid") {
			info, err := entry.Info()
			found = append(found, fmt.Sprint(entry.Name(), " ", info.Mode()))
			return err
		}
		return err
	})
	if err != nil || !cmp.Equal(found, []string{"evac-replica.pgpass -rw-------"}) {
		t.Errorf("the password stands in %q: %v", found, err)
	}
	if text := psql(t, testenv.AtPort(t, o.From, o.Port), "--command=show primary_conninfo"); !strings.Contains(text, "passfile=") {
		t.Errorf("the replica connects by %s", text)
	}
}

// A replica is refused where it cannot work, all that is wrong at once.
func TestReplicaRefuses(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Older)
	db := primary.DSN("postgres", "")
	once(t, db, "create role evac_reader login; create role evac_replicator login replication; select pg_create_physical_replication_slot('taken')")
	fresh := replicating(t, primary)
	for _, c := range []struct {
		name   string
		change func(*ReplicaOptions)
		kind   fault.Kind
		says   []string
	}{
		{"a full directory and a port in use", func(o *ReplicaOptions) { o.Local.Dir, o.Port = primary.DataDir(), primary.Port }, fault.Failed,
			[]string{"is not empty: it holds", "somebody listens on port"}},
		{"rights", func(o *ReplicaOptions) { o.From = as(db, "evac_reader") }, fault.Denied, []string{`user "evac_reader" may not replicate`}},
		{"a slot of somebody else's", func(o *ReplicaOptions) { o.Slot = "taken" }, fault.Failed, []string{`has a replication slot "taken" already`}},
		{"names", func(o *ReplicaOptions) { o.Slot, o.Local.Dir, o.Port, o.Local.Start = "Odd Name", "here", 0, "true" }, fault.Invalid,
			[]string{`slot name "Odd Name"`, `"here" does not begin at the root`, "port is 0", "start and stop go together"}},
		{"programs of another version", func(o *ReplicaOptions) { o.Local.Bin = testenv.Postgres(t, testenv.Newer).Install.Bin }, fault.Invalid, []string{"of major version 18, want 15"}},
		{"nobody there", func(o *ReplicaOptions) { o.From = secret.NewDSN("postgres://u:hidden@127.0.0.1:1/x") }, fault.Failed, []string{"connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := *fresh
			c.change(&o)
			_, err := PlanReplica(t.Context(), o)
			refuses(t, err, c.kind, c.says...)
		})
	}
	o := *fresh
	o.From = as(db, "evac_replicator")
	if _, err := PlanReplica(t.Context(), o); err != nil {
		t.Errorf("a role that may replicate is refused: %v", err)
	}
}

// A role that may replicate and nothing else makes a replica, of a cluster with
// a tablespace, and removes it again.
func TestReplicaByOrdinaryRole(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Newer)
	db := primary.DSN("postgres", "")
	here, there := testenv.ServerDir(t), filepath.Join(testenv.ServerDir(t), "space")
	load(t, db, fmt.Sprintf(`
		create role evac_replicator login replication;
		create tablespace fast location '%s';
		create table spaced tablespace fast as select generate_series(1, 1000) as a;`, here))
	o := replicating(t, primary)
	o.From = as(db, "evac_replicator")
	_, err := PlanReplica(t.Context(), *o)
	refuses(t, err, fault.Invalid, fmt.Sprintf(`tablespace "fast" in %q has no directory here`, here))
	o.Tablespaces = map[string]string{here: there}
	made, err := Replica(t.Context(), *o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyReplica(t.Context(), *o, made.System); err != nil {
		t.Error(err)
	}
	if rows := psql(t, testenv.AtPort(t, db, o.Port), "--tuples-only", "--no-align", "--command=select count(*) from spaced"); strings.TrimSpace(rows) != "1000" {
		t.Errorf("the replica has %s rows in the tablespace", rows)
	}
	if err := UndoReplica(t.Context(), *o); err != nil {
		t.Fatal(err)
	}
	if left, err := exists(there); left || err != nil {
		t.Errorf("undo left the tablespace: %v", err)
	}
}

// Where the settings stand outside the data directory (as Debian has them), the
// replica gets those that the primary runs with, and lets this machine in.
func TestReplicaOfSettingsOutside(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, testenv.Older)
	db := primary.DSN("postgres", "")
	load(t, db, "alter role postgres password 'hidden'; alter system set work_mem = '7MB'; select pg_reload_conf();")
	o := replicating(t, primary)
	o.From = secret.NewDSN(strings.Replace(o.From.Reveal(), "postgres@", "postgres:hidden@", 1))
	for _, name := range []string{mainConf, hbaConf, identConf} {
		if err := os.Remove(filepath.Join(primary.DataDir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Replica(t.Context(), *o); err != nil {
		t.Fatal(err)
	}
	own := testenv.AtPort(t, o.From, o.Port)
	if text := psql(t, own, "--tuples-only", "--no-align", "--command=select current_setting('work_mem'), current_setting('wal_level'), current_setting('max_connections')"); strings.TrimSpace(text) != "7MB|logical|60" {
		t.Errorf("the replica runs with %s", text)
	}
	if err := tryOnce(t.Context(), testenv.AtPort(t, db, o.Port), "select 1"); err == nil {
		t.Error("the replica lets a client in without its password")
	}
}

func refuses(t *testing.T, err error, kind fault.Kind, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("nothing was refused")
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hidden@") || fault.KindOf(err) != kind {
		t.Errorf("kind is %v, want %v: %v", fault.KindOf(err), kind, err)
	}
}
