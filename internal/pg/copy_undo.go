package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// UndoCopy empties the target again: it drops what the copy made, also a copy
// that was cut off halfway or is being undone already, and puts back what
// stood around it. Of a copy that never began it changes nothing. Of o it needs
// To, Token, Progress, State, Save and Tuning, and From to let go of a snapshot.
func UndoCopy(ctx context.Context, o CopyOptions) (err error) {
	t, err := openTarget(ctx, o.To, o.Token, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	if err := untune(ctx, t.conn, &o.Tuning); err != nil {
		return err
	}
	head, err := readLedger(ctx, t.conn)
	if err != nil {
		return err
	}
	if head == nil && o.State.Finished != nil {
		if err := refuseWritten(ctx, t.conn, o); err != nil {
			return err
		}
		head = &ledgerRun{Token: o.Token, Kept: o.State.Kept, Undoing: true}
		if err := t.reopenLedger(ctx, *head, o.State.Undo); err != nil {
			return err
		}
	}
	if head == nil || head.Token != o.Token {
		return nil // it never began, or is undone: what stands there is not ours
	}
	// From here on the ledger knows, and the copy is complete no more.
	if o.State.Finished != nil {
		if err := o.Save(ctx, CopyState{}); err != nil {
			return fmt.Errorf("save that the copy is being undone: %w", err)
		}
	}
	if head.Held != nil {
		letGoBefore(ctx, o, head.Held)
	}
	o.Progress.Note("dropping what the copy made")
	return t.clear(ctx, head.Kept)
}

// letGoBefore ends the holder of a copy that was cut off. A source that cannot
// be reached does not keep the target from being emptied: the holder ends by
// itself when nobody wants its snapshot.
func letGoBefore(ctx context.Context, o CopyOptions, held *HeldSnapshot) {
	source, err := Connect(ctx, o.From, ConnOptions{Application: applicationName, Side: Source})
	if err == nil {
		err = errors.Join(letGo(ctx, source, held), hangUp(ctx, source))
	}
	if err != nil {
		o.Progress.Note("the snapshot of the source stays held for an hour at most: " + err.Error())
	}
}

// reopenLedger begins a ledger for the undo of a complete copy.
func (t *target) reopenLedger(ctx context.Context, head ledgerRun, undo []string) error {
	return pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		// Event triggers that came with the copy must not see its end, nor may
		// default privileges give roles that are to be dropped a right on the ledger.
		things, err := inventory(ctx, t.conn, head.Kept)
		if err != nil {
			return err
		}
		for _, thing := range things {
			if !thing.meddles {
				continue
			}
			if err := run(ctx, t.conn, thing.Drop); err != nil {
				return fmt.Errorf("drop %s on target: %w", thing, err)
			}
		}
		if err := head.begin(ctx, tx); err != nil {
			return err
		}
		undo = slices.Clone(undo)
		slices.Reverse(undo) // the ledger keeps them in the order in which things were done
		return noteUndo(ctx, tx, undo...)
	})
}

// dropsPerBatch bounds the locks of one transaction.
const dropsPerBatch = 100

// clear drops everything but the kept extensions, puts back what stood around
// the database, and drops the ledger last. It can be cut off anywhere and
// called again.
func (t *target) clear(ctx context.Context, kept []string) error {
	if _, err := t.conn.Exec(ctx, "update evac_ledger.run set undoing = true"); err != nil {
		return wrapLedger("write", err)
	}
	if err := t.dropObjects(ctx); err != nil {
		return err
	}
	things, err := inventory(ctx, t.conn, kept)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(things, dropsPerBatch) {
		if err := t.dropThings(ctx, batch); err != nil {
			return err
		}
	}
	return t.putBack(ctx)
}

func (t *target) dropThings(ctx context.Context, things []thing) error {
	return pgx.BeginFunc(ctx, t.conn, func(pgx.Tx) error {
		for _, thing := range things {
			if err := run(ctx, t.conn, thing.Drop); err != nil {
				return fmt.Errorf("drop %s on target: %w", thing, err)
			}
		}
		return nil
	})
}

// dropObjects drops all large objects, a batch a transaction.
func (t *target) dropObjects(ctx context.Context) error {
	for {
		tag, err := t.conn.Exec(ctx, `
			select pg_catalog.lo_unlink(oid) from (select oid from pg_catalog.pg_largeobject_metadata limit $1) l`, objectsPerChunk)
		if err != nil {
			return fmt.Errorf("drop large objects on target: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
	}
}

// putBack runs the undo statements, latest first, each in one transaction with
// its line; the last of them goes with the ledger itself.
func (t *target) putBack(ctx context.Context) error {
	rows, err := t.conn.Query(ctx, "select id, sql from evac_ledger.undo order by id desc")
	if err != nil {
		return wrapLedger("read", err)
	}
	type undo struct {
		ID  int
		SQL string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[undo])
	if err != nil {
		return wrapLedger("read", err)
	}
	for _, u := range list {
		err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
			if err := run(ctx, t.conn, u.SQL); err != nil {
				return fmt.Errorf("put back on target: %s: %w", shorten(u.SQL), err)
			}
			_, err := tx.Exec(ctx, "delete from evac_ledger.undo where id = $1", u.ID)
			return wrapLedger("write", err)
		})
		if err != nil {
			return err
		}
	}
	if err := run(ctx, t.conn, "drop schema "+ledgerSchema+" cascade"); err != nil {
		return wrapLedger("drop", err)
	}
	return nil
}

// dropLedger ends a complete copy: in one transaction the ledger goes and what
// waited for the end is done.
func (t *target) dropLedger(ctx context.Context) error {
	return pgx.BeginFunc(ctx, t.conn, func(pgx.Tx) error {
		last, err := texts(ctx, t.conn, "select sql from evac_ledger.last order by id")
		if err == nil {
			err = run(ctx, t.conn, "drop schema "+ledgerSchema+" cascade")
		}
		if err != nil {
			return wrapLedger("drop", err)
		}
		for _, sql := range last {
			if err := run(ctx, t.conn, sql); err != nil {
				return fmt.Errorf("finish on target: %s: %w", shorten(sql), err)
			}
		}
		return nil
	})
}
