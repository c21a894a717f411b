package servers_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

func TestTwoMajors(t *testing.T) {
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		if got := query(t, testenv.Database(t, testenv.Postgres(t, which)), "select 'ok'"); got != "ok" {
			t.Errorf("got %q", got)
		}
	}
	older, newer := testenv.Postgres(t, testenv.Older), testenv.Postgres(t, testenv.Newer)
	if older.Install.Major >= newer.Install.Major {
		t.Errorf("older is %s, newer is %s", older.Install, newer.Install)
	}
}

func query(t *testing.T, dsn secret.DSN, sql string) (text string) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(&text); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func installs(t *testing.T) (older, newer servers.Install) {
	t.Helper()
	cache, err := servers.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	older, newer, _, err = servers.Pair(t.Context(), cache, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return older, newer
}

// A server of a conductor that was killed is found again by its directory,
// its password with it; stopped and started again it has kept its rows.
func TestAttachAndStartAgain(t *testing.T) {
	_, newer := installs(t)
	o := servers.Options{
		Install: newer, Dir: filepath.Join(t.TempDir(), "pg"), Superuser: "boss", Password: secret.New("s3cret-words"),
		InitArgs: []string{"--no-sync"}, DieWithParent: true,
	}
	first, err := servers.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Stop(context.Background(), servers.Immediate) })
	query(t, first.DSN("postgres", ""), "create table kept (word text)")
	query(t, first.DSN("postgres", ""), "insert into kept values ('kept') returning word")

	again, err := servers.Attach(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, again.DSN("postgres", ""), "select word from kept"); got != "kept" {
		t.Errorf("got %q", got)
	}
	if err := again.Stop(t.Context(), servers.Fast); err != nil {
		t.Fatal(err)
	}
	if _, err := servers.Attach(o.Dir); !errors.Is(err, servers.ErrNotRunning) {
		t.Errorf("attach to a stopped server: %v", err)
	}
	second, err := servers.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, second.DSN("postgres", ""), "select word from kept"); got != "kept" {
		t.Errorf("got %q", got)
	}
	if err := second.Stop(t.Context(), servers.Fast); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(second.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's directory is left: %v", err)
	}
}
