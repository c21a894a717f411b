package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// Rates of a copy with two workers between two servers on one machine of two
// cores and a local solid-state disk: what a planning meeting begins with,
// before a drill tells it better. Tables of 1,157 MB with indexes of 278 MB took
// 25 s; tables alone are faster, indexes alone as fast.
const (
	copyRate  = 60 << 20 // bytes of tables a second
	indexRate = 50 << 20 // bytes of indexes a second, built while others copy
)

// What a check reads of the largest table to learn the source's rate, and for
// how long at most; smaller sources need no estimate that fine.
const (
	sampleFrom = 1 << 30
	sampleTime = "250ms"
)

// ways tells of each way to move the database whether it is open, and how long
// nobody can write on it.
func (p *preflight) ways(ctx context.Context) error {
	if p.survey.Finished {
		return nil
	}
	rate, note := float64(copyRate), "rates of a machine with two cores and a local disk: a drill tells yours"
	if p.survey.Bytes >= sampleFrom {
		read, err := p.sample(ctx)
		if err != nil {
			return err
		}
		read *= float64(max(p.Jobs, 1))
		note += fmt.Sprintf("; the source was read at %s/s", inBytes(int64(read)))
		rate = min(rate, max(read, 1))
	}
	if p.MaxRate > 0 && rate > float64(p.MaxRate) {
		rate = float64(p.MaxRate)
		note += "; max_rate bounds it"
	}
	long := time.Duration((float64(p.survey.Bytes)/rate + float64(p.survey.IndexBytes)/indexRate) * float64(time.Second))
	p.fact("way: copy", "no writes for about %s: %s of tables at %s/s, %s of indexes at %s/s (%s)", about(long),
		inBytes(p.survey.Bytes), inBytes(int64(rate)), inBytes(p.survey.IndexBytes), inBytes(indexRate), note)
	closed, err := p.followClosed(ctx)
	if err != nil {
		return err
	}
	if closed == "" {
		keyless, err := p.keyless(ctx)
		if err != nil {
			return err
		}
		p.fact("way: copy and follow", "no writes for seconds, after about %s of copying while users work%s; its own check tries whether the target's server reaches the source", about(long), keyless)
	} else {
		p.fact("way: copy and follow", "closed: %s", closed)
	}
	return p.wayInPlace(ctx)
}

// about rounds a duration to what an estimate is worth.
func about(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "10 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Round(10*time.Second).Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// followClosed says what keeps the copy from being followed, "" if nothing
// that the settings tell.
func (p *preflight) followClosed(ctx context.Context) (string, error) {
	var level string
	if err := p.source.conn.QueryRow(ctx, "select current_setting('wal_level')").Scan(&level); err != nil {
		return "", fmt.Errorf("read settings of source: %w", err)
	}
	switch {
	case p.source.version < firstPublication || p.target.version < firstPublication:
		return "logical replication begins at PostgreSQL 10", nil
	case level != "logical":
		return fmt.Sprintf("the source's wal_level is %s, want logical: %s", level, p.source.provider.setLogical()), nil
	}
	return "", nil
}

// keyless names the tables whose rows replication cannot find without more.
func (p *preflight) keyless(ctx context.Context) (string, error) {
	tables, err := p.source.texts(ctx, "tables", "select c.oid::regclass::text"+tablesFrom+`c.relkind = 'r' and c.relpersistence = 'p' and `+ours("pg_class", "c.oid")+`
		and (c.relreplident = 'n' or c.relreplident = 'd' and not exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary)) order by 1`)
	if err != nil || len(tables) == 0 {
		return "", err
	}
	return "; tables without a key need one first, or their whole rows as identity: " + some(tables), nil
}

// wayInPlace tells of pg_upgrade on a restored snapshot of the source's disk.
// Its time hangs on the number of objects, not of rows.
func (p *preflight) wayInPlace(ctx context.Context) error {
	if p.source.version/10000 == p.target.version/10000 && p.source.version >= firstPublication {
		return nil
	}
	var objects int64
	if err := p.source.conn.QueryRow(ctx, "select count(*) from pg_catalog.pg_class where oid >= 16384 and relkind not in ('t', 'c')").Scan(&objects); err != nil {
		return fmt.Errorf("count objects of source: %w", err)
	}
	stuck, err := p.source.texts(ctx, "columns", columnsOf("'regproc', 'regprocedure', 'regoper', 'regoperator', 'regconfig', 'regdictionary', 'regnamespace', 'regcollation'"))
	if err != nil {
		return err
	}
	long := upgradeBase + time.Duration(objects)*upgradeObject
	text := fmt.Sprintf("no writes for about %s (%d objects; with --link) and the time that the snapshot takes to be restored, which only its provider knows; every index on text must be proved or built anew if the library that sorts is another",
		about(long), objects)
	if len(stuck) > 0 {
		text = fmt.Sprintf("closed: pg_upgrade refuses columns that hold OIDs: %s", some(stuck))
	}
	p.fact("way: upgrade in place", "%s; evac does not do it", text)
	return nil
}

// What pg_upgrade takes: starting both servers several times, and dumping and
// restoring the schema.
const (
	upgradeBase   = 30 * time.Second
	upgradeObject = 10 * time.Millisecond
)

// sample reads the largest table for a short while and gives bytes a second.
func (p *preflight) sample(ctx context.Context) (float64, error) {
	var table string
	err := p.source.conn.QueryRow(ctx, `
		select format('%I.%I', n.nspname, c.relname)`+tablesFrom+p.filter.SQL("n.nspname", "c.relname")+`
		and c.relkind = 'r' and has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage')
		order by pg_table_size(c.oid) desc limit 1`).Scan(&table)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fault.New(fault.Denied, "source does not let the user read any table", "")
	}
	if err != nil {
		return 0, fmt.Errorf("find largest table of source: %w", err)
	}
	if err := run(ctx, p.source.conn, "set statement_timeout = '"+sampleTime+"'"); err != nil {
		return 0, fmt.Errorf("read sample of source: %w", err)
	}
	var read counter
	began := time.Now()
	_, err = p.source.conn.PgConn().CopyTo(ctx, &read, "copy "+table+" to stdout (format binary)")
	took := time.Since(began)
	if err != nil && code(err) != "57014" { // cut off by the timeout, as meant
		return 0, fmt.Errorf("read sample of source: %w", err)
	}
	if err := run(ctx, p.source.conn, "set statement_timeout = 0"); err != nil {
		return 0, fmt.Errorf("read sample of source: %w", err)
	}
	return float64(read) / took.Seconds(), nil
}

// counter counts what is written to it.
type counter int64

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
