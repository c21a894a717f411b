package testenv

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/evac-io/evac/internal/servers"
)

// PostgresMajor is the server of one major version, "9.4" or "17", of this
// test process, fetched and started at its first use. Tests share it as they
// share that of Postgres.
func PostgresMajor(t testing.TB, major string) *servers.Postgres {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	pool.Lock()
	defer pool.Unlock()
	if srv := pool.run[Which(major)]; srv != nil {
		return srv
	}
	if err := preparePool(ctx); err != nil {
		t.Fatalf("get PostgreSQL for tests: %v", err)
	}
	cache, err := servers.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	install, err := servers.Major(ctx, cache, major, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	pool.pair[Which(major)] = install
	return startShared(ctx, t, Which(major))
}
