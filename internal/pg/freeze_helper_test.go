package pg

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// settle is short: what it would miss, the tests look for themselves.
const settle = 300 * time.Millisecond

// frozen is a freeze under test: what it told of is kept.
type frozen struct {
	dsn     secret.DSN
	refuse  []string
	changes []FreezeChange
}

func (z *frozen) options() FreezeOptions { return FreezeOptions{Refuse: z.refuse} }

func (z *frozen) freeze(ctx context.Context, strict bool) (FreezeResult, error) {
	return Freeze(ctx, z.dsn, FreezeOptions{
		Settle: settle, Strict: strict, Refuse: z.refuse, Note: func(string) {},
		Change: func(_ context.Context, c FreezeChange) error { z.changes = append(z.changes, c); return nil },
	})
}

func (z *frozen) unfreeze(ctx context.Context) error {
	return Unfreeze(ctx, z.dsn, z.changes, func(context.Context, FreezeChange) error { return nil })
}

// crowd are clients that write without a pause until stopped, and connect
// again at once when they are thrown out.
type crowd struct {
	stop    context.CancelFunc
	done    sync.WaitGroup
	refused atomic.Int64
	sent    atomic.Int64 // numbers given out
	acked   sync.Map     // number → true: the server said it is committed
}

func newCrowd(t *testing.T, n int, dsn secret.DSN, before string) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{stop: stop}
	t.Cleanup(func() { stop(); c.done.Wait() })
	for i := range n {
		c.done.Go(func() {
			for ctx.Err() == nil {
				if conn, err := pgx.Connect(ctx, dsn.Reveal()); err == nil {
					c.write(ctx, conn, i, before)
					_ = conn.Close(ctx)
				}
			}
		})
	}
	return c
}

// write inserts numbers until the session breaks, some of them at leisure in
// long transactions.
func (c *crowd) write(ctx context.Context, conn *pgx.Conn, worker int, before string) {
	if _, err := conn.Exec(ctx, before); err != nil {
		return
	}
	for ctx.Err() == nil {
		number := c.sent.Add(1)
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into orders values ($1)", number)
			if err == nil && worker%5 == 0 {
				_, err = tx.Exec(ctx, "select pg_sleep(0.05)")
			}
			return err
		})
		var refused *pgconn.PgError
		switch {
		case err == nil:
			c.acked.Store(number, true)
		case errors.As(err, &refused) && refused.Code == readOnlyTransaction:
			c.refused.Add(1)
		case conn.IsClosed():
			return
		}
	}
}

func quietCluster(t *testing.T, which testenv.Which) *servers.Postgres {
	return testenv.OwnPostgres(t, which, func(o *servers.Options) { o.Settings["max_connections"] = "100" })
}

func numbers(t *testing.T, conn *pgx.Conn) map[int64]bool {
	t.Helper()
	rows, err := conn.Query(t.Context(), "select n from orders")
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	found := map[int64]bool{}
	for _, n := range list {
		found[n] = true
	}
	return found
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("never came: %s", what)
		case <-tick.C:
		}
	}
}

func databaseOf(t testing.TB, dsn secret.DSN) (name string) {
	t.Helper()
	conn := dial(t, dsn)
	if err := conn.QueryRow(t.Context(), "select current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	return name
}

// ends wants a freeze to end the session, and that the freeze can be undone.
func (z *frozen) ends(t *testing.T, session *pgx.Conn) {
	t.Helper()
	eventually(t, "superusers gone", func() bool { _, err := PlanFreeze(t.Context(), z.dsn, FreezeOptions{}); return err == nil })
	got, err := z.freeze(t.Context(), false)
	if err != nil || got.Terminated != 1 {
		t.Fatalf("result %+v, %v", got, err)
	}
	if err := session.Ping(t.Context()); err == nil {
		t.Error("the session from before the freeze lives on")
	}
	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
}
