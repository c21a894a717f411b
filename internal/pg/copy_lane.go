package pg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

// lane is one worker's pair of sessions: the source as the snapshot sees it,
// and the target.
type lane struct {
	source, target *pgx.Conn
}

// laneBuffer smooths the hand-over between the two sides.
const laneBuffer = 256 << 10

func (l *lane) close(ctx context.Context) error {
	return errors.Join(hangUp(ctx, l.source), hangUp(ctx, l.target))
}

// move copies one chunk and enters it in the ledger, in one transaction of the
// target. moved is told of bytes as they pass.
func (l *lane) move(ctx context.Context, c chunk, moved func(bytes int64)) error {
	if err := l.transact(ctx, c, moved); err != nil {
		return fmt.Errorf("copy %s: %w", c, err)
	}
	return nil
}

func (l *lane) transact(ctx context.Context, c chunk, moved func(bytes int64)) error {
	if err := unlock(ctx, l.source); err != nil {
		return err
	}
	if err := run(ctx, l.target, "begin"); err != nil {
		return fmt.Errorf("write target: %w", err)
	}
	transfer := l.stream
	if c.What == chunkObjects {
		transfer = l.moveObjects
	}
	sum, err := transfer(ctx, c, moved)
	if err != nil {
		return err
	}
	if err := chunkDone(ctx, l.target, c, sum); err != nil {
		return err
	}
	if err := run(ctx, l.target, "commit"); err != nil {
		return fmt.Errorf("commit on target: %w", err)
	}
	return nil
}

// errTargetGone ends the reading side when the writing side has failed.
var errTargetGone = errors.New("the target's side has ended")

// stream pipes a table's chunk from COPY to COPY without a file.
func (l *lane) stream(ctx context.Context, c chunk, moved func(int64)) (amount, error) {
	out, in := io.Pipe()
	var sum amount
	var read int64
	var readErr error
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		buffered := bufio.NewWriterSize(countingWriter{in, &sum.bytes, moved}, laneBuffer)
		tag, err := l.source.PgConn().CopyTo(ctx, buffered, c.readSQL())
		if err == nil {
			err = buffered.Flush()
		}
		read, readErr = tag.RowsAffected(), err
		in.CloseWithError(err) // nil: the end of the data
	}()
	tag, writeErr := l.target.PgConn().CopyFrom(ctx, out, c.writeSQL())
	out.CloseWithError(errTargetGone)
	<-finished
	sum.rows = tag.RowsAffected()
	switch {
	case ctx.Err() != nil:
		return sum, context.Cause(ctx)
	case readErr != nil && !errors.Is(readErr, errTargetGone):
		return sum, fmt.Errorf("read source: %w", readErr)
	case writeErr != nil:
		return sum, fmt.Errorf("write target: %w", writeErr)
	case read != sum.rows:
		return sum, fmt.Errorf("source gave %d rows, target took %d", read, sum.rows)
	}
	return sum, nil
}

// countingWriter counts what passes.
type countingWriter struct {
	to    io.Writer
	bytes *int64
	moved func(int64)
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	*w.bytes += int64(n)
	w.moved(int64(n))
	return n, err
}
