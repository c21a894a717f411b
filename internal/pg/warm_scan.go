package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// scanBlocks reads blocks of a table without TOAST by fetching the first row of
// each.
func (s *warmSession) scanBlocks(ctx context.Context, p piece) error {
	for _, r := range p.ranges {
		err := run(ctx, s.conn, fmt.Sprintf(`select count(*) from only %s where ctid = any (array(
			select ('(' || b || ',1)')::tid from generate_series(%d::int8, %d) b))`, Quote(p.relation.Schema, p.relation.Table), r.from, r.to-1))
		if err != nil {
			return err
		}
		s.meter.count(p, (r.to-r.from)*s.blockSize)
	}
	return nil
}

// scanWhole reads a whole relation by a cursor that is moved on and on: an
// index in its order, a table with its TOAST values.
func (s *warmSession) scanWhole(ctx context.Context, p piece) (err error) {
	set, query := "set local enable_indexscan = off; set local enable_indexonlyscan = off; set local enable_bitmapscan = off",
		// A whole row as a value fetches what is in TOAST.
		"select pg_catalog.pg_column_size(t) from only "+Quote(p.relation.Schema, p.relation.Table)+" t"
	if p.relation.Kind == "i" {
		set = "set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off"
		if query, err = s.indexQuery(ctx, p.relation); err != nil {
			return err
		}
	}
	if err := run(ctx, s.conn, "begin read only; "+set); err != nil {
		return err
	}
	if p.relation.Kind == "i" {
		used, err := s.usesIndex(ctx, query, p.relation.Index)
		if err != nil {
			return err
		}
		if !used {
			s.meter.leaveOut(p.relation, "its order cannot be asked for; as an administrator: create extension pg_prewarm")
			return s.endTransaction(ctx)
		}
	}
	if err := run(ctx, s.conn, "declare warm no scroll cursor for "+query); err != nil {
		return err
	}
	if err := s.move(ctx, p); err != nil {
		return err
	}
	return s.endTransaction(ctx)
}

// unknownRows is how many rows a move takes where their number is unknown.
const unknownRows = 50_000

// move walks the cursor to its end, and counts blocks as if rows were spread
// evenly.
func (s *warmSession) move(ctx context.Context, p piece) error {
	blocks := p.relation.Blocks + p.relation.also
	rows, each := int64(unknownRows), int64(0)
	length := s.pieceLength(s.o.MaxRate)
	if p.relation.Rows > 0 {
		rows = max(1, int64(p.relation.Rows*float64(length)/float64(blocks)))
		each = length
	}
	for left := blocks; ; {
		tag, err := s.conn.Exec(ctx, fmt.Sprintf("move forward %d in warm", rows))
		if err != nil {
			return err
		}
		read := min(each, left)
		last := tag.RowsAffected() < rows
		if last {
			read = left
		}
		left -= read
		s.meter.count(p, read*s.blockSize)
		if err := s.meter.pace.wait(ctx, read*s.blockSize); err != nil || last {
			return err
		}
	}
}

// indexQuery reads a B-tree in its order.
func (s *warmSession) indexQuery(ctx context.Context, r *warmRelation) (string, error) {
	var keys []string
	var where string
	err := s.conn.QueryRow(ctx, `
		select array(
			select pg_catalog.pg_get_indexdef(x.indexrelid, k + 1, true)
				|| case x.indoption[k] & 1 when 1 then ' desc' else '' end
				|| case x.indoption[k] & 2 when 2 then ' nulls first' else ' nulls last' end
			from generate_series(0, array_upper(x.indoption, 1)) k),
			coalesce(pg_catalog.pg_get_expr(x.indpred, x.indrelid), '')
		from pg_catalog.pg_index x where x.indexrelid = $1`, r.OID).Scan(&keys, &where)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("index %s is gone", r.Name)
	}
	if err != nil {
		return "", err
	}
	query := "select from only " + Quote(r.Schema, r.Table)
	if where != "" {
		query += " where " + where
	}
	return query + " order by " + strings.Join(keys, ", "), nil
}

// usesIndex tells whether the planner reads the query from this index.
func (s *warmSession) usesIndex(ctx context.Context, query, index string) (bool, error) {
	var plan []struct {
		Plan struct {
			Index string `json:"Index Name"`
		}
	}
	err := s.conn.QueryRow(ctx, "explain (format json) "+query).Scan(&plan)
	return len(plan) == 1 && plan[0].Plan.Index == index, err
}
