package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// wholeSums sums a whole relation up at once, in the order of the files' columns.
func (v *loadVerifier) wholeSums() *sums { return v.seeds.hasher(0, nil).newSums(v.Read) }

// readFiles adds the rows of the files up, in PostgreSQL's own text as far as
// evac knows it; of those that were summed up before, the sums. Rows that the server
// did not take are counted only.
func (v *loadVerifier) readFiles(ctx context.Context, p *loadPair, all *sums) (rejected int64, err error) {
	for _, part := range p.files.Parts {
		if s := v.known(part.Path); s != nil {
			all.add(s)
			continue
		}
		n, err := v.readPart(ctx, part, p, all)
		if err != nil {
			return 0, fmt.Errorf("read %q: %w", part.Path, err)
		}
		rejected += n
	}
	return rejected, nil
}

// keep remembers the sums of a file that was loaded whole.
func (v *loadVerifier) keep(path string, s *sums) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.summed[path] = s
}

// known are the sums of a file, nil if it was not summed up; they are wanted once.
func (v *loadVerifier) known(path string) *sums {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.summed[path]
	delete(v.summed, path)
	return s
}

func (v *loadVerifier) readPart(ctx context.Context, part LoadPart, p *loadPair, all *sums) (rejected int64, err error) {
	c, err := v.openPart(part)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	s, err := newRowSummer(c, p.table, p.files.Columns, all)
	if err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		if err := c.next(); errors.Is(err, io.EOF) {
			return int64(len(c.skip)), nil
		} else if err != nil {
			return 0, err
		}
		if err := s.add(); err != nil {
			return 0, err
		}
	}
	return 0, context.Cause(ctx)
}

// rowSummer adds the rows of a file up in PostgreSQL's own text.
type rowSummer struct {
	rows  *csvRows
	order []int
	forms []valueForm
	all   *sums
	text  []byte
}

func newRowSummer(rows *csvRows, table *loadTarget, columns []string, all *sums) (*rowSummer, error) {
	order, err := rows.places(columns)
	if err != nil {
		return nil, err
	}
	s := &rowSummer{rows: rows, order: order, all: all}
	for _, oid := range table.typesOf(columns) {
		s.forms = append(s.forms, valueForms(oid))
	}
	return s, nil
}

// add takes the row that was read last.
func (s *rowSummer) add() error {
	s.text = s.rows.appendOwn(s.text[:0], s.order, s.forms)
	return s.all.take(s.text, false)
}
