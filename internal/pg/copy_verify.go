package pg

import (
	"context"
	_ "embed" // the query
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

//go:embed copy_verify.sql
var namesQuery string

// VerifyCopy counts the rows of every table on both sides, jobs tables at
// once, and looks whether the target has every object by name. It reads as an
// outsider does, without the ledger of the copy. That each row is the same is
// for Verify to prove.
// Of a part of a database it looks at the tables alone.
func VerifyCopy(ctx context.Context, from, to secret.DSN, jobs int, part Selection) (err error) {
	meant, err := part.Filter()
	if err != nil {
		return err
	}
	source, err := holdSnapshot(ctx, from, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.release(ctx)) }()
	target, err := Connect(ctx, to, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, target)) }()
	head, err := readLedger(ctx, target)
	if err == nil && head != nil {
		err = errors.New("the copy is not complete: its ledger stands in the target")
	}
	if err != nil {
		return err
	}
	var wrong []string
	if meant.All() {
		wrong, err = compareNames(ctx, source.conn, target)
	}
	if err != nil {
		return err
	}
	counts, err := compareCounts(ctx, source, to, jobs, meant)
	if err != nil {
		return err
	}
	if wrong = append(wrong, counts...); len(wrong) > 0 {
		return fault.New(fault.Different, fmt.Sprintf("target is not the same as source in %d places: %s", len(wrong), some(wrong)), "evac postgres verify names every row and object that differs")
	}
	return nil
}

// crashed names what empties an unlogged table of one side.
func (k chunk) crashed(here, there int64) string {
	switch {
	case k.What != chunkUnlogged || here > 0 && there > 0:
		return ""
	case here > 0:
		return " (it is unlogged: a crash of the target empties it)"
	}
	return " (it is unlogged: a crash of the source empties it)"
}

// compareNames lists the objects that one side lacks. Extensions that the
// target has more are its own.
func compareNames(ctx context.Context, source, target *pgx.Conn) ([]string, error) {
	here, err := texts(ctx, source, fit(source, namesQuery))
	if err != nil {
		return nil, fmt.Errorf("list objects of source: %w", err)
	}
	there, err := texts(ctx, target, fit(target, namesQuery))
	if err != nil {
		return nil, fmt.Errorf("list objects of target: %w", err)
	}
	has := make(map[string]bool, len(there))
	for _, name := range there {
		has[name] = true
	}
	var wrong []string
	for _, name := range here {
		if !has[name] {
			wrong = append(wrong, name+" is missing")
		}
	}
	return wrong, nil
}

// compareCounts lists the tables whose numbers of rows differ.
func compareCounts(ctx context.Context, source *snapshot, to secret.DSN, jobs int, meant Filter) ([]string, error) {
	version, err := Version(ctx, source.conn)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	tables, err := planTables(ctx, source.conn, version, 1<<62, false, meant)
	if err != nil {
		return nil, err
	}
	var wrong []string
	var mu sync.Mutex
	open := func(ctx context.Context) (*lane, error) {
		from, err := source.join(ctx)
		if err != nil {
			return nil, err
		}
		target, err := Connect(ctx, to, ConnOptions{Application: applicationName, Side: Target})
		if err != nil {
			return nil, errors.Join(err, hangUp(ctx, from))
		}
		return &lane{source: from, target: target}, nil
	}
	err = work(ctx, jobs, tables, open, func(ctx context.Context, l *lane, c chunk) error {
		sql := fmt.Sprintf("select count(*) from only %s %s", Quote(c.Schema, c.Table), c.Filter)
		if err := unlock(ctx, l.source); err != nil {
			return fmt.Errorf("count %s: %w", c, err)
		}
		var here, there int64
		if err := l.source.QueryRow(ctx, sql).Scan(&here); err != nil {
			return fmt.Errorf("count %s: read source: %w", c, err)
		}
		switch err := l.target.QueryRow(ctx, sql).Scan(&there); {
		case code(err) == "42P01", code(err) == "3F000":
			mu.Lock()
			defer mu.Unlock()
			if !meant.All() { // else its name is missing already
				wrong = append(wrong, c.String()+" is missing")
			}
			return nil
		case err != nil:
			return fmt.Errorf("count %s: read target: %w", c, err)
		}
		if here != there {
			mu.Lock()
			defer mu.Unlock()
			wrong = append(wrong, fmt.Sprintf("%s has %d rows, the source %d%s", c, there, here, c.crashed(here, there)))
		}
		return nil
	}, func(l *lane) error { return l.close(ctx) })
	return wrong, err
}
