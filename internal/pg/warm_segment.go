package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// warmSegment is a run of blocks of a relation that the source holds in its
// buffers, from included, to not. Gaps inside a segment are read as well: one
// long read is cheaper than many short ones.
type warmSegment struct {
	relation *warmRelation
	from, to int64
	// usage is how often the buffers were used, from 0 to 5 on average.
	usage float64
}

func (g warmSegment) blocks() int64 { return g.to - g.from }

// Segments start at multiples of segmentBlocks (1 MiB). In a very large
// database they are longer, so that there are not more than mostSegments.
const (
	segmentBlocks = 128
	mostSegments  = 1 << 20
)

// readSegments reads the source's buffers by pg_buffercache, if the user may.
// A relation that was rewritten since the twins parted counts as before.
func (s *warmSet) readSegments(ctx context.Context, source *pgx.Conn, o WarmOptions, theirs map[string]*warmRelation) error {
	schema, err := extensionSchema(ctx, source, "pg_buffercache")
	if err != nil {
		return err
	}
	const would = "the blocks are the same as those of %s, and its buffers would say which are hot: "
	if schema == "" {
		s.Warnings = append(s.Warnings, fmt.Sprintf(would+"create extension pg_buffercache there", o.From))
		return nil
	}
	ours := map[uint32]*warmRelation{}
	var blocks int64
	for _, r := range s.Relations {
		blocks += r.Blocks
		if same := theirs[r.Name]; same != nil && same.OID == r.OID && same.Filenode == r.Filenode {
			ours[r.Filenode] = r
		}
	}
	segments, err := readBuffers(ctx, source, schema, max(segmentBlocks, blocks/mostSegments), ours)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == insufficientPrivilege {
		s.Warnings = append(s.Warnings, fmt.Sprintf(would+"grant pg_monitor to the user there", o.From))
		return nil
	}
	if err != nil || len(segments) == 0 {
		return err
	}
	s.Segments = segments
	s.Heat = fmt.Sprintf("the buffers of %s, block by block", o.From)
	return nil
}

// readBuffers sums the buffers of the main forks up to segments, hottest first,
// near ones together among those that are equally hot.
func readBuffers(ctx context.Context, source *pgx.Conn, schema string, length int64, ours map[uint32]*warmRelation) ([]warmSegment, error) {
	rows, err := source.Query(ctx, `
		select b.relfilenode, min(b.relblocknumber), max(b.relblocknumber) + 1, avg(b.usagecount)::float8
		from `+Quote(schema)+`.pg_buffercache b
		where b.reldatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())) and b.relforknumber = 0
		group by b.relfilenode, b.relblocknumber / $1::int8`, length)
	if err != nil {
		return nil, fmt.Errorf("read buffers of source: %w", err)
	}
	var list []warmSegment
	var filenode uint32
	var g warmSegment
	_, err = pgx.ForEachRow(rows, []any{&filenode, &g.from, &g.to, &g.usage}, func() error {
		r := ours[filenode]
		g.to = min(g.to, blocksOf(r))
		if g.relation = r; r != nil && g.from < g.to {
			list = append(list, g)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read buffers of source: %w", err)
	}
	slices.SortFunc(list, func(a, b warmSegment) int {
		return cmp.Or(cmp.Compare(int(b.usage+0.5), int(a.usage+0.5)), cmp.Compare(a.relation.Name, b.relation.Name), cmp.Compare(a.from, b.from))
	})
	return list, nil
}

func blocksOf(r *warmRelation) int64 {
	if r == nil {
		return 0
	}
	return r.Blocks
}

// extensionSchema is where an extension is installed; "" if it is not.
func extensionSchema(ctx context.Context, conn *pgx.Conn, name string) (schema string, err error) {
	err = conn.QueryRow(ctx, `
		select coalesce((select n.nspname::text from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
			where e.extname = $1), '')`, name).Scan(&schema)
	if err != nil {
		return "", fmt.Errorf("look for extension %q: %w", name, err)
	}
	return schema, nil
}
