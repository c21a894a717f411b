package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// readSchema reads the source's schema as the snapshot sees it.
func (c *copier) readSchema(ctx context.Context) ([]entry, error) {
	more, err := c.dumpOptions(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := c.dump.dump(ctx, c.From, c.sourceVersion, c.source.ID, more...)
	return wordedFor(c.target.version, entries), err
}

// dumpOptions are what pg_dump needs to know of these two servers.
func (c *copier) dumpOptions(ctx context.Context) ([]string, error) {
	more := []string{"--encoding=UTF8"}
	if c.source.conn.PgConn().ParameterStatus("server_encoding") == "SQL_ASCII" {
		more = []string{"--encoding=SQL_ASCII"}
	}
	more = append(more, c.filter.dumpOptions()...)
	missing, err := missingTablespaces(ctx, c.source.conn, c.target.conn)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		more = append(more, "--no-tablespaces")
		return more, noteWarning(ctx, c.target.conn, fmt.Sprintf("everything goes to the default tablespace: the target lacks %q", missing))
	}
	return more, nil
}

// binary tells whether both servers write times in one binary form: a server
// before version 10 may have been built to keep them as floating-point numbers.
func (c *copier) binary() bool {
	times := func(conn *pgx.Conn) string { return conn.PgConn().ParameterStatus("integer_datetimes") }
	return times(c.source.conn) == times(c.target.conn)
}

// missingTablespaces lists the tablespaces that the source's database uses and
// the target lacks.
func missingTablespaces(ctx context.Context, source, target *pgx.Conn) ([]string, error) {
	used, err := texts(ctx, source, `
		select distinct t.spcname::text from pg_catalog.pg_class c join pg_catalog.pg_tablespace t on t.oid = c.reltablespace
		where t.spcname not in ('pg_default', 'pg_global') order by 1`)
	if err != nil {
		return nil, fmt.Errorf("list tablespaces of source: %w", err)
	}
	missing, err := texts(ctx, target, "select u from unnest($1::text[]) u where u not in (select spcname from pg_catalog.pg_tablespace)", used)
	if err != nil {
		return nil, fmt.Errorf("list tablespaces of target: %w", err)
	}
	return missing, nil
}

func (c *copier) makeGlobals(ctx context.Context) error {
	made, err := done(ctx, c.target.conn, rolesMade)
	if err == nil && !made {
		var g globals
		if g, err = readGlobals(ctx, c.source.conn, c.sourceVersion); err == nil {
			err = c.target.applyGlobals(ctx, g)
		}
	}
	if err != nil || c.roled == nil {
		return err
	}
	return c.roled(ctx, c.target.conn.PgConn().PID())
}

func (c *copier) makeBefore(ctx context.Context, entries []entry) error {
	if err := c.dropPublic(ctx); err != nil {
		return err
	}
	schemas, err := c.schemasOfTables(ctx)
	if err != nil {
		return err
	}
	return c.target.applyBatches(ctx, c.target.conn, append(schemas, entries...))
}

// dropPublic drops the schema public if the source has none: initdb made it on
// the target, and pg_dump leaves it alone.
func (c *copier) dropPublic(ctx context.Context) error {
	var there bool
	err := c.source.conn.QueryRow(ctx, "select exists (select from pg_catalog.pg_namespace where nspname = 'public')").Scan(&there)
	if err != nil {
		return fmt.Errorf("look for schema \"public\" of source: %w", err)
	}
	if there {
		return nil
	}
	return pgx.BeginFunc(ctx, c.target.conn, func(pgx.Tx) error {
		return soften(ctx, c.target.conn, "drop schema if exists public", "schema \"public\"")
	})
}

// copyTables moves the rows and makes what hangs on tables, as much at once as
// there are jobs: every chunk and entry that the ledger does not have.
func (c *copier) copyTables(ctx context.Context, f facts, plan afterPlan) error {
	if err := c.planData(ctx); err != nil {
		return err
	}
	if err := c.reopenEmptied(ctx); err != nil {
		return err
	}
	sums, err := readSums(ctx, c.target.conn)
	if err != nil {
		return err
	}
	c.Progress.Total("bytes", sums.AllWeight)
	c.Progress.Add(sums.DoneWeight)
	g, err := c.newGraph(ctx, f, plan)
	if err != nil {
		return err
	}
	return runTasks(ctx, c.Jobs, g.tasks, nil, c.openLane, func(l *lane) error { return l.close(ctx) })
}

func (c *copier) planData(ctx context.Context) error {
	if stands, err := done(ctx, c.target.conn, planned); stands || err != nil {
		return err
	}
	tables, err := planTables(ctx, c.source.conn, c.sourceVersion, c.ChunkBytes, c.binary(), c.filter)
	if err != nil {
		return err
	}
	var objects []chunk
	if c.filter.Outside() {
		if objects, err = planObjects(ctx, c.source.conn); err != nil {
			return err
		}
	}
	return writePlan(ctx, c.target.conn, append(tables, objects...))
}

// makeRest makes everything else that follows the data, and enters for the
// end what must not see the copy.
func (c *copier) makeRest(ctx context.Context, plan afterPlan) error {
	rest, err := c.target.open(ctx, plan.Rest)
	if err != nil {
		return err
	}
	if err := c.target.applyBatches(ctx, c.target.conn, rest); err != nil {
		return err
	}
	last, err := c.target.open(ctx, plan.Last)
	if err != nil || len(last) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, c.target.conn, func(tx pgx.Tx) error {
		var sql []string
		for _, e := range last {
			if ok, err := c.target.permitted(ctx, tx, e); err != nil {
				return err
			} else if ok {
				sql = append(sql, e.SQL)
			}
		}
		if err := noteLast(ctx, tx, sql...); err != nil {
			return err
		}
		return markDone(ctx, tx, keysOf(last)...)
	})
}

func (c *copier) setDatabase(ctx context.Context) error {
	if set, err := done(ctx, c.target.conn, databaseSet); set || err != nil || !c.filter.Outside() {
		return err
	}
	from, err := readDatabase(ctx, c.source.conn)
	if err != nil {
		return fmt.Errorf("read database of source: %w", err)
	}
	return c.target.applyDatabase(ctx, from)
}

// fillViews fills materialized views, in the script's order, for one may read
// another, and gathers their statistics.
func (c *copier) fillViews(ctx context.Context, f facts, plan afterPlan) error {
	made, err := doneKeys(ctx, c.target.conn)
	if err != nil {
		return err
	}
	for _, e := range plan.Views {
		if made[e.Key] {
			continue
		}
		c.Progress.Note(e.String())
		err := asUsers(ctx, c.target.conn, c.users, func() error { return c.target.applyAlone(ctx, c.target.conn, e) })
		if err != nil {
			return err
		}
		if view, known := f.tables[e.OID]; known {
			if err := analyze(ctx, c.target.conn, view.Schema, view.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
