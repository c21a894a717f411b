package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// planned is the key of the ledger's entry that the chunks stand.
const planned = "chunks planned"

// writePlan enters the chunks, once: their borders must not move while some of
// them are done.
func writePlan(ctx context.Context, conn *pgx.Conn, chunks []chunk) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{ledgerSchema, "chunk"},
			[]string{"id", "what", "schema_name", "table_name", "columns", "source", "first", "past", "is_binary", "fresh", "weight"},
			pgx.CopyFromSlice(len(chunks), func(i int) ([]any, error) {
				c := chunks[i]
				return []any{i, c.What, c.Schema, c.Table, c.Columns, c.Filter, c.First, c.Past, c.Binary, c.Fresh, c.Weight}, nil
			}))
		if err != nil {
			return wrapLedger("write", err)
		}
		return markDone(ctx, tx, planned)
	})
}

// A chunk of unlogged rows counts as done only while its line in an unlogged
// table lives: a crash of the target empties both.
const chunkIsDone = "(c.rows is not null and (c.what <> 'unlogged' or exists (select from evac_ledger.unlogged u where u.id = c.id)))"

// openChunks lists the chunks that are not done, in the order of the plan.
func openChunks(ctx context.Context, conn *pgx.Conn) ([]chunk, error) {
	rows, err := conn.Query(ctx, `
		select id, what, schema_name, table_name, columns, source, first, past, is_binary, fresh, weight
		from evac_ledger.chunk c where not `+chunkIsDone+` order by id`)
	if err != nil {
		return nil, wrapLedger("read", err)
	}
	chunks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c chunk, err error) {
		return c, row.Scan(&c.ID, &c.What, &c.Schema, &c.Table, &c.Columns, &c.Filter, &c.First, &c.Past, &c.Binary, &c.Fresh, &c.Weight)
	})
	return chunks, wrapLedger("read", err)
}

// chunkDone enters what became of a chunk, in the transaction that wrote it.
func chunkDone(ctx context.Context, conn *pgx.Conn, c chunk, moved amount) error {
	tag, err := conn.Exec(ctx, "update evac_ledger.chunk set rows = $2, bytes = $3 where id = $1", c.ID, moved.rows, moved.bytes)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("chunk %d is not in it", c.ID)
	}
	if err == nil && c.What == chunkUnlogged {
		_, err = conn.Exec(ctx, "insert into evac_ledger.unlogged (id) values ($1)", c.ID)
	}
	return wrapLedger("write", err)
}

// amount is how much was moved.
type amount struct{ rows, bytes int64 }

// ledgerSums is what the ledger says was moved in all.
type ledgerSums struct {
	Tables, Objects       int64
	Rows, Logged, Bytes   int64
	DoneWeight, AllWeight int64
}

func readSums(ctx context.Context, conn *pgx.Conn) (s ledgerSums, err error) {
	err = conn.QueryRow(ctx, `
		select count(distinct (schema_name, table_name)) filter (where what <> 'large objects'),
			coalesce(sum(rows) filter (where what = 'large objects'), 0),
			coalesce(sum(rows) filter (where what <> 'large objects'), 0), coalesce(sum(rows) filter (where what = 'table'), 0), coalesce(sum(bytes), 0),
			coalesce(sum(weight) filter (where `+chunkIsDone+`), 0), coalesce(sum(weight), 0)
		from evac_ledger.chunk c`).Scan(&s.Tables, &s.Objects, &s.Rows, &s.Logged, &s.Bytes, &s.DoneWeight, &s.AllWeight)
	return s, wrapLedger("read", err)
}
