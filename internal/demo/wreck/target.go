package wreck

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// database is the one that is salvaged, and the one it becomes.
const database = "kingdom"

// target is the database that the rows go to.
type target struct {
	dir    string // the demo's
	server *servers.Postgres
	plan   pg.LoadPlan
}

// start starts a server that holds one empty database. It lives outside of the
// demo's folder: as root it runs as another account, which may not enter that.
func (t *target) start(ctx context.Context, keep bool) (_ string, err error) {
	install, err := newest(ctx)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "evac-demo-")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	t.server, err = servers.StartPostgres(ctx, servers.Options{
		Install: install, Dir: filepath.Join(dir, "postgres"), Password: secret.New(rand.Text()), DieWithParent: !keep,
		InitArgs: []string{"--no-sync"},
	})
	if err != nil {
		return "", err
	}
	err = t.do(ctx, "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "create database "+database)
		return err
	})
	if err != nil {
		return "", errors.Join(err, t.end(context.WithoutCancel(ctx)))
	}
	return "PostgreSQL " + install.Version + ", with an empty database", nil
}

// do connects for one piece of work.
func (t *target) do(ctx context.Context, database string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, t.server.DSN(database, "").Reveal())
	if err != nil {
		return fmt.Errorf("connect to the demo's database: %w", err)
	}
	return errors.Join(work(conn), conn.Close(context.WithoutCancel(ctx)))
}

func (t *target) load(ctx context.Context) (_ string, err error) {
	if t.plan, err = pg.ReadLoadPlan(filepath.Join(t.dir, "rows"), database, ""); err != nil {
		return "", err
	}
	r, err := pg.Load(ctx, t.plan, pg.LoadOptions{
		To: t.server.DSN(database, ""), Jobs: runtime.GOMAXPROCS(0), Token: "demo", Progress: quiet{},
		Save: func(context.Context, pg.LoadState) error { return nil },
	})
	if err != nil {
		return "", err
	}
	left := ""
	if len(r.LeftOut) > 0 {
		left = "; left out: " + strings.Join(r.LeftOut, "; ")
	}
	return fmt.Sprintf("%s rows into %d tables, with their keys, indexes and constraints%s", humanize.Comma(r.Rows), r.Tables, left), nil
}

// verify holds the database against the files.
func (t *target) verify(ctx context.Context) (string, error) {
	r, err := pg.VerifyLoad(ctx, t.plan, pg.VerifyLoadOptions{To: t.server.DSN(database, ""), Jobs: runtime.GOMAXPROCS(0), Read: func(int64) {}})
	if err != nil {
		return "", err
	}
	if !r.Equal() {
		return "", fault.New(fault.Different, fmt.Sprintf("%d rows are missing in the database, %d extra, %d different", r.Missing, r.Extra, r.Different), "")
	}
	return fmt.Sprintf("%s rows in the database are those in the files", humanize.Comma(r.Rows)), nil
}

// end stops the server and takes everything of it away.
func (t *target) end(ctx context.Context) error {
	return errors.Join(t.server.Stop(ctx, servers.Immediate), t.server.Remove(), os.Remove(filepath.Dir(t.server.Dir)))
}

// serverFile names the folder of a server that was kept.
const serverFile = "server"

// keep tells how to look into the database, and how to end it.
func (t *target) keep(progress io.Writer) error {
	if err := os.WriteFile(filepath.Join(t.dir, serverFile), []byte(t.server.Dir), 0o600); err != nil {
		return err
	}
	_, err := fmt.Fprintf(progress, "\nThe database is still there:\n\n  PGPASSFILE= PGPASSWORD=\"$(cat %s)\" psql -h 127.0.0.1 -p %d -U %s %s\n  evac demo end %s\n\n",
		filepath.Join(t.server.Dir, "password"), t.server.Port, t.server.Superuser, database, t.dir)
	return err
}

// End ends the database of a demo that was kept; without one it does nothing.
func End(ctx context.Context, dir string) error {
	name := filepath.Join(dir, serverFile)
	at, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	server, err := servers.Attach(string(at))
	switch {
	case errors.Is(err, servers.ErrNotRunning):
		return errors.Join(os.RemoveAll(filepath.Dir(string(at))), os.Remove(name))
	case err != nil:
		return err
	}
	return errors.Join((&target{server: server}).end(ctx), os.Remove(name))
}

// quiet is a progress that nobody watches: the stages are told.
type quiet struct{}

// Total implements pg.Progress.
func (quiet) Total(string, int64) {}

// Add implements pg.Progress.
func (quiet) Add(int64) {}

// Note implements pg.Progress.
func (quiet) Note(string) {}
