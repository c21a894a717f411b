package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
)

// Temperature is how long single pages of the hot set, taken at random, take
// to read, by the server's own clock: medians, in microseconds.
type Temperature struct {
	Pages int
	// FirstUS is the first read, and AgainUS the second one of the same
	// pages: no page can be warmer than that.
	FirstUS, AgainUS float64
}

// Ratio is how much slower a first read is than it can be; 0 if nothing was
// read.
func (t Temperature) Ratio() float64 {
	if t.AgainUS == 0 {
		return 0
	}
	return t.FirstUS / t.AgainUS
}

// samplePages is how many pages tell the temperature, watchPages how many
// while it is warming: they are read out of their order.
const (
	samplePages = 48
	watchPages  = 8
)

// TakeTemperature reads pages of the hot set, to tell whether they are warm.
func TakeTemperature(ctx context.Context, o WarmOptions) (t Temperature, err error) {
	w, err := openWarmer(ctx, o)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, w.conn)) }()
	t, err = w.sample(ctx, w.conn, samplePages)
	return t, fault.Wrap(fault.KindOf(err), "warm "+o.Database.String(), err, "")
}

// sample reads n random pages of hot tables twice. A page that cannot be read
// is passed over.
func (s *warmSet) sample(ctx context.Context, conn *pgx.Conn, n int) (t Temperature, err error) {
	var first, again []float64
	for r, block := range s.hotPages(n) {
		sql := fmt.Sprintf("explain (analyze, timing off, format json) select from only %s where ctid = '(%d,1)'", Quote(r.Schema, r.Table), block)
		var took [2]float64
		for i := range took {
			if took[i], err = executionTime(ctx, conn, sql); err != nil {
				break
			}
		}
		var refused *pgconn.PgError
		switch {
		case err == nil:
			first, again = append(first, took[0]), append(again, took[1])
		case !errors.As(err, &refused) || conn.IsClosed():
			return t, fmt.Errorf("read page %d of %s: %w", block, r.Name, err)
		}
	}
	return Temperature{Pages: len(first), FirstUS: median(first), AgainUS: median(again)}, nil
}

// executionTime runs an EXPLAIN ANALYZE and gives the microseconds that it
// tells.
func executionTime(ctx context.Context, conn *pgx.Conn, sql string) (float64, error) {
	var plan []struct {
		Milliseconds float64 `json:"Execution Time"`
	}
	if err := conn.QueryRow(ctx, sql, pgx.QueryExecModeDescribeExec).Scan(&plan); err != nil {
		return 0, err
	}
	if len(plan) != 1 {
		return 0, errors.New("the server explains nothing")
	}
	return plan[0].Milliseconds * 1000, nil
}

// hotPages yields n random pages of tables in the hot set.
func (s *warmSet) hotPages(n int) func(func(*warmRelation, int64) bool) {
	var tables []warmSegment
	var total int64
	add := func(r *warmRelation, from, to int64) {
		if (r.Kind == "r" || r.Kind == "m") && !r.System && from < to {
			tables = append(tables, warmSegment{relation: r, from: from, to: to})
			total += to - from
		}
	}
	for _, g := range s.Segments {
		add(g.relation, g.from, g.to)
	}
	for _, r := range s.Relations {
		if r.hot {
			add(r, 0, r.Blocks)
		}
	}
	return func(yield func(*warmRelation, int64) bool) {
		for range n {
			if total == 0 {
				return
			}
			at := rand.Int64N(total)
			for _, g := range tables {
				if at < g.blocks() {
					if !yield(g.relation, g.from+at) {
						return
					}
					break
				}
				at -= g.blocks()
			}
		}
	}
}

// median of no values is 0.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// What is told and saved how often.
const (
	warmNoteEvery = 2 * time.Second
	warmSaveEvery = 5 * time.Second
)

// watch says how far it is, and saves that, until the context ends.
func (w *warmer) watch(ctx context.Context) (err error) {
	conn, err := w.connect(ctx)
	if ctx.Err() != nil {
		return hangUp(ctx, conn)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	note, save := time.NewTicker(warmNoteEvery), time.NewTicker(warmSaveEvery)
	defer note.Stop()
	defer save.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-save.C:
			err = w.meter.save(ctx)
		case <-note.C:
			var now Temperature
			if now, err = w.sample(ctx, conn, watchPages); err == nil {
				w.o.Note(w.meter.note(now))
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// note says what bytes and rate do not: `63 % of the hot set; a first read
// takes 412 µs, 12.0 times a warm one`.
func (m *warmMeter) note(now Temperature) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := fmt.Sprintf("%.0f %% of the hot set", percent(m.hot, m.set.HotBytes))
	if now.Pages > 0 {
		text += fmt.Sprintf("; a first read takes %.0f µs, %.1f times a warm one", now.FirstUS, now.Ratio())
	}
	return text
}
