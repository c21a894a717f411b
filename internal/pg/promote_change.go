package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// alter sets a server's setting, telling of it first.
func (p *promotion) alter(ctx context.Context, conn *pgx.Conn, c ServerChange) (err error) {
	if c.Old, err = systemSetting(ctx, conn, c); err != nil {
		return err
	}
	if c.Old == c.New {
		c.Old = "" // an earlier call's
	}
	if err := p.Change(ctx, c); err != nil {
		return err
	}
	return alterSystem(ctx, conn, c, c.New)
}

// putBack gives a setting its old value if it is changed.
func (p *promotion) putBack(ctx context.Context, conn *pgx.Conn, c ServerChange) error {
	for _, changed := range p.Changed() {
		if changed.ID() == c.ID() {
			if err := alterSystem(ctx, conn, changed, changed.Old); err != nil {
				return err
			}
			return p.Restore(ctx, changed)
		}
	}
	return nil
}
