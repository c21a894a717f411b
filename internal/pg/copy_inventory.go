package pg

import (
	"context"
	_ "embed" // the query
	"fmt"

	"github.com/jackc/pgx/v5"
)

// thing is one object in a database that initdb did not put there.
type thing struct {
	// What is its type, Name its name: table, public.orders.
	What, Name string
	// Drop is the statement that drops it with all that hangs on it.
	Drop string
	// meddles tells that it acts on other objects when they come and go.
	meddles bool
}

func (t thing) String() string { return fmt.Sprintf("%s %q", t.What, t.Name) }

//go:embed copy_inventory.sql
var inventoryQuery string

// inventory lists what is in the database, in the order in which it can be
// dropped; the extensions in kept and the ledger are left out. Large objects
// are one thing together.
func inventory(ctx context.Context, conn *pgx.Conn, kept []string) ([]thing, error) {
	rows, err := conn.Query(ctx, fit(conn, inventoryQuery), kept)
	if err != nil {
		return nil, fmt.Errorf("list objects of target: %w", err)
	}
	things, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t thing, err error) {
		return t, row.Scan(&t.meddles, &t.What, &t.Name, &t.Drop)
	})
	if err != nil {
		return nil, fmt.Errorf("list objects of target: %w", err)
	}
	var objects int
	if err := conn.QueryRow(ctx, "select count(*) from pg_catalog.pg_largeobject_metadata").Scan(&objects); err != nil {
		return nil, fmt.Errorf("count large objects of target: %w", err)
	}
	if objects > 0 {
		things = append(things, thing{What: "large objects", Name: fmt.Sprint(objects)})
	}
	return things, nil
}
