package pg

import (
	"context"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// promoting are the options of a promotion with a journal in memory.
func promoting(from *servers.Postgres, to *testenv.Standby) *PromoteOptions {
	o := &PromoteOptions{Database: to.DSN, Fence: FenceConnections, Settle: 100 * time.Millisecond, Local: Local{Dir: to.Dir, Bin: to.Bin, User: to.User}, Progress: &noted{}}
	if from != nil {
		o.From = from.DSN("postgres", "")
	}
	var changed []ServerChange
	o.Save = func(_ context.Context, s PromoteState) error { o.State = s; return nil }
	o.Change = func(_ context.Context, c ServerChange) error {
		if !slices.ContainsFunc(changed, func(old ServerChange) bool { return old.ID() == c.ID() }) {
			changed = append(changed, c)
		}
		return nil
	}
	o.Restore = func(_ context.Context, c ServerChange) error {
		changed = slices.DeleteFunc(changed, func(old ServerChange) bool { return old.ID() == c.ID() })
		return nil
	}
	o.Changed = func() []ServerChange { return slices.Clone(changed) }
	return o
}

// newPrimary is a server whose transaction counter only the test moves.
func newPrimary(t testing.TB, which testenv.Which) *servers.Postgres {
	t.Helper()
	srv := quietServer(t, which)
	once(t, srv.DSN("postgres", ""), "create table t (a bigint primary key, at timestamptz default clock_timestamp())")
	return srv
}

// asServer types a command as the account that servers run as.
func asServer(t *testing.T, bin, command string) {
	t.Helper()
	as, err := Local{User: "postgres"}.account()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "PATH="+bin+":$PATH "+command)
	cmd.Dir = "/"
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.uid, Gid: as.gid}}
	}
	if err := finish(t.Context(), cmd); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// writers insert numbers until stop closes; the answer are those whose commit
// was acknowledged.
func writers(t testing.TB, dsn secret.DSN, stop chan struct{}) func() []int64 {
	var mu sync.Mutex
	var acknowledged []int64
	var all sync.WaitGroup
	began := make(chan struct{}, 4)
	for w := range int64(4) {
		all.Go(func() {
			for n := w; ; {
				n = write(t.Context(), dsn, n, stop, func(n int64) {
					mu.Lock()
					defer mu.Unlock()
					if acknowledged = append(acknowledged, n); len(acknowledged) == 50 {
						close(began)
					}
				})
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	<-began
	return func() []int64 { all.Wait(); slices.Sort(acknowledged); return acknowledged }
}

// write inserts every fourth number until the session ends.
func write(ctx context.Context, dsn secret.DSN, n int64, stop chan struct{}, acknowledged func(int64)) int64 {
	conn, err := pgx.Connect(ctx, dsn.Reveal())
	if err != nil {
		return n
	}
	defer func() { _ = conn.Close(ctx) }()
	for {
		select {
		case <-stop:
			return n
		default:
		}
		n += 4
		if _, err := conn.Exec(ctx, "set default_transaction_read_only = off; insert into t values ("+strconv.FormatInt(n, 10)+")"); err != nil {
			return n
		}
		acknowledged(n)
	}
}

func present(t testing.TB, dsn secret.DSN, of []int64) []int64 {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	rows, err := conn.Query(t.Context(), "select a from t where a = any($1) order by a", of)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	return list
}
