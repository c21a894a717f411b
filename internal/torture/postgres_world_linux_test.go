package torture

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// pgWorld is two servers with a wire to each, and a database on one of them
// that is to be moved to the other, again and again.
type pgWorld struct {
	t              *testing.T
	evac           string
	pgDump         string
	random         *rand.Rand
	source, target *pgServer
	moves          int
	// facts are what the source holds.
	facts []string
	// took is how long an undisturbed move and its undo last.
	took, undoTook time.Duration
	tally          pgTally
	// phases are those that have to be struck: of the way there and back.
	phases map[bool][]string
}

// pgServer is a server that may die and be started again.
type pgServer struct {
	t       *testing.T
	name    string
	options servers.Options
	srv     *servers.Postgres
	wire    *testenv.Wire
}

// pgSettings let a test see what a server does, and when.
var pgSettings = map[string]string{
	"log_statement": "all", "log_line_prefix": "%a|", "log_min_messages": "log", "autovacuum": "off", "synchronous_commit": "on",
	"wal_sender_timeout": "3s", "wal_receiver_timeout": "3s", "wal_retrieve_retry_interval": "500ms", // else silence is noticed after a minute
}

func newPgServer(t *testing.T, name string, which testenv.Which, disk *pgDisk) *pgServer {
	t.Helper()
	s := &pgServer{t: t, name: name}
	s.srv = testenv.OwnPostgres(t, which, func(o *servers.Options) {
		for name, value := range pgSettings {
			o.Settings[name] = value
		}
		if disk != nil {
			o.Dir = filepath.Join(disk.data, "pg")
			o.InitArgs = []string{"--wal-segsize=1"} // it is full soon
			o.Settings["min_wal_size"], o.Settings["wal_recycle"] = "2MB", "off"
		}
		s.options = *o
	})
	s.options.Port = s.srv.Port
	if disk != nil {
		s.stop(servers.Fast)
		disk.spread(s.srv)
		s.wake()
	}
	t.Cleanup(func() { s.stop(servers.Immediate) })
	s.wire = testenv.NewWire(t, s.srv.DSN("postgres", ""))
	return s
}

// pgPlan says how a world is made.
type pgPlan struct {
	size       int     // of the rows, in 300 kB
	everything bool    // every kind of object as well
	disk       *pgDisk // of the target alone
}

func newPgWorld(t *testing.T, random *rand.Rand, plan pgPlan) *pgWorld {
	t.Helper()
	w := &pgWorld{t: t, random: random, pgDump: testenv.PgDump(t), tally: pgTally{}, phases: copying()}
	w.evac = filepath.Join(t.TempDir(), "evac") // by a name of its own its processes are known
	if err := os.Link(build(t), w.evac); err != nil {
		t.Fatal(err)
	}
	w.source = newPgServer(t, "source", testenv.Older, nil)
	w.target = newPgServer(t, "target", testenv.Newer, plan.disk)
	w.source.admin("create database source template template0")
	w.psql(w.source.dsn("source"), fmt.Sprintf("--set=size=%d", plan.size), "--file=testdata/bulk.sql")
	if plan.everything {
		w.psql(w.source.dsn("source"), "--file="+w.everything())
	}
	w.facts = w.read(w.source.dsn("source"))
	return w
}

