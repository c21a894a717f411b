package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// orderedSQL reads a relation in the order of compareKeys, whatever collations
// and encodings the servers have: by the bytes that the client gets. Without a
// key the text of the whole row comes first and is the key.
func (r *relation) orderedSQL(columns []string, keys int) string {
	each := make([]string, len(r.parts))
	for i, part := range r.parts {
		each[i] = r.selects(columns, part)
	}
	all := "(" + strings.Join(each, " union all ") + ") r"
	if keys == 0 {
		whole := r.wholeText(columns)
		return "select " + whole + ", r.* from " + all + " order by " + r.bytesOf(whole)
	}
	by := make([]string, keys)
	for i, c := range columns[:keys] {
		by[i] = r.bytesOf("r." + Quote(c))
	}
	return "select r.* from " + all + " order by " + strings.Join(by, ", ")
}

// wholeText is one text of all columns.
func (r *relation) wholeText(columns []string) string {
	each := make([]string, len(columns))
	for i, c := range columns {
		each[i] = "r." + Quote(c)
		if r.portable {
			each[i] = "coalesce(" + each[i] + "::text, chr(30))"
		}
	}
	if r.portable {
		return "concat_ws(chr(31), " + strings.Join(each, ", ") + ")"
	}
	return "concat(row(" + strings.Join(each, ", ") + "))"
}

// bytesOf are the bytes that the client gets of a value.
func (r *relation) bytesOf(value string) string {
	if r.portable {
		return "convert_to(coalesce(" + value + "::text, ''), 'UTF8')"
	}
	return "textsend(concat(" + value + "))"
}

// batchBytes is how much of a stream is handed over at once.
const batchBytes = 64 << 10

// stream hands the rows of a running COPY over in batches.
type stream struct {
	ctx     context.Context
	batches chan [][]byte
	batch   [][]byte
	size    int
	at      int
	whole
}

// stream begins to read a query's rows; its errors come out of the group.
func (r *reading) stream(ctx context.Context, group *errgroup.Group, conn *pgx.Conn, sql string) *stream {
	s := &stream{ctx: ctx, batches: make(chan [][]byte, 2)}
	w := &stream{ctx: ctx, batches: s.batches}
	group.Go(func() error {
		defer close(w.batches)
		err := r.rows(ctx, conn, sql, w)
		if err == nil {
			err = w.hand()
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", r.side, err)
		}
		return nil
	})
	return s
}

// take is a taker.
func (s *stream) take(piece []byte, more bool) error {
	row, ok := s.join(piece, more)
	if !ok {
		return nil
	}
	s.batch, s.size = append(s.batch, append(make([]byte, 0, len(row)), row...)), s.size+len(row)+rowOverhead
	if s.size >= batchBytes {
		return s.hand()
	}
	return nil
}

func (s *stream) hand() error {
	select {
	case s.batches <- s.batch:
		s.batch, s.size = nil, 0
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// next is a rowsOf.
func (s *stream) next() ([]byte, bool, error) {
	for s.at == len(s.batch) {
		batch, more := <-s.batches
		if !more {
			return nil, false, s.ctx.Err()
		}
		s.batch, s.at = batch, 0
	}
	s.at++
	return s.batch[s.at-1], true, nil
}
