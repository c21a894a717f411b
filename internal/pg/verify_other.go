package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sequencesAtOnce bounds how many sequences one query reads.
const sequencesAtOnce = 200

// verifiedSequences lists the sequences that are meant: those of a table with it.
const verifiedSequences = `
	select format('%%I.%%I', n.nspname, c.relname)
	from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	left join pg_catalog.pg_depend w on w.classid = 'pg_catalog.pg_class'::regclass and w.objid = c.oid and w.objsubid = 0
		and w.refclassid = 'pg_catalog.pg_class'::regclass and w.deptype in ('a', 'i')
	left join pg_catalog.pg_class o on o.oid = w.refobjid
	left join pg_catalog.pg_namespace os on os.oid = o.relnamespace
	where c.relkind = 'S' and c.relpersistence <> 't' and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_' and %s
		and (not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
			or exists (select from pg_catalog.pg_extension e where c.oid = any(e.extconfig)))
	order by 1`

// firstSequenceCatalog is the first version that keeps the parameters of
// sequences in a catalog; before, each sequence holds its own.
const firstSequenceCatalog = 10_00_00

// sequences makes one relation of all sequences, a row for each.
func (r *reading) sequences(ctx context.Context, meant Filter) (*relation, error) {
	if r.roach != nil {
		return r.roachSequences(ctx, meant)
	}
	rows, err := r.conn.Query(ctx, fmt.Sprintf(verifiedSequences, meant.SQL("coalesce(os.nspname, n.nspname)", "coalesce(o.relname, c.relname)")))
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", r.side, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list sequences of %s: %w", r.side, err)
	}
	return sequencesOf(names, func(name string) string {
		if r.version < firstSequenceCatalog {
			return fmt.Sprintf(`select %s::text as name, last_value, is_called, 'bigint' as type, start_value as start, increment_by as increment,
				min_value as least, max_value as most, cache_value as cache, is_cycled as cycles from %s`, Literal(name), name)
		}
		return fmt.Sprintf(`select %s::text as name, s.last_value, s.is_called, p.seqtypid::regtype::text as type, p.seqstart as start, p.seqincrement as increment,
			p.seqmin as least, p.seqmax as most, p.seqcache as cache, p.seqcycle as cycles
			from %s s, pg_catalog.pg_sequence p where p.seqrelid = %[1]s::regclass`, Literal(name), name)
	}, "type", "start", "increment", "least", "most", "cache", "cycles"), nil
}

// sequencesOf makes a relation of sequences that one query each reads.
func sequencesOf(names []string, query func(name string) string, parameters ...string) *relation {
	s := &relation{
		class: ClassSequence, name: "sequences", columns: append([]string{"name", "last_value", "is_called"}, parameters...),
		key: []string{"name"}, rows: int64(len(names)),
	}
	for some := range slices.Chunk(names, sequencesAtOnce) {
		each := make([]string, len(some))
		for i, name := range some {
			each[i] = query(name)
		}
		s.parts = append(s.parts, part{from: "(" + strings.Join(each, " union all ") + ") s"})
	}
	return s
}

// largeObjects makes one relation of all large objects, a row for every 64 KiB.
// Sparse and dense ones of equal content are equal.
func (r *reading) largeObjects(ctx context.Context, meant Filter) (*relation, error) {
	// The size is where the end is; the column that closes must stay.
	from := `(select m.oid, n as piece, lo_get(m.oid, n * 65536::bigint, 65536) as data
		from (select o.oid, lo_lseek64(o.fd, 0, 2) as size, lo_close(o.fd) as closed
			from (select oid, lo_open(oid, 262144) as fd from pg_catalog.pg_largeobject_metadata where ` + fmt.Sprint(meant.Outside()) + ` offset 0) o offset 0) m,
		generate_series(0, greatest(m.size - 1, 0) / 65536) n) l`
	lo := &relation{
		class: ClassLarge, name: "large objects", columns: []string{"oid", "piece", "data"}, key: []string{"oid", "piece"}, parts: []part{{from: from}},
	}
	err := r.conn.QueryRow(ctx, `select count(*) from pg_catalog.pg_largeobject_metadata where $1`, meant.Outside()).Scan(&lo.rows)
	if err != nil {
		return nil, fmt.Errorf("count large objects of %s: %w", r.side, err)
	}
	return lo, nil
}
