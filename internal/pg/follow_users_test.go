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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/secret"
)

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
