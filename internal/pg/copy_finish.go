package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// finished saves what was done, while the ledger still stands.
func (c *copier) finished(ctx context.Context) (CopyState, error) {
	sums, err := readSums(ctx, c.target.conn)
	if err != nil {
		return CopyState{}, err
	}
	head, err := openLedger(ctx, c.target.conn, c.Token)
	if err != nil {
		return CopyState{}, err
	}
	result := CopyResult{
		Rows: sums.Rows, Bytes: sums.Bytes, Tables: sums.Tables, LargeObjects: sums.Objects,
		SourceVersion: versionName(c.sourceVersion), TargetVersion: versionName(c.target.version), Mark: head.Mark,
	}
	state := CopyState{Finished: &result, Kept: c.kept, Logged: &sums.Logged}
	if state.Undo, err = texts(ctx, c.target.conn, "select sql from evac_ledger.undo order by id desc"); err == nil {
		result.Warnings, err = texts(ctx, c.target.conn, "select text from evac_ledger.warning order by id")
	}
	if err != nil {
		return CopyState{}, wrapLedger("read", err)
	}
	result.Warnings = bounded(result.Warnings)
	// A write whose commit waits for the disk takes with it all that went before.
	if _, err := c.target.conn.Exec(ctx, "update evac_ledger.run set undoing = false"); err != nil {
		return CopyState{}, wrapLedger("write", err)
	}
	if err := c.Save(ctx, state); err != nil {
		return CopyState{}, fmt.Errorf("save that the copy is complete: %w", err)
	}
	return state, nil
}

// bounded keeps a list fit for a journal.
func bounded(list []string) []string {
	const most = 50
	if len(list) <= most {
		return list
	}
	return append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
}

// finishCopy drops the ledger of a copy that is complete, if it was cut off
// just before that. A copy whose undo was cut off stands no more, nor does one
// of which a crash has taken something.
func finishCopy(ctx context.Context, o CopyOptions) (stands bool, err error) {
	t, err := openTarget(ctx, o.To, o.Token, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	head, err := openLedger(ctx, t.conn, o.Token)
	switch {
	case err != nil:
		return false, err
	case head == nil:
		return true, nil
	case head.Undoing:
		return false, o.Save(ctx, CopyState{})
	}
	emptied, err := openChunks(ctx, t.conn)
	if err != nil {
		return false, err
	}
	if len(emptied) > 0 { // a crash of the target took what is not logged
		return false, o.Save(ctx, CopyState{})
	}
	if head.Held != nil && o.Snapshot == nil {
		letGoBefore(ctx, o, head.Held)
	}
	return true, t.dropLedger(ctx)
}
