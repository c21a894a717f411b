package pg

import (
	"bytes"
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
	copied := func(inBinary bool) error {
		return l.enter(ctx, conn, c, func(freeze bool) (sum amount, err error) {
			sum, whole, err = l.copyPart(ctx, conn, c, inBinary, freeze, m.moved)
			return sum, err
		})
	}
	err := copied(true)
	if errors.Is(err, errNoBinary) {
		err = copied(false)
	}
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
func (l *loader) copyPart(ctx context.Context, conn *pgx.Conn, c chunk, inBinary, freeze bool, moved func(int64)) (sum amount, whole *sums, err error) {
	rows, err := openCSV(filepath.Join(l.plan.Dir, c.Filter), l.plan.Null)
	if err != nil {
		return sum, nil, err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	if err := forgetRejected(l.plan.Dir, c.Filter); err != nil {
		return sum, nil, err
	}
	table := l.tables[[2]string{c.Schema, c.Table}]
	from, options, err := l.copyForm(rows, table, c.Columns, inBinary)
	if err != nil {
		return sum, nil, err
	}
	if l.proof != nil {
		whole = l.proof.wholeSums()
		summer, err := newRowSummer(rows, table, l.plan.table([2]string{c.Schema, c.Table}).Columns, whole)
		if err != nil {
			return sum, nil, err
		}
		from.summed(summer)
	}
	copyIn := func(from io.Reader, options ...string) error {
		if freeze {
			options = append(options, "freeze")
		}
		in := counted{from: from, moved: func(n int64) { sum.bytes += n; moved(n) }}
		sql := "copy " + Quote(c.Schema, c.Table) + parens(c.columnList()) + " from stdin (" + strings.Join(options, ", ") + ")"
		tag, err := conn.PgConn().CopyFrom(ctx, &in, sql)
		sum.rows += tag.RowsAffected()
		return err
	}
	err = copyIn(from, options...)
	if err != nil && from.err != nil && !errors.Is(from.err, io.EOF) {
		err = from.err // which the server only repeats
	}
	if err == nil && len(from.odd) > 0 {
		err = copyIn(bytes.NewReader(from.odd), "format text")
	}
	return sum, whole, err
}

// copyForm chooses how the rows of a file are given to the server: in binary, if that
// is wanted and all types have such a form; or as they stand there; or in COPY's text
// form if there are columns that the server computes, for it takes all columns of a
// file or none.
func (l *loader) copyForm(rows *csvRows, table *loadTarget, columns []string, inBinary bool) (from *rowReader, options []string, err error) {
	order, err := rows.places(columns)
	if err != nil {
		return nil, nil, err
	}
	if inBinary {
		if from = binaryReader(rows, order, table.typesOf(columns)); from != nil {
			return from, []string{"format binary"}, nil
		}
	}
	if slices.Equal(columns, rows.header) {
		return lineReader(rows), []string{"format csv", "null " + Literal(l.plan.Null)}, nil
	}
	return textReader(rows, order), []string{"format text"}, nil
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
