package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// noticed bounds how long a cut connection may stand under the limits of
// impatient.
const noticed = 15 * time.Second

func impatient(dsn secret.DSN) secret.DSN {
	return dsn.Default(aliveIdle, "1").Default(aliveInterval, "1").Default(aliveCount, "2").Default(aliveSent, "1500")
}

// TestConnectNoticesSilence: where every packet is lost, the session ends on
// both sides, whether it waits for an answer, receives or sends.
func TestConnectNoticesSilence(t *testing.T) {
	t.Parallel()
	server := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	for _, c := range []struct {
		name string
		work func(context.Context, *pgx.Conn) error
	}{
		{"waits", func(ctx context.Context, conn *pgx.Conn) error { return run(ctx, conn, "select pg_sleep(100)") }},
		{"receives", func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.PgConn().CopyTo(ctx, io.Discard, "copy (select generate_series(1, 1000000000000)) to stdout")
			return err
		}},
		{"sends", func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.PgConn().CopyFrom(ctx, endless{}, "copy pg_temp.silence from stdin")
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), noticed)
			defer cancel()
			wire := testenv.NewWire(t, server)
			look, conn := connectAs(t, server, "look"), connectAs(t, impatient(wire.DSN(server)), "cut")
			if err := run(ctx, conn, "create temp table silence (a text)"); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.work(ctx, conn) }()
			awaitActive(ctx, t, look, conn.PgConn().PID(), 1)
			wire.Swallow()
			if err := <-ended; err == nil || ctx.Err() != nil {
				t.Errorf("the client notices nothing: %v", err)
			}
			awaitActive(ctx, t, look, conn.PgConn().PID(), 0)
		})
	}
}

// TestLoginNoticesSilence: a session whose client is lost right after the login,
// before it has said anything, ends as well.
func TestLoginNoticesSilence(t *testing.T) {
	t.Parallel()
	server := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	ctx, cancel := context.WithTimeout(t.Context(), noticed)
	defer cancel()
	wire := testenv.NewWire(t, server)
	config, err := pgx.ParseConfig(impatient(wire.DSN(server)).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	settings, err := alive(&config.Config)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connectAlive(ctx, config, settings)
	if err != nil {
		t.Fatal(err)
	}
	wire.Swallow()
	awaitNumber(ctx, t, connectAs(t, server, "look"), fmt.Sprintf("select count(*) from pg_stat_activity where pid = %d", conn.PgConn().PID()), func(n int) bool { return n == 0 })
	_ = conn.Close(ctx) // it is cut
}

// TestLoginsAnswerNoticesSilence: so does one whose client is lost while it logs
// in, which the server cannot ask, for it has answered and waits for the receipt.
func TestLoginsAnswerNoticesSilence(t *testing.T) {
	t.Parallel()
	srv := testenv.Postgres(t, testenv.Older)
	server := testenv.Database(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), noticed)
	defer cancel()
	look := connectAs(t, srv.DSN("postgres", ""), "look")
	config, err := pgx.ParseConfig(server.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	locked, err := look.Begin(ctx) // nobody logs in to a database that gets another name
	if err == nil {
		_, err = locked.Exec(ctx, fmt.Sprintf("alter database %s rename to %s", Quote(config.Database), Quote(config.Database+"_other")))
	}
	if err != nil {
		t.Fatal(err)
	}
	wire := testenv.NewWire(t, server)
	ended := make(chan error, 1)
	go func() {
		_, err := Connect(ctx, impatient(wire.DSN(server)), ConnOptions{Application: "answered", Side: Source})
		ended <- err
	}()
	awaitNumber(ctx, t, look, "select count(*) from pg_locks where locktype = 'object' and not granted", func(n int) bool { return n > 0 })
	wire.Swallow()
	if err := locked.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	sessions := fmt.Sprintf("select count(*) from pg_stat_activity where application_name = 'answered' and datname = %s", Literal(config.Database))
	awaitNumber(ctx, t, look, sessions, func(n int) bool { return n == 1 })
	awaitNumber(ctx, t, look, sessions, func(n int) bool { return n == 0 })
	cancel()
	if err := <-ended; err == nil {
		t.Error("the client notices nothing")
	}
}

// TestDumpNoticesSilence: where every packet is lost while pg_dump reads the
// schema, the server's session ends with all its locks.
func TestDumpNoticesSilence(t *testing.T) {
	t.Parallel()
	server := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	ctx, cancel := context.WithTimeout(t.Context(), noticed)
	defer cancel()
	once(t, server, "create table locked (a int)")
	look, blocker, held := connectAs(t, server, "look"), connectAs(t, server, "blocker"), connectAs(t, server, "held")
	if err := run(ctx, blocker, "begin; lock table public.locked"); err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, held, beginSnapshot); err != nil {
		t.Fatal(err)
	}
	var id string
	if err := held.QueryRow(ctx, "select pg_export_snapshot()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	dump, err := FindPgDump(ctx, testenv.PgDump(t), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	wire := testenv.NewWire(t, server)
	ended := make(chan error, 1)
	go func() {
		_, err := dump.dump(ctx, impatient(wire.DSN(server)), 150000, id)
		ended <- err
	}()
	const dumping = "select coalesce(max(pid), 0) from pg_stat_activity where application_name = 'evac copy' and wait_event_type = 'Lock' and datname = current_database()"
	pid := awaitNumber(ctx, t, look, dumping, func(n int) bool { return n > 0 })
	wire.HalfOpen(testenv.ServerEnd)
	if err := <-ended; err == nil || ctx.Err() != nil {
		t.Errorf("pg_dump notices nothing: %v", err)
	}
	if err := run(ctx, blocker, "rollback"); err != nil { // its answer finds nobody
		t.Fatal(err)
	}
	awaitNumber(ctx, t, look, fmt.Sprintf("select count(*) from pg_stat_activity where pid = %d", pid), func(n int) bool { return n == 0 })
}

// awaitNumber asks again and again until the answer is what is waited for.
func awaitNumber(ctx context.Context, t *testing.T, conn *pgx.Conn, sql string, wanted func(int) bool) (n int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if wanted(n) {
			return n
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %d in the end", sql, n)
		}
	}
}

