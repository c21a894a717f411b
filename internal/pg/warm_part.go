package pg

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// One session alone reads an index, or values in TOAST, at the speed of its
// processor. So what is large is cut into parts, of about 32 MiB each, that
// several sessions read at once.

//go:embed warm_part.sql
var warmPartSQL string

// cutUp finds the parts of what is read by scans: of a B-tree by the histogram
// of its first key, of a table with TOAST by ranges of blocks.
func (w *warmer) cutUp(ctx context.Context) error {
	version := versionOf(w.conn)
	for _, r := range w.Relations {
		parts := (r.Blocks + r.also + pieceBlocks - 1) / pieceBlocks
		switch {
		case !w.way.whole(r) || parts < 2:
		case r.Kind == "i":
			err := w.conn.QueryRow(ctx, warmPartSQL, pgx.QueryExecModeDescribeExec, r.OID, int32(parts)).Scan(&r.parts)
			var refused *pgconn.PgError
			if err != nil && (!errors.As(err, &refused) || w.conn.IsClosed()) {
				return fmt.Errorf("read statistics of %s: %w", r.Name, err)
			}
		case version >= firstTIDRange:
			for b := range cutBlocks(r.Blocks, (r.Blocks+parts-1)/parts) {
				r.parts = append(r.parts, fmt.Sprintf("ctid >= '(%d,0)' and ctid < '(%d,0)'", b.from, b.to))
			}
		}
	}
	return nil
}

// firstTIDRange is the first version that reads a range of blocks alone.
const firstTIDRange = 14_00_00

// cutBlocks yields so many blocks in ranges of a length.
func cutBlocks(blocks, length int64) iter.Seq[blockRange] {
	return func(yield func(blockRange) bool) {
		for from := int64(0); from < blocks; from += length {
			if !yield(blockRange{from, min(from+length, blocks)}) {
				return
			}
		}
	}
}

// cut yields the ranges of blocks in which a relation is read, each with the
// condition for the part that it stands for; "": there is none.
func (y warmWay) cut(r *warmRelation, length int64) iter.Seq2[blockRange, string] {
	return func(yield func(blockRange, string) bool) {
		n := int64(len(r.parts))
		for i, where := range r.parts {
			if !yield(blockRange{r.Blocks * int64(i) / n, r.Blocks * int64(i+1) / n}, where) {
				return
			}
		}
		if n > 0 {
			return
		}
		if y.whole(r) {
			length = r.Blocks
		}
		for b := range cutBlocks(r.Blocks, length) {
			if !yield(b, "") {
				return
			}
		}
	}
}
