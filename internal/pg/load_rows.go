package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/fault"
)

// loadTask is a task of a load; a session does it.
type loadTask = task[*pgx.Conn]

// fill loads the rows, and makes the keys, indexes, constraints and statistics
// of each table as soon as its rows are there.
func (l *loader) fill(ctx context.Context) error {
	if err := l.planParts(ctx); err != nil {
		return err
	}
	sums, err := readSums(ctx, l.target.conn)
	if err != nil {
		return err
	}
	l.Progress.Total("bytes", sums.AllWeight)
	l.Progress.Add(sums.DoneWeight)
	tasks, files, err := l.tasks(ctx)
	if err != nil {
		return err
	}
	if l.Ready == nil {
		return l.runTasks(ctx, tasks, nil)
	}
	came := make(chan *loadTask)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.receive(ctx, files, came) })
	group.Go(func() error { return l.runTasks(ctx, tasks, came) })
	return group.Wait()
}

func (l *loader) runTasks(ctx context.Context, tasks []*loadTask, outside <-chan *loadTask) error {
	return runTasks(ctx, l.Jobs, tasks, outside, l.target.connectWorker, func(conn *pgx.Conn) error { return hangUp(ctx, conn) })
}

// receive passes on which files have come to stand; those that were loaded before
// and those of other databases are passed over.
func (l *loader) receive(ctx context.Context, files map[string]*loadTask, came chan<- *loadTask) error {
	for len(files) > 0 {
		select {
		case path, open := <-l.Ready:
			if !open {
				return fmt.Errorf("%d files did not come", len(files))
			}
			file := files[path]
			if file == nil {
				continue
			}
			delete(files, path)
			select {
			case came <- file:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// frozenBytes is what a table's only file has at least for its rows to be loaded
// frozen: the TRUNCATE before that makes three files anew.
const frozenBytes = 256 << 10

// planParts enters every file as a chunk, once.
func (l *loader) planParts(ctx context.Context) error {
	if stands, err := done(ctx, l.target.conn, planned); stands || err != nil {
		return err
	}
	var chunks []chunk
	for _, t := range l.plan.Tables {
		into := l.tables[[2]string{t.Schema, t.Name}]
		if into == nil {
			return fault.New(fault.Failed, fmt.Sprintf("load table %s: the schema does not make it", t), "move its folder away, or add the table to schema.sql")
		}
		columns, err := into.loaded(t)
		if err != nil {
			return fmt.Errorf("load table %s: %w", t, err)
		}
		for _, part := range t.Parts {
			chunks = append(chunks, chunk{
				What: chunkTable, Schema: t.Schema, Table: t.Name, Columns: columns, Filter: part.Path, Past: -1,
				Fresh: len(t.Parts) == 1 && part.Bytes >= frozenBytes, Weight: part.Bytes,
			})
		}
	}
	slices.SortStableFunc(chunks, func(a, b chunk) int { return int(min(max(b.Weight-a.Weight, -1), 1)) })
	return writePlan(ctx, l.target.conn, chunks)
}

// loaded are the columns of the files that the rows bring: all but those that
// the server computes. A column on one side only is refused.
func (t *loadTarget) loaded(files LoadTable) (columns []string, err error) {
	for _, c := range files.Columns {
		switch {
		case !slices.Contains(t.Columns, c):
			err = errors.Join(err, fmt.Errorf("the files have column %q, the schema has not", c))
		case !slices.Contains(t.Generated, c):
			columns = append(columns, c)
		}
	}
	for _, c := range t.Columns {
		if len(files.Parts) > 0 && !slices.Contains(files.Columns, c) && !slices.Contains(t.Generated, c) {
			err = errors.Join(err, fmt.Errorf("the schema has column %q, the files have not", c))
		}
	}
	return columns, err
}

// tasks are all that the ledger does not have, up to the statistics and the
// proof. files are those among them that end as files come to stand.
func (l *loader) tasks(ctx context.Context) (tasks []*loadTask, files map[string]*loadTask, err error) {
	chunks, err := openChunks(ctx, l.target.conn)
	if err != nil {
		return nil, nil, err
	}
	later, made, err := l.laterAndMade(ctx)
	if err != nil {
		return nil, nil, err
	}
	// Each stage of a table waits for all of the stage before.
	stages := map[[2]string][]*loadTask{}
	files = map[string]*loadTask{}
	for _, c := range chunks {
		t := &loadTask{cost: c.Weight, do: func(ctx context.Context, conn *pgx.Conn, _ bool) error { return l.loadPart(ctx, conn, c) }}
		if l.Ready != nil {
			files[c.Filter] = &loadTask{outside: true}
			t.after(files[c.Filter])
			tasks = append(tasks, files[c.Filter])
		}
		at := [2]string{c.Schema, c.Table}
		stages[at], tasks = append(stages[at], t), append(tasks, t)
	}
	weights, rows := l.weights(), len(tasks)
	for at := range l.tables {
		before := stages[at]
		keys := l.laterTasks(later.keys, at, made, weights[at])
		proof := l.proofTask(at, made, weights[at]) // names rows by the primary key
		for _, t := range proof {
			t.after(before...)
			t.after(keys...)
		}
		tasks = append(tasks, proof...)
		for _, list := range [][]*loadTask{keys, l.laterTasks(later.indexes, at, made, weights[at]), l.analyzeTask(at, made)} {
			for _, t := range list {
				t.after(before...)
			}
			tasks, before = append(tasks, list...), append(before, list...)
		}
	}
	for _, t := range tasks[rows:] {
		// What files are waited for leaves time to finish tables, while the server has
		// them in memory, and before its autovacuum gathers the same statistics.
		t.soon = l.Ready != nil
	}
	return tasks, files, nil
}

// proofTask compares a table with its files, unless an earlier call did.
func (l *loader) proofTask(at [2]string, made map[string]bool, cost int64) []*loadTask {
	name := "proved " + Quote(at[:]...)
	if l.proof == nil || made[name] {
		return nil
	}
	return []*loadTask{{cost: cost, do: func(ctx context.Context, conn *pgx.Conn, _ bool) error {
		l.Progress.Note("comparing " + Quote(at[:]...))
		equal, err := l.proof.table(ctx, conn, at)
		if err != nil || !equal {
			return err
		}
		return markDone(ctx, conn, name)
	}}}
}

func (l *loader) weights() map[[2]string]int64 {
	sums := map[[2]string]int64{}
	for _, t := range l.plan.Tables {
		for _, part := range t.Parts {
			sums[[2]string{t.Schema, t.Name}] += part.Bytes
		}
	}
	return sums
}

// laterTasks are those of one table. Only plain indexes may be made side by
// side: the table's OID stands for its lock.
func (l *loader) laterTasks(list []later, at [2]string, made map[string]bool, cost int64) (tasks []*loadTask) {
	lock := []uint32{l.tables[at].lock}
	for _, e := range list {
		if e.table != at || made[e.Key] {
			continue
		}
		t := &loadTask{cost: cost / 4, do: func(ctx context.Context, conn *pgx.Conn, _ bool) error { return l.makeLater(ctx, conn, e) }}
		if e.Type == "INDEX" {
			t.among = lock
		} else {
			t.alone = lock
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func (l *loader) analyzeTask(at [2]string, made map[string]bool) []*loadTask {
	if made["analyze "+Quote(at[:]...)] {
		return nil
	}
	return []*loadTask{{do: func(ctx context.Context, conn *pgx.Conn, _ bool) error { return analyze(ctx, conn, at[0], at[1]) }}}
}

// laterAndMade is what is made behind the rows, and what of it stands.
func (l *loader) laterAndMade(ctx context.Context) (plannedLater, map[string]bool, error) {
	later, err := l.laterOf(ctx)
	if err != nil {
		return later, nil, err
	}
	made, err := doneKeys(ctx, l.target.conn)
	return later, made, err
}

// addForeign adds the foreign keys, for all keys stand.
func (l *loader) addForeign(ctx context.Context) error {
	later, made, err := l.laterAndMade(ctx)
	if err != nil {
		return err
	}
	var tasks []*loadTask
	for at := range l.tables {
		tasks = append(tasks, l.laterTasks(later.foreign, at, made, 1)...)
	}
	return l.runTasks(ctx, tasks, nil)
}

// makeRest makes what is left, one after another: the values of sequences,
// views, comments.
func (l *loader) makeRest(ctx context.Context) error {
	later, made, err := l.laterAndMade(ctx)
	if err != nil {
		return err
	}
	for _, e := range slices.Concat(later.keys, later.indexes, later.foreign) {
		if l.tables[e.table] == nil { // of a table that is none: the server says so
			later.rest = append(later.rest, e)
		}
	}
	for _, e := range later.rest {
		if made[e.Key] {
			continue
		}
		if err := l.makeLater(ctx, l.target.conn, e); err != nil {
			return err
		}
	}
	return nil
}
