package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// warmSession is one session that reads.
type warmSession struct {
	*warmer
	conn *pgx.Conn
	// borrowedAt is when its transaction with the borrowed function began;
	// zero: there is none.
	borrowedAt time.Time
}

// borrowedFor bounds such a transaction, for it keeps the server from
// cleaning up.
const borrowedFor = 10 * time.Second

// work reads pieces until there are no more. A relation that the server will
// not read is left out, and the rest goes on.
func (w *warmer) work(ctx context.Context, pieces <-chan piece) (err error) {
	conn, err := w.connect(ctx)
	if err != nil {
		return err
	}
	s := &warmSession{warmer: w, conn: conn}
	defer func() { err = errors.Join(err, hangUp(ctx, s.conn)) }()
	for p := range pieces {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if w.meter.isLeftOut(p.relation) {
			continue
		}
		if err = w.meter.pace.wait(ctx, w.paidAhead(p)); err == nil {
			err = s.read(ctx, p)
		}
		var refused *pgconn.PgError
		switch {
		case err == nil:
			w.meter.finish(p)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &refused) && !s.conn.IsClosed():
			w.meter.leaveOut(p.relation, fmt.Sprintf("%s (SQLSTATE %s)", refused.Message, refused.Code))
			err = s.endTransaction(ctx)
		default:
			err = fmt.Errorf("read %s: %w", p.relation.Name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// paidAhead is for how many bytes of a piece the rate is to be kept before it is
// read; one that is read row by row pays as it goes.
func (w *warmer) paidAhead(p piece) (bytes int64) {
	if w.way.whole(p.relation) {
		return 0
	}
	for _, r := range p.ranges {
		bytes += (r.to - r.from) * w.blockSize
	}
	return bytes
}

func (s *warmSession) read(ctx context.Context, p piece) error {
	switch {
	case s.way.whole(p.relation):
		return s.scanWhole(ctx, p)
	case !s.way.blocks():
		return s.scanBlocks(ctx, p)
	}
	if err := s.keepBorrowed(ctx); err != nil {
		return err
	}
	for _, r := range p.ranges {
		mode := "read"
		if s.meter.takeBuffers(r.to - r.from) {
			mode = "buffer"
		}
		if err := s.prewarm(ctx, p.relation, mode, "main", fmt.Sprintf("%d, %d", r.from, r.to-1)); err != nil {
			return err
		}
		s.meter.count(p, (r.to-r.from)*s.blockSize)
	}
	if p.whole.to == p.relation.Blocks && p.relation.Kind != "i" {
		// Index-only scans need the visibility map.
		return s.prewarm(ctx, p.relation, "buffer", "vm", "null, null")
	}
	return nil
}

// prewarm reads a range of a fork, if it exists.
func (s *warmSession) prewarm(ctx context.Context, r *warmRelation, mode, fork, blocks string) error {
	return run(ctx, s.conn, fmt.Sprintf("select %s(%d::oid::regclass, '%s', '%s', %s) where pg_catalog.pg_relation_size(%[2]d::oid::regclass, '%[4]s') > 0",
		s.way.prewarm, r.OID, mode, fork, blocks))
}

// keepBorrowed sees to it that the borrowed function is there.
func (s *warmSession) keepBorrowed(ctx context.Context) error {
	if !s.way.borrowed || !s.borrowedAt.IsZero() && time.Since(s.borrowedAt) < borrowedFor {
		return nil
	}
	if err := s.endTransaction(ctx); err != nil {
		return err
	}
	s.borrowedAt = time.Now()
	return run(ctx, s.conn, borrow)
}

// endTransaction rolls back whatever the session is in.
func (s *warmSession) endTransaction(ctx context.Context) error {
	s.borrowedAt = time.Time{}
	if s.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	return run(ctx, s.conn, "rollback")
}
