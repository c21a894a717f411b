package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// objectPiece is how much of a large object is in memory at once, at most.
const objectPiece = 1 << 20

// moveObjects copies a range of large objects with owner, privileges and
// comment. They keep their OIDs, by which tables refer to them.
func (c *copier) moveObjects(ctx context.Context, l *lane, k chunk, moved func(int64)) (amount, error) {
	objects, err := readObjects(ctx, l.source, k)
	if err != nil {
		return amount{}, fmt.Errorf("read source: %w", err)
	}
	oids := make([]uint32, len(objects))
	for i, o := range objects {
		oids[i] = o.OID
	}
	if _, err := l.target.Exec(ctx, "select pg_catalog.lo_create(o) from unnest($1::oid[]) o", oids); err != nil {
		return amount{}, fmt.Errorf("write target: %w", err)
	}
	w := objectWriter{target: l.target, moved: moved}
	err = l.copyObjects(ctx, oids, &w)
	if err == nil {
		err = w.flush(ctx)
	}
	if err != nil {
		return amount{}, err
	}
	for _, o := range objects {
		for _, sql := range o.describe() {
			if err := soften(ctx, l.target, sql, fmt.Sprintf("large object %d", o.OID)); err != nil {
				return amount{}, fmt.Errorf("write target: %w", err)
			}
		}
	}
	return amount{int64(len(objects)), w.bytes}, nil
}

// copyObjects reads the first piece of every object in one query, and what is
// longer in further ones.
func (l *lane) copyObjects(ctx context.Context, oids []uint32, w *objectWriter) error {
	rows, err := l.source.Query(ctx, "select o, pg_catalog.lo_get(o, 0, $2) from unnest($1::oid[]) o", oids, objectPiece)
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	defer rows.Close()
	var long []uint32
	for rows.Next() {
		var oid uint32
		var data []byte
		if err := rows.Scan(&oid, &data); err != nil {
			return fmt.Errorf("read source: %w", err)
		}
		if len(data) == objectPiece {
			long = append(long, oid)
		}
		if err := w.put(ctx, oid, 0, data); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	for _, oid := range long {
		if err := l.copyRest(ctx, oid, w); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) copyRest(ctx context.Context, oid uint32, w *objectWriter) error {
	for at := int64(objectPiece); ; at += objectPiece {
		var data []byte
		if err := l.source.QueryRow(ctx, "select pg_catalog.lo_get($1, $2, $3)", oid, at, objectPiece).Scan(&data); err != nil {
			return fmt.Errorf("read source: large object %d: %w", oid, err)
		}
		if len(data) == 0 {
			return nil
		}
		if err := w.put(ctx, oid, at, data); err != nil {
			return err
		}
	}
}

// objectWriter gathers pieces, so that many small objects are one round trip.
type objectWriter struct {
	target  *pgx.Conn
	moved   func(int64)
	batch   pgx.Batch
	pending int
	bytes   int64
}

func (w *objectWriter) put(ctx context.Context, oid uint32, at int64, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	w.batch.Queue("select pg_catalog.lo_put($1, $2, $3)", oid, at, data)
	w.pending += len(data)
	if w.pending < objectPiece {
		return nil
	}
	return w.flush(ctx)
}

func (w *objectWriter) flush(ctx context.Context) error {
	if w.pending == 0 {
		return nil
	}
	if err := w.target.SendBatch(ctx, &w.batch).Close(); err != nil {
		return fmt.Errorf("write target: %w", err)
	}
	w.bytes += int64(w.pending)
	w.moved(int64(w.pending))
	w.batch, w.pending = pgx.Batch{}, 0
	return nil
}

// object is a large object without its data.
type object struct {
	OID     uint32
	Owner   string
	ACL     acl
	Comment *string
}

func readObjects(ctx context.Context, source *pgx.Conn, c chunk) ([]object, error) {
	rows, err := source.Query(ctx, `
		select m.oid, pg_get_userbyid(m.lomowner), `+explodeACL("m.lomacl")+`, obj_description(m.oid, 'pg_largeobject')
		from pg_catalog.pg_largeobject_metadata m where m.oid >= $1::int8::oid and m.oid < $2::int8::oid order by 1`, c.First, c.Past)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o object, err error) {
		return o, row.Scan(&o.OID, &o.Owner, &o.ACL, &o.Comment)
	})
}

// describe gives the statements that make owner, privileges and comment.
func (o object) describe() []string {
	on := fmt.Sprintf("large object %d", o.OID)
	sql := []string{"alter " + on + " owner to " + Quote(o.Owner)}
	if o.ACL != nil {
		sql = append(sql, strings.Join(o.ACL.grants(on, o.Owner), "; "))
	}
	if o.Comment != nil {
		sql = append(sql, "comment on "+on+" is "+Literal(*o.Comment))
	}
	return sql
}

// soften runs a statement that decorates what was copied. If the target
// refuses it for lack of privilege, it is left out, and a warning says so.
func soften(ctx context.Context, target *pgx.Conn, sql, what string) error {
	_, err := tolerate(ctx, target, sql, what)
	return err
}

// tolerate is soften for whoever must know whether it was made.
func tolerate(ctx context.Context, target *pgx.Conn, sql, what string) (made bool, err error) {
	if err := run(ctx, target, "savepoint soft"); err != nil {
		return false, err
	}
	err = run(ctx, target, sql)
	if err == nil {
		return true, run(ctx, target, "release soft")
	}
	reason, soft := softError(err)
	if !soft {
		return false, err
	}
	if err := run(ctx, target, "rollback to soft; release soft"); err != nil {
		return false, err
	}
	return false, noteWarning(ctx, target, fmt.Sprintf("left out for %s: %s (%s)", what, shorten(sql), reason))
}
