package world

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// database is the one that moves.
const database = "shop"

// appRole is the role that the shop's apps log in as.
const appRole = "shop_app"

// databases starts both servers and loads the shop into the older one.
func (w *world) databases(ctx context.Context) error {
	cache, err := servers.CacheDir()
	if err != nil {
		return err
	}
	w.log.Info("look for PostgreSQL of two major versions")
	older, newer, pgDump, err := servers.Pair(ctx, cache, w.log)
	if err != nil {
		return err
	}
	if older.Major < shop.LeastMajor {
		return fault.New(fault.Failed, fmt.Sprintf("load the shop into %s: it needs PostgreSQL %d or newer", older, shop.LeastMajor),
			"install newer ones and name their bin directories in EVAC_POSTGRES_BIN")
	}
	w.pgDump = pgDump.Bin
	password := secret.New(rand.Text())
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { w.source, err = w.server(groupCtx, sourceSide, older, password); return })
	group.Go(func() (err error) { w.target, err = w.server(groupCtx, targetSide, newer, password); return })
	if err := group.Wait(); err != nil {
		return err
	}
	w.info.Source, w.info.Target = side(w.source), side(w.target)
	return w.fill(ctx, password)
}

// server starts one server as for real work: what it says is on disk, is.
func (w *world) server(ctx context.Context, name string, install servers.Install, password secret.String) (*servers.Postgres, error) {
	w.log.Info("start " + install.String() + " as " + name)
	p, err := servers.StartPostgres(ctx, servers.Options{
		Install: install, Dir: filepath.Join(w.data, name), Password: password, DieWithParent: true,
		InitArgs: []string{"--no-sync"}, // of initdb alone: nobody's rows yet
		Settings: map[string]string{
			"fsync": "on", "synchronous_commit": "on", "wal_level": "logical",
			"shared_buffers": "256MB", "max_wal_size": "4GB", "max_connections": "100",
		},
	})
	if err != nil {
		return nil, err
	}
	w.atEnd(func(ctx context.Context) error { return errors.Join(p.Stop(ctx, servers.Immediate), p.Remove()) })
	conn, err := connect(ctx, p.DSN("postgres", ""))
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "create database "+database)
	return p, errors.Join(err, conn.Close(ctx))
}

func side(p *servers.Postgres) Side {
	return Side{
		Version: p.Install.Version, Port: p.Port, PID: p.PID(), Bin: p.Install.Bin,
		DSN: fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", p.Superuser, p.Port, database),
	}
}

// fill makes the shop, with what both servers can hold, on the source.
func (w *world) fill(ctx context.Context, password secret.String) error {
	source, err := connect(ctx, w.source.DSN(database, ""))
	if err != nil {
		return err
	}
	defer func() { _ = source.Close(ctx) }() // all its work is committed
	target, err := connect(ctx, w.target.DSN(database, ""))
	if err != nil {
		return err
	}
	defer func() { _ = target.Close(ctx) }()
	with, err := shop.Options(ctx, source, target)
	if err != nil {
		return err
	}
	err = shop.Load(ctx, source, w.o.Size, with, func(part string) { w.log.Info("load the shop", "part", part) })
	if err != nil {
		return err
	}
	if err := source.QueryRow(ctx, "select sum(n_live_tup) from pg_stat_user_tables").Scan(&w.info.Rows); err != nil {
		return fmt.Errorf("count the shop's rows: %w", err)
	}
	return letIn(ctx, source, password)
}

// letIn gives the app's role the password. The text goes over a local
// connection and into no log: the server's log of statements is off.
func letIn(ctx context.Context, conn *pgx.Conn, password secret.String) error {
	// rand.Text needs no quoting: it is letters and digits.
	if _, err := conn.Exec(ctx, "alter role "+appRole+" password '"+password.Reveal()+"'"); err != nil {
		return fmt.Errorf("give role %q its password: %w", appRole, err)
	}
	return nil
}

func connect(ctx context.Context, dsn secret.DSN) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, dsn.Reveal())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", dsn, err)
	}
	return conn, nil
}