// everything makes every kind of object, but for what needs a target that was
// built with XML.
func (w *pgWorld) everything() string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "everything.sql")
	script, err := os.ReadFile("../pg/testdata/everything.sql")
	if err == nil {
		err = os.WriteFile(file, bytes.ReplaceAll(script, []byte(" x xml,"), []byte(" x text,")), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return file
}

// measure moves once undisturbed.
func (w *pgWorld) measure() {
	w.t.Helper()
	m := w.begin(w.copyNight(), false)
	w.took = w.timed(false, m.goOn)
	m.count("undisturbed")
	w.undoTook = w.timed(true, m.undone)
	m.gone("undisturbed")
	m.end()
}

// timed times one way, and keeps the phases that it has.
func (w *pgWorld) timed(undo bool, do func()) time.Duration {
	w.t.Helper()
	log, began := tellerOf(w.target, undo), time.Now()
	do()
	took := time.Since(began)
	w.phases[undo] = log.among(w.phases[undo])
	return took
}

func (s *pgServer) dsn(database string) secret.DSN { return s.srv.DSN(database, "") }

// cuttable is the database as evac is to reach it: through the wire, and with
// little patience for silence.
func (s *pgServer) cuttable(database string) secret.DSN {
	s.t.Helper()
	dsn := s.wire.DSN(s.dsn(database))
	for name, value := range map[string]string{"keepalives_idle": "1", "keepalives_interval": "1", "keepalives_count": "2", "tcp_user_timeout": "1500", "connect_timeout": "4"} {
		dsn = dsn.Default(name, value)
	}
	return dsn
}

// admin runs one statement as the superuser.
func (s *pgServer) admin(sql string, args ...any) {
	s.t.Helper()
	s.ask(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
}

// number asks for one number.
func (s *pgServer) number(sql string, args ...any) (n int) {
	s.t.Helper()
	s.ask(func(ctx context.Context, conn *pgx.Conn) error { return conn.QueryRow(ctx, sql, args...).Scan(&n) })
	return n
}

// sessions are those of everybody but the reader.
func (s *pgServer) sessions() (all string) {
	s.t.Helper()
	s.ask(func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `
			select coalesce(string_agg(concat_ws(' | ', pid, application_name, state, state_change, left(query, 100)), E'\n'), '')
			from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' and application_name <> 'reader'`).Scan(&all)
	})
	return all
}

func (s *pgServer) ask(do func(context.Context, *pgx.Conn) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn("postgres").Reveal())
	if err == nil {
		err = do(ctx, conn)
		_ = conn.Close(ctx) // nothing hangs on it
	}
	if err != nil {
		s.t.Fatalf("ask %s: %v", s.name, err)
	}
}

func (s *pgServer) stop(mode servers.StopMode) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.srv.Stop(ctx, mode); err != nil {
		s.t.Errorf("stop %s: %v", s.name, err)
	}
}

// kill ends the server's main process as a power cut would.
func (s *pgServer) kill() {
	s.t.Helper()
	if err := s.srv.Kill(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// killBackend ends a server process, and waits until the server knows: a client
// that comes before would be taken, and thrown out.
func (s *pgServer) killBackend(pid int) bool {
	s.t.Helper()
	if syscall.Kill(pid, syscall.SIGKILL) != nil {
		return false // it has ended
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s does not notice that its process %d has ended", s.name, pid)
		}
	}
}

// wake waits until the server takes clients again, and starts it if it does not
// run any more. A checkpoint proves that no process of it still dies of what was
// before: that one would hold the write-ahead log.
func (s *pgServer) wake() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.dsn("postgres").Reveal())
		if err == nil {
			_, err = conn.Exec(ctx, "checkpoint")
			_ = conn.Close(ctx) // nothing hangs on it
		}
		if err == nil {
			return
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", s.srv.PID())); err != nil {
			var again *servers.Postgres
			if again, err = servers.StartPostgres(ctx, s.options); err == nil {
				s.srv = again
			} // else what is left of the old one still ends
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s does not come back: %v", s.name, err)
		}
	}
}

// said is what the server's log holds beyond an offset.
func (s *pgServer) said(offset int64) string {
	s.t.Helper()
	log, err := os.Open(s.srv.LogFile())
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		s.t.Fatal(err)
	}
	text := make([]byte, max(info.Size()-offset, 0))
	if _, err := log.ReadAt(text, offset); err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *pgServer) logSize() int64 {
	s.t.Helper()
	info, err := os.Stat(s.srv.LogFile())
	if err != nil {
		s.t.Fatal(err)
	}
	return info.Size()
}

// psql is the independent reader.
func (w *pgWorld) psql(dsn secret.DSN, args ...string) []string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*patience)
	defer cancel()
	args = append([]string{"--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=" + dsn.Reveal()}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(w.pgDump), "psql"), args...)
	cmd.Env = append(os.Environ(), "PGAPPNAME=reader")
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("psql %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// read reads every row and object of a database.
func (w *pgWorld) read(dsn secret.DSN) []string {
	w.t.Helper()
	return w.psql(dsn, "--file=../pg/testdata/fingerprint.sql")
}

// around reads what stands on a server beside its databases.
func (w *pgWorld) around(s *pgServer) []string {
	w.t.Helper()
	return w.psql(s.dsn("postgres"), "--file=testdata/around.sql")
}
