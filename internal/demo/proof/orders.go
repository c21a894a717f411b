package proof

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Orders is what became of the orders that customers were promised.
type Orders struct {
	Acknowledged int64 `json:"acknowledged"`
	// Missing are promised orders that are not there whole, with their lines;
	// Twice are orders, promised or unclear, that stand more than once.
	Missing int64 `json:"missing"`
	Twice   int64 `json:"twice"`
}

// Kept tells whether every promise was kept.
func (o Orders) Kept() bool { return o.Missing == 0 && o.Twice == 0 }

// CheckOrders looks for every acknowledged order, and for doubles also of the
// unclear ones.
func CheckOrders(ctx context.Context, conn *pgx.Conn, acknowledged, unclear []uuid.UUID) (Orders, error) {
	o := Orders{Acknowledged: int64(len(acknowledged))}
	const sql = `
		with told as (
			select k.key, count(o.id) as times,
			       count(o.id) filter (where exists (select from app.order_line l where l.order_id = o.id)) as whole
			from unnest($1::uuid[]) as k (key) left join app.orders o on o.key = k.key
			group by k.key
		)
		select count(*) filter (where whole = 0), count(*) filter (where times > 1) from told`
	if err := conn.QueryRow(ctx, sql, acknowledged).Scan(&o.Missing, &o.Twice); err != nil {
		return o, fmt.Errorf("look for the acknowledged orders: %w", err)
	}
	var absent, twice int64
	if err := conn.QueryRow(ctx, sql, unclear).Scan(&absent, &twice); err != nil {
		return o, fmt.Errorf("look for the unclear orders: %w", err)
	}
	o.Twice += twice
	return o, nil
}
