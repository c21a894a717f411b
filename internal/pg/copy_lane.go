package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// lane is one worker's pair of sessions: the source as the snapshot sees it,
// nil once there is nothing left to read, and the target.
type lane struct {
	source, target *pgx.Conn
	// serial tells that the target's session builds an index without helpers.
	serial bool
}

func (c *copier) openLane(ctx context.Context) (*lane, error) {
	target, err := c.target.connectWorker(ctx)
	if err != nil {
		return nil, err
	}
	l := &lane{target: target}
	if c.chunksLeft.Load() == 0 {
		return l, nil
	}
	if l.source, err = c.source.join(ctx); err != nil {
		return nil, errors.Join(err, l.close(ctx))
	}
	return l, nil
}

func (l *lane) close(ctx context.Context) error {
	return errors.Join(hangUp(ctx, l.source), hangUp(ctx, l.target))
}

// firstParallel is the first version that builds an index with helpers.
const firstParallel = 11_00_00

// rest readies the lane for work on the target alone. As soon as all rows are
// there it lets go of the source, which must keep old row versions for as long
// as somebody reads there. Helpers of an index build pay off only while
// nothing else waits for the processors.
func (l *lane) rest(ctx context.Context, c *copier, crowded bool) error {
	if l.source != nil && c.chunksLeft.Load() == 0 {
		source := l.source
		l.source = nil
		if err := hangUp(ctx, source); err != nil {
			return fmt.Errorf("leave source: %w", err)
		}
	}
	if crowded == l.serial || c.target.version < firstParallel {
		return nil
	}
	sql := "reset max_parallel_maintenance_workers"
	if crowded {
		sql = "set max_parallel_maintenance_workers = 0"
	}
	if err := run(ctx, l.target, sql); err != nil {
		return fmt.Errorf("set session of target: %w", err)
	}
	l.serial = crowded
	return nil
}

// moveChunk copies one chunk and enters it in the ledger, in one transaction of
// the target.
func (c *copier) moveChunk(ctx context.Context, l *lane, chunk chunk) error {
	c.Progress.Note(chunk.String())
	m := meter{to: c.Progress, weight: chunk.Weight}
	if err := c.transact(ctx, l, chunk, m.moved); err != nil {
		return fault.Wrap(fault.KindOf(err), fmt.Sprintf("copy %s", chunk), err, brokenHint(err))
	}
	m.done()
	c.chunksLeft.Add(-1)
	return nil
}

func (c *copier) transact(ctx context.Context, l *lane, chunk chunk, moved func(int64)) error {
	if err := unlock(ctx, l.source); err != nil {
		return err
	}
	if err := run(ctx, l.target, "begin"); err != nil {
		return fmt.Errorf("write target: %w", err)
	}
	transfer := c.stream
	switch chunk.What {
	case chunkObjects:
		transfer = c.moveObjects
	case chunkUnlogged:
		transfer = c.streamMuted
	}
	sum, err := transfer(ctx, l, chunk, moved)
	if err != nil {
		return err
	}
	if err := chunkDone(ctx, l.target, chunk, sum); err != nil {
		return err
	}
	if err := run(ctx, l.target, "commit"); err != nil {
		return fmt.Errorf("commit on target: %w", err)
	}
	return nil
}

// stream pipes a table's chunk from COPY to COPY.
func (c *copier) stream(ctx context.Context, l *lane, chunk chunk, moved func(int64)) (amount, error) {
	freeze, err := chunk.emptied(ctx, l.target)
	if err != nil {
		return amount{}, fmt.Errorf("write target: %w", err)
	}
	r := relay{source: l.source, target: l.target, passed: func(ctx context.Context, bytes int) error {
		moved(int64(bytes))
		return c.pace.wait(ctx, int64(bytes))
	}}
	return r.run(ctx, chunk.readSQL(), chunk.writeSQL(freeze))
}

// emptied empties the table of a whole chunk. It is empty already; but rows
// that come into a table which this same transaction has emptied can be frozen
// at once, which spares the server to look at and mark them all again later.
func (k chunk) emptied(ctx context.Context, target *pgx.Conn) (bool, error) {
	if !k.Fresh {
		return false, nil
	}
	var may bool
	if err := target.QueryRow(ctx, "select has_table_privilege(current_user, $1::text, 'TRUNCATE')", Quote(k.Schema, k.Table)).Scan(&may); err != nil || !may {
		return false, err
	}
	return true, run(ctx, target, "truncate only "+Quote(k.Schema, k.Table))
}
