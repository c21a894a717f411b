package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// begin finds out whether an earlier call's work can be gone on with, and
// else begins a ledger.
func (c *copier) begin(ctx context.Context) error {
	head, err := openLedger(ctx, c.target.conn, c.Token)
	if err != nil {
		return err
	}
	over := ""
	if head != nil {
		if over, err = c.startsOver(ctx, head); err != nil {
			return err
		}
		if over == "" {
			c.kept = head.Kept
			return noteHeld(ctx, c.target.conn, c.held)
		}
		over = "started over: " + over
		c.Progress.Note(over)
		if err := c.target.clear(ctx, head.Kept); err != nil {
			return fmt.Errorf("start over: %w", err)
		}
	}
	return c.beginLedger(ctx, over)
}

// startsOver says why earlier work cannot be kept, "" if it can.
func (c *copier) startsOver(ctx context.Context, head *ledgerRun) (string, error) {
	if head.Undoing {
		return "the copy was being undone", nil
	}
	if head.Dump != c.dump.Text {
		return fmt.Sprintf("its schema was read by pg_dump %s, and now by %s", head.Dump, c.dump.Text), nil
	}
	if head.Held.same(c.held) {
		c.Progress.Note("going on where the copy was cut off: its snapshot of the source still stands")
		return "", nil
	}
	c.Progress.Note("asking whether the source was written since the copy was cut off")
	same, why, err := c.source.unwrittenSince(ctx, head.Mark)
	if err != nil {
		return "", fmt.Errorf("go on with the copy: %w", err)
	}
	if same {
		c.Progress.Note("going on where the copy was cut off: the source is unwritten since")
		return "", nil
	}
	return "the source was written since the copy was cut off (" + why + ")", nil
}

// beginLedger begins a ledger in an empty target; over is why the copy starts
// over, if it does.
func (c *copier) beginLedger(ctx context.Context, over string) (err error) {
	if c.kept, err = c.target.keptExtensions(ctx); err != nil {
		return err
	}
	if err := c.target.refuseFull(ctx, c.kept); err != nil {
		return err
	}
	head := ledgerRun{Token: c.Token, Mark: c.source.Mark, Dump: c.dump.Text, Kept: c.kept, Held: c.held}
	return pgx.BeginFunc(ctx, c.target.conn, func(tx pgx.Tx) error {
		if err := head.begin(ctx, tx); err != nil || over == "" {
			return err
		}
		return noteWarning(ctx, tx, over)
	})
}
