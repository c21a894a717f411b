package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// scanWhole reads a relation, or a part of it, by a cursor that is moved on and
// on: an index in its order, a table with its TOAST values. Of an index that
// are its leaves, more than 99 % of the pages of a large one.
func (s *warmSession) scanWhole(ctx context.Context, p piece) (err error) {
	// A whole row as a value fetches what is in TOAST.
	query := "select pg_catalog.pg_column_size(t) from only " + Quote(p.relation.Schema, p.relation.Table) + " t"
	not := []string{"indexscan", "indexonlyscan", "bitmapscan"}
	switch {
	case p.relation.Kind == "i":
		not = []string{"seqscan", "bitmapscan", "sort"}
		if query, err = s.indexQuery(ctx, p); err != nil {
			return err
		}
	case p.where != "":
		query += " where " + p.where
		not = append(not, "seqscan")
	}
	if err := run(ctx, s.conn, "begin read only; set local enable_"+strings.Join(not, " = off; set local enable_")+" = off"); err != nil {
		return err
	}
	if used, err := s.usesIndex(ctx, query); err != nil || used != p.relation.Index {
		s.meter.leaveOut(p.relation, "it cannot be read in its order; as an administrator: create extension pg_prewarm")
		return errors.Join(err, s.endTransaction(ctx))
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

// move walks the cursor to its end, and counts bytes as if rows were spread
// evenly.
func (s *warmSession) move(ctx context.Context, p piece) error {
	rows, each := int64(unknownRows), int64(0)
	if all := s.size(p.relation, p.relation.Blocks); p.relation.Rows > 0 {
		each = s.pieceLength(s.o.MaxRate) * s.blockSize
		rows = max(1, int64(p.relation.Rows*float64(each)/float64(all)))
	}
	for left := s.size(p.relation, p.whole.to) - s.size(p.relation, p.whole.from); ; {
		read := min(each, left)
		if err := s.meter.pace.wait(ctx, read); err != nil {
			return err
		}
		tag, err := s.conn.Exec(ctx, fmt.Sprintf("move forward %d in warm", rows))
		if err != nil {
			return err
		}
		left -= read
		if tag.RowsAffected() < rows {
			s.meter.count(p, read+left)
			return s.meter.pace.wait(ctx, left)
		}
		s.meter.count(p, read)
	}
}

// indexQuery reads a B-tree in its order: that of its operator classes and
// collations, ascending by their strategy 1 and descending by 5.
func (s *warmSession) indexQuery(ctx context.Context, p piece) (string, error) {
	r := p.relation
	var keys []string
	var where string
	err := s.conn.QueryRow(ctx, `
		select array(
			select format('(%s)%s using operator(%I.%s) nulls %s', pg_catalog.pg_get_indexdef(x.indexrelid, k + 1, true),
				case when l.oid is not null then format(' collate %I.%I', ln.nspname, l.collname) end,
				n.nspname, o.oprname, case x.indoption[k] & 2 when 2 then 'first' else 'last' end)
			from generate_series(0, array_upper(x.indoption, 1)) k
			join pg_catalog.pg_opclass c on c.oid = x.indclass[k]
			join pg_catalog.pg_amop m on m.amopfamily = c.opcfamily and m.amoplefttype = c.opcintype and m.amoprighttype = c.opcintype
				and m.amopstrategy = case x.indoption[k] & 1 when 1 then 5 else 1 end
			join pg_catalog.pg_operator o on o.oid = m.amopopr join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
			left join pg_catalog.pg_collation l on l.oid = x.indcollation[k] left join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace
			order by k),
			coalesce(pg_catalog.pg_get_expr(x.indpred, x.indrelid), '')
		from pg_catalog.pg_index x where x.indexrelid = $1`, r.OID).Scan(&keys, &where)
	if err != nil {
		return "", err
	}
	query := "select from only " + Quote(r.Schema, r.Table) + " where true"
	for _, condition := range []string{where, p.where} {
		if condition != "" {
			query += " and (" + condition + ")"
		}
	}
	return query + " order by " + strings.Join(keys, ", "), nil
}

// usesIndex names the index that the planner reads the query from; "" if none.
func (s *warmSession) usesIndex(ctx context.Context, query string) (string, error) {
	var plan []struct {
		Plan struct {
			Index string `json:"Index Name"`
		}
	}
	err := s.conn.QueryRow(ctx, "explain (format json) "+query).Scan(&plan)
	if err != nil || len(plan) != 1 {
		return "", err
	}
	return plan[0].Plan.Index, nil
}