// endless reads as lines without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

// TestConnectWaitsForSlowReaders: a server waits for evac as long as that is
// there, unless the connection string says otherwise.
func TestConnectWaitsForSlowReaders(t *testing.T) {
	t.Parallel()
	server := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	for want, dsn := range map[string]secret.DSN{"0": server, "7000": server.Default(aliveSent, "7000")} {
		var got string
		if err := connectAs(t, dsn, "slow").QueryRow(t.Context(), "show tcp_user_timeout").Scan(&got); err != nil || got != want {
			t.Errorf("the server's limit for what it has sent is %q, want %q (%v)", got, want, err)
		}
	}
}

// TestConnectReadsLimits: a limit that is no number is refused.
func TestConnectReadsLimits(t *testing.T) {
	t.Parallel()
	_, err := Connect(t.Context(), secret.NewDSN("postgres://u:pw@127.0.0.1:1/d?keepalives_idle=soon"), ConnOptions{Side: Source})
	var refused *fault.Error
	if !errors.As(err, &refused) || refused.Kind != fault.Invalid {
		t.Errorf("got %v, want it refused", err)
	}
}

func connectAs(t *testing.T, dsn secret.DSN, application string) *pgx.Conn {
	t.Helper()
	conn, err := Connect(t.Context(), dsn, ConnOptions{Application: application, Side: Source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hangUp(context.WithoutCancel(t.Context()), conn) }) // it may be cut
	return conn
}

// awaitActive waits until a session works (1), or does so no more (0).
func awaitActive(ctx context.Context, t *testing.T, look *pgx.Conn, pid uint32, want int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var got int
		if err := look.QueryRow(ctx, "select count(*) from pg_stat_activity where pid = $1 and state = 'active'", pid).Scan(&got); err != nil {
			t.Fatalf("wait until %d sessions %d work: %v", want, pid, err)
		}
		if got == want {
			return
		}
		<-tick.C
	}
}
