package sst

import (
	"context"

	"github.com/evac-io/evac/internal/crdb/engine"
)

// Check reads every block that entries come from and returns all damage of the
// table, that of Open included. The error is the context's.
func (t *Table) Check(ctx context.Context) ([]engine.Damage, error) {
	all := t.damage[:len(t.damage):len(t.damage)]
	b := &blocks{t: t}
	defer b.close()
	for i := range t.pieces {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		p := &t.pieces[i]
		if p.gap != "" {
			continue // named by Open
		}
		if _, err := b.read(p.handle, p.end()+readBehind); err != nil {
			all = append(all, t.lost(i, err.Error()))
		}
	}
	for _, h := range t.values {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		if _, err := b.read(h, h.end()+readBehind); err != nil {
			all = append(all, t.damaged(h, t.limits, "value block: "+err.Error()))
		}
	}
	return all, nil
}
