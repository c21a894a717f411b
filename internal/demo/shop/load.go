package shop

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// schema holds the shop in the order of its numbers; schema/with what needs an
// extension or a build option that not every server has.
//
//go:embed schema
var schema embed.FS

// LeastMajor is the oldest major version that can hold the shop.
const LeastMajor = 13

// Size says how many rows the large tables get; order lines are three times
// the orders.
type Size struct {
	Customers, Products, Orders, Visits, Photos int
}

// Full is the size of the demo: more than 1.2 million rows, about 180 MB.
func Full() Size {
	return Size{Customers: 60_000, Products: 5_000, Orders: 220_000, Visits: 60_000, Photos: 800}
}

// fullBytes is about what the rows of size Full take, indexes included, where
// they are many times as many.
const fullBytes = 143 << 20

// Of is the size of a database of about so many bytes: Full, with more or fewer
// rows of everything.
func Of(bytes int64) Size {
	full := Full()
	times := func(n int) int { return max(1, int(float64(n)*float64(bytes)/fullBytes)) }
	return Size{
		Customers: times(full.Customers), Products: times(full.Products), Orders: times(full.Orders),
		Visits: times(full.Visits), Photos: times(full.Photos),
	}
}

// Small is a size for quick tests.
func Small() Size {
	return Size{Customers: 300, Products: 50, Orders: 400, Visits: 40, Photos: 20}
}

// Load fills the empty database that conn is connected to as a superuser. with
// names the options to use, as Options lists them; note is told what goes on.
func Load(ctx context.Context, conn *pgx.Conn, size Size, with []string, note func(string)) error {
	for name, value := range map[string]int{
		"customers": size.Customers, "products": size.Products, "orders": size.Orders, "visits": size.Visits, "photos": size.Photos,
	} {
		if _, err := conn.Exec(ctx, "select set_config('shop.' || $1, $2, false)", name, strconv.Itoa(value)); err != nil {
			return fmt.Errorf("set size of the shop: %w", err)
		}
	}
	files, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return err
	}
	for _, name := range with {
		files = append(files, "schema/with/"+name+".sql")
	}
	for _, file := range files {
		note(strings.TrimSuffix(file[strings.LastIndexByte(file, '/')+1:], ".sql"))
		if err := exec(ctx, conn, file); err != nil {
			return fmt.Errorf("load shop: %s: %w", file, err)
		}
	}
	return analyze(ctx, conn)
}

// exec sends a whole file as one query, so that it is one transaction.
func exec(ctx context.Context, conn *pgx.Conn, file string) error {
	text, err := schema.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(ctx, string(text)).ReadAll()
	return err
}

func analyze(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, "analyze"); err != nil {
		return fmt.Errorf("load shop: analyze: %w", err)
	}
	return nil
}

// Options lists the parts under schema/with that every one of the servers can
// hold: extensions by name, "icu" and "xml", which a server is built with or
// not, and "multirange", which came with version 14.
func Options(ctx context.Context, servers ...*pgx.Conn) ([]string, error) {
	entries, err := fs.ReadDir(schema, "schema/with")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".sql"))
	}
	for _, conn := range servers {
		has, err := abilities(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("ask server what it can hold: %w", err)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(has, name) })
	}
	return names, nil
}

func abilities(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		select name::text from pg_available_extensions
		union all
		select 'multirange' where to_regtype('int4multirange') is not null
		union all
		select 'icu' where exists (select from pg_collation where collname = 'und-x-icu')`)
	if err != nil {
		return nil, err
	}
	has, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "select xmlparse(content '<a/>')")
	var refused *pgconn.PgError
	switch {
	case err == nil:
		has = append(has, "xml")
	case !errors.As(err, &refused) || refused.Code != "0A000": // feature_not_supported
		return nil, err
	}
	return has, nil
}
