package proof

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// Rows is the comparison of all tables, each by its number of rows and the sum
// of a 64-bit hash of every row.
type Rows struct {
	Tables int   `json:"tables"`
	Rows   int64 `json:"rows"` // of the source
	// Differ names the tables that are not the same.
	Differ []string `json:"differ,omitempty"`
}

// digest is one table's rows in short.
type digest struct {
	rows int64
	sum  string
}

// CountRows compares the numbers of rows of all tables, while both databases
// stand still.
func CountRows(ctx context.Context, source, target *pgx.Conn) (Rows, error) {
	return compare(ctx, source, target, func(name string, _ bool) string {
		return "select count(*), '' from only " + name
	})
}

// known is a table's rows as the source can know them: those up to its last
// order, and the stock as it was then.
func known(name string, ofOrders bool, lastOrder int64) string {
	switch {
	case ofOrders:
		return fmt.Sprintf("only %s t where id <= %d", name, lastOrder)
	case name == "app.order_key" || name == "app.order_line":
		return fmt.Sprintf("only %s t where order_id <= %d", name, lastOrder)
	case name == "app.stock":
		return fmt.Sprintf(`(select s.product_id, s.on_hand + coalesce(l.sold, 0) from app.stock s left join
			(select product_id, sum(quantity) as sold from app.order_line where order_id > %d group by 1) l using (product_id)) t`, lastOrder)
	}
	return "only " + name + " t"
}

// CompareRows compares every row of the source with the target, which may have
// taken new orders since.
func CompareRows(ctx context.Context, source, target *pgx.Conn) (Rows, error) {
	var last int64
	if err := source.QueryRow(ctx, "select coalesce(max(order_id), 0) from app.order_key").Scan(&last); err != nil {
		return Rows{}, fmt.Errorf("read the source's last order: %w", err)
	}
	return compare(ctx, source, target, func(name string, ofOrders bool) string {
		return "select count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from " + known(name, ofOrders, last)
	})
}

// compare runs a query for each table on both sides, which gives a digest.
func compare(ctx context.Context, source, target *pgx.Conn, query func(name string, ofOrders bool) string) (Rows, error) {
	var here, there map[string]digest
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { here, err = digests(groupCtx, source, query); return })
	group.Go(func() (err error) { there, err = digests(groupCtx, target, query); return })
	if err := group.Wait(); err != nil {
		return Rows{}, fmt.Errorf("compare rows: %w", err)
	}
	r := Rows{Tables: len(here)}
	for name, d := range here {
		r.Rows += d.rows
		if there[name] != d {
			r.Differ = append(r.Differ, name)
		}
	}
	for name := range there {
		if _, known := here[name]; !known {
			r.Differ = append(r.Differ, name)
		}
	}
	slices.Sort(r.Differ)
	return r, nil
}

// table is a table and whether it is a partition of app.orders.
type table struct {
	Name     string
	OfOrders bool
}

func digests(ctx context.Context, conn *pgx.Conn, query func(name string, ofOrders bool) string) (map[string]digest, error) {
	rows, err := conn.Query(ctx, `
		select format('%I.%I', n.nspname, c.relname), exists (select from pg_inherits where inhrelid = c.oid and inhparent = to_regclass('app.orders'))
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`)
	if err != nil {
		return nil, err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		return nil, err
	}
	found := map[string]digest{}
	for _, t := range tables {
		var d digest
		if err := conn.QueryRow(ctx, query(t.Name, t.OfOrders)).Scan(&d.rows, &d.sum); err != nil {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		found[t.Name] = d
	}
	return found, nil
}
