package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// loadPart loads one file and enters it in the ledger, in one transaction. Rows
// that the server rejects are put aside, see sieve.
func (l *loader) loadPart(ctx context.Context, conn *pgx.Conn, c chunk) error {
	l.Progress.Note(c.Filter)
	m := meter{to: l.Progress, weight: c.Weight}
	var whole *sums
	err := l.enter(ctx, conn, c, func(freeze bool) (sum amount, err error) {
		sum, whole, err = l.copyPart(ctx, conn, c, freeze, m.moved)
		return sum, err
	})
	if err == nil && whole != nil {
		l.proof.keep(c.Filter, whole)
	}
	if rejectsRow(err) {
		err = l.enter(ctx, conn, c, func(bool) (amount, error) { return l.siftPart(ctx, conn, c) })
	}
	if err != nil {
		return fmt.Errorf("load %q: %w", c.Filter, whereOf(err))
	}
	m.done()
	return nil
}

// enter loads a file by copy, together with its line in the ledger.
func (l *loader) enter(ctx context.Context, conn *pgx.Conn, c chunk, copy func(freeze bool) (amount, error)) error {
	return pgx.BeginFunc(ctx, conn, func(pgx.Tx) error {
		freeze, err := c.emptied(ctx, conn)
		if err != nil {
			return err
		}
		sum, err := copy(freeze)
		if err != nil {
			return err
		}
		return chunkDone(ctx, conn, c, sum)
	})
}

// whereOf adds the line and column that a COPY was at.
func whereOf(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Where != "" {
		where, _, _ := strings.Cut(server.Where, ", column ")
		return fmt.Errorf("%w, at %s", err, where)
	}
	return err
}

// copyPart copies a file into its table. If the load is proved, the rows are summed
// up on their way: what is read for the one is there for the other.
func (l *loader) copyPart(ctx context.Context, conn *pgx.Conn, c chunk, freeze bool, moved func(int64)) (sum amount, _ *sums, err error) {
	rows, err := openCSV(filepath.Join(l.plan.Dir, c.Filter), l.plan.Null)
	if err != nil {
		return sum, nil, err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	if err := forgetRejected(l.plan.Dir, c.Filter); err != nil {
		return sum, nil, err
	}
	from, whole, options, err := l.copyForm(rows, c)
	if err != nil {
		return sum, nil, err
	}
	if freeze {
		options = append(options, "freeze")
	}
	in := counted{from: from, moved: func(n int64) { sum.bytes += n; moved(n) }}
	sql := "copy " + Quote(c.Schema, c.Table) + parens(c.columnList()) + " from stdin (" + strings.Join(options, ", ") + ")"
	tag, err := conn.PgConn().CopyFrom(ctx, &in, sql)
	sum.rows = tag.RowsAffected()
	return sum, whole, err
}

// copyForm chooses how the rows of a file are given to the server: as they stand
// there, or in COPY's text form if they have columns that the server computes, for it
// takes all columns of a file or none. whole sums them up as they are read.
func (l *loader) copyForm(rows *csvRows, c chunk) (from io.Reader, whole *sums, options []string, err error) {
	options = []string{"format csv", "null " + Literal(l.plan.Null)}
	reader := lineReader(rows)
	if !slices.Equal(c.Columns, rows.header) {
		order, err := rows.places(c.Columns)
		if err != nil {
			return nil, nil, nil, err
		}
		reader, options = textReader(rows, order), []string{"format text"}
	} else if l.proof == nil {
		_, err := rows.file.Seek(0, io.SeekStart)
		return rows.file, nil, append(options, "header"), err
	}
	if l.proof != nil {
		at := [2]string{c.Schema, c.Table}
		whole = l.proof.wholeSums()
		summer, err := newRowSummer(rows, l.tables[at], l.plan.table(at).Columns, whole)
		if err != nil {
			return nil, nil, nil, err
		}
		reader.summed(summer)
	}
	return reader, whole, options, nil
}

// counted tells how much was read.
type counted struct {
	from  io.Reader
	moved func(int64)
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.moved(int64(n))
	return n, err
}
