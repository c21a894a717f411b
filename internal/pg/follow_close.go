package pg

import (
	"context"
	"fmt"
	"slices"
)

// closeWriters makes read-only the default of the follower.
func (f *follower) closeWriters(ctx context.Context) error {
	z, err := f.stream.subscriber.freezer(ctx)
	if err != nil {
		return err
	}
	if f.State.Opens == nil {
		changes, err := z.changes(ctx, FreezeOptions{})
		if err != nil {
			return err
		}
		f.State.Opens = slices.DeleteFunc(changes, FreezeChange.stands)
		if err := f.save(ctx); err != nil {
			return err
		}
	}
	return alterAll(ctx, z, f.State.Opens, func(c FreezeChange) string { return c.New })
}

// alterAll sets each setting to one of its values.
func alterAll(ctx context.Context, z *freezer, changes []FreezeChange, value func(FreezeChange) string) error {
	for _, c := range changes {
		if err := z.alter(ctx, c, value(c)); err != nil {
			return err
		}
	}
	return nil
}

// freezer uses the end's session for the settings of a freeze.
func (e *end) freezer(ctx context.Context) (*freezer, error) {
	f := &freezer{conn: e.conn}
	if err := e.conn.QueryRow(ctx, "select current_database()").Scan(&f.database); err != nil {
		return nil, fmt.Errorf("read name of the database: %w", err)
	}
	return f, nil
}
