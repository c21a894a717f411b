package pg

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// closeWriters makes read-only the default of the target, and ends the sessions
// from before, but for evac's own: they could still write.
func (f *follower) closeWriters(ctx context.Context, own ...uint32) error {
	z, err := f.stream.subscriber.freezer(ctx)
	if err != nil {
		return err
	}
	spared := map[int]bool{}
	o := FreezeOptions{
		ClosedAt: f.State.ClosedAt, Own: own,
		Change: func(ctx context.Context, c FreezeChange) error {
			if slices.ContainsFunc(f.State.Opens, func(o FreezeChange) bool { return o.ID() == c.ID() }) {
				return nil
			}
			f.State.Opens = append(f.State.Opens, c)
			return f.save(ctx)
		},
		Closed: func(ctx context.Context, at time.Time) error {
			f.State.ClosedAt = at
			return f.save(ctx)
		},
		Spared: func(s Session) {
			if !spared[s.PID] {
				f.Progress.Note("the target is closed to writers, but not for a session from before that the user may not end: " + s.String())
			}
			spared[s.PID] = true
		},
	}
	changed, err := z.setReadOnly(ctx, o)
	if err != nil {
		return err
	}
	if changed {
		o.ClosedAt = time.Time{}
	}
	_, err = z.endSessions(ctx, o.ClosedAt, o)
	return err
}

// openWriters puts the target's settings back. Roles that came with the copy are
// gone with theirs.
func (f *follower) openWriters(ctx context.Context) error {
	z, err := f.stream.subscriber.freezer(ctx)
	if err != nil {
		return err
	}
	roles, err := texts(ctx, z.conn, "select rolname::text from pg_catalog.pg_roles")
	if err != nil {
		return fmt.Errorf("read roles of target: %w", err)
	}
	opens := slices.DeleteFunc(slices.Clone(f.State.Opens), func(c FreezeChange) bool { return c.Role != "" && !slices.Contains(roles, c.Role) })
	if err := alterAll(ctx, z, opens, func(c FreezeChange) string { return c.Old }); err != nil {
		return err
	}
	f.State.Opens, f.State.ClosedAt = nil, time.Time{}
	return nil
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
