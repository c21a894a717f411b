package testenv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// Which says which server is meant: Older or Newer, or the one of a major
// version, "9.4" or "17", which is fetched at its first use.
type Which string

// The two servers of different majors that a machine has, as far apart as can
// be had.
const (
	Older Which = "older"
	Newer Which = "newer"
)

// startLimit bounds getting and starting a server.
const startLimit = 5 * time.Minute

// settings make servers fast to start and to stop; nothing of them survives a
// power cut. Logical replication and prepared transactions are possible.
var settings = map[string]string{
	"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
	"max_connections": "60", "shared_buffers": "64MB", "wal_level": "logical",
	"max_prepared_transactions": "10", "track_commit_timestamp": "on", "autovacuum_naptime": "10min",
}

// pool holds the servers of this test process. It lives as long as the
// process, because packages of tests share a server and not a variable.
var pool struct {
	sync.Mutex
	dir    string
	pgDump servers.Install
	have   map[Which]servers.Install
	run    map[Which]*servers.Postgres
}

// Main is TestMain for packages that use servers: it stops them at the end.
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
func Main(m *testing.M) { Stopping(m).Run() }

// Runner is what testing.M and testscript's own main have in common.
type Runner interface{ Run() int }

// Stopping wraps a Runner so that the servers stop when it ends.
func Stopping(m Runner) Runner { return stopping{m} }

type stopping struct{ Runner }

func (s stopping) Run() int {
	if serveStandIn() {
		return 0
	}
	code := s.Runner.Run()
	if err := stopAll(); err != nil {
		fmt.Fprintln(os.Stderr, "stop test servers:", err)
		return max(code, 1)
	}
	return code
}

func stopAll() error {
	pool.Lock()
	defer pool.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	for _, srv := range pool.run {
		err = errors.Join(err, srv.Stop(ctx, servers.Immediate))
	}
	pool.run = nil
	if pool.dir != "" {
		err = errors.Join(err, os.RemoveAll(pool.dir))
	}
	return err
}

// Postgres is the older or newer server of this test process, started at its
// first use. Tests share it: what they make they make in a Database, and roles
// under names of their own.
func Postgres(t testing.TB, which Which) *servers.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	pool.Lock()
	defer pool.Unlock()
	if srv := pool.run[which]; srv != nil {
		return srv
	}
	if err := prepareInstall(ctx, which); err != nil {
		t.Fatalf("get PostgreSQL for tests: %v", err)
	}
	srv, err := servers.StartPostgres(ctx, poolOptions(which, filepath.Join(pool.dir, string(which))))
	if err != nil {
		t.Fatal(err)
	}
	pool.run[which] = srv
	return srv
}

// OwnPostgres is a server for one test alone, which may change, stop and kill
// it; change adds to its options.
func OwnPostgres(t testing.TB, which Which, change func(*servers.Options)) *servers.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	o := ownOptions(ctx, t, which)
	if change != nil {
		change(&o)
	}
	srv, err := servers.StartPostgres(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := srv.Stop(ctx, servers.Immediate); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func ownOptions(ctx context.Context, t testing.TB, which Which) servers.Options {
	pool.Lock()
	defer pool.Unlock()
	if err := prepareInstall(ctx, which); err != nil {
		t.Fatalf("get PostgreSQL for tests: %v", err)
	}
	return poolOptions(which, filepath.Join(t.TempDir(), "pg"))
}

func poolOptions(which Which, dir string) servers.Options {
	o := servers.Options{Install: pool.have[which], Dir: dir, Settings: maps.Clone(settings), DieWithParent: true}
	if o.Install.MajorName() == "9.4" {
		delete(o.Settings, "track_commit_timestamp") // from 9.5
	}
	if cache, err := servers.CacheDir(); err == nil {
		o.Templates = filepath.Join(cache, "templates")
	}
	return o
}

// prepareInstall finds or gets what a server is started from.
func prepareInstall(ctx context.Context, which Which) error {
	if err := preparePool(ctx); err != nil {
		return err
	}
	if _, have := pool.have[which]; have {
		return nil
	}
	cache, err := servers.CacheDir()
	if err == nil {
		pool.have[which], err = servers.Major(ctx, cache, string(which), slog.New(slog.DiscardHandler))
	}
	return err
}

// preparePool finds or gets the two installs, once.
func preparePool(ctx context.Context) error {
	if pool.dir != "" {
		return nil
	}
	cache, err := servers.CacheDir()
	if err != nil {
		return err
	}
	older, newer, pgDump, err := servers.Pair(ctx, cache, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	pool.have = map[Which]servers.Install{Older: older, Newer: newer}
	pool.run, pool.pgDump = map[Which]*servers.Postgres{}, pgDump
	pool.dir, err = os.MkdirTemp("", "evac-test-")
	return err
}

// PgDump is the path of the newest pg_dump; pg_restore stands beside it.
func PgDump(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	pool.Lock()
	defer pool.Unlock()
	if err := preparePool(ctx); err != nil {
		t.Fatalf("get pg_dump for tests: %v", err)
	}
	return pool.pgDump.Tool("pg_dump")
}

// Database makes an empty database named after the test and drops it at the
// test's end, whoever is still connected.
func Database(t testing.TB, srv *servers.Postgres) secret.DSN {
	t.Helper()
	name := databaseName(t.Name())
	admin(t, srv, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() {
		if srv.Install.Major >= 13 {
			admin(t, srv, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			return
		}
		admin(t, srv, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
		admin(t, srv, "DROP DATABASE IF EXISTS "+name)
	})
	return srv.DSN(name, "")
}

// admin runs one statement as the superuser.
func admin(t testing.TB, srv *servers.Postgres, statement string) {
	t.Helper()
	adminIn(t, srv, "postgres", statement)
}

// adminIn runs one statement as the superuser in a database.
func adminIn(t testing.TB, srv *servers.Postgres, database, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, srv.DSN(database, "").Reveal())
	if err != nil {
		t.Errorf("connect to the test server: %v", err)
		return
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}

// databaseName is unique in this process and at most 63 bytes long.
func databaseName(test string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(test))
	return fmt.Sprintf("%.40s_%d", name, databases.Add(1))
}

// databases counts the databases of this process.
var databases atomic.Int64
