package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// sequencesPerBatch is how many sequences one round trip reads.
const sequencesPerBatch = 500

// sequenceQuery lists the sequences whose state is the user's.
const sequenceQuery = `
	select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'S' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
		and (exists (select from pg_catalog.pg_extension e where c.oid = any(e.extconfig))
			or not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))
	order by 1, 2`

// sequence is where a sequence stands.
type sequence struct {
	Schema, Name string
	Last         int64
	Called       bool
}

// copySequences sets every sequence of the target to where the source's stands
// now: a sequence moves outside of transactions, so a snapshot does not hold it.
func copySequences(ctx context.Context, from *snapshot, t *target, meant Filter) error {
	source, err := from.connect(ctx)
	if err != nil {
		return fmt.Errorf("copy sequences: %w", err)
	}
	sequences, err := readSequences(ctx, source)
	if err := errors.Join(err, hangUp(ctx, source)); err != nil {
		return fmt.Errorf("copy sequences: read source: %w", err)
	}
	if !meant.All() {
		if sequences, err = existing(ctx, t.conn, sequences); err != nil {
			return fmt.Errorf("copy sequences: read target: %w", err)
		}
	}
	if err := writeSequences(ctx, t.conn, sequences); err != nil {
		return fmt.Errorf("copy sequences: write target: %w", err)
	}
	return nil
}

// writeSequences sets each sequence.
func writeSequences(ctx context.Context, target *pgx.Conn, sequences []sequence) error {
	for part := range slices.Chunk(sequences, sequencesPerBatch) {
		var batch pgx.Batch
		for _, s := range part {
			batch.Queue("select pg_catalog.setval($1::text::regclass, $2, $3)", Quote(s.Schema, s.Name), s.Last, s.Called)
		}
		if err := target.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
	}
	return nil
}

// existing leaves out the sequences that the database does not have: of a part
// of a database those come along that belong to its tables.
func existing(ctx context.Context, conn *pgx.Conn, sequences []sequence) ([]sequence, error) {
	rows, err := conn.Query(ctx, sequenceQuery)
	if err != nil {
		return nil, err
	}
	there := map[[2]string]bool{}
	var name [2]string
	if _, err := pgx.ForEachRow(rows, []any{&name[0], &name[1]}, func() error { there[name] = true; return nil }); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(sequences, func(s sequence) bool { return !there[[2]string{s.Schema, s.Name}] }), nil
}

func readSequences(ctx context.Context, source *pgx.Conn) ([]sequence, error) {
	rows, err := source.Query(ctx, sequenceQuery)
	if err != nil {
		return nil, err
	}
	sequences, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s sequence, err error) {
		return s, row.Scan(&s.Schema, &s.Name)
	})
	if err != nil {
		return nil, err
	}
	for from := 0; from < len(sequences); from += sequencesPerBatch {
		part := sequences[from:min(from+sequencesPerBatch, len(sequences))]
		var batch pgx.Batch
		for i := range part {
			s := &part[i]
			batch.Queue("select last_value, is_called from " + Quote(s.Schema, s.Name)).QueryRow(func(row pgx.Row) error {
				return row.Scan(&s.Last, &s.Called)
			})
		}
		if err := source.SendBatch(ctx, &batch).Close(); err != nil {
			return nil, err
		}
	}
	return sequences, nil
}
