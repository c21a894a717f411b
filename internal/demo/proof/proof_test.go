package proof_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/demo/proof"
	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// twins are two small shops that are the same.
func twins(t *testing.T) (source, target *pgx.Conn) {
	t.Helper()
	srv := testenv.Postgres(t, testenv.Older)
	dsn := testenv.Database(t, srv).Reveal()
	source = connect(t, dsn)
	if err := shop.Load(t.Context(), source, shop.Small(), nil, func(string) {}); err != nil {
		t.Fatal(err)
	}
	place(t, source, uuid.New())
	if err := source.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	twin := name + "_twin"
	admin := connect(t, srv.DSN("postgres", "").Reveal())
	exec(t, admin, "create database "+pgx.Identifier{twin}.Sanitize()+" template "+pgx.Identifier{name}.Sanitize())
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), "drop database "+pgx.Identifier{twin}.Sanitize()+" with (force)"); err != nil {
			t.Error(err)
		}
	})
	source = connect(t, dsn)
	at.Path = "/" + twin
	return source, connect(t, at.String())
}

func place(t *testing.T, conn *pgx.Conn, key uuid.UUID) {
	t.Helper()
	exec(t, conn, "select app.place_order($1, 1002, array[1,2], array[1,3])", key)
}

func TestOrdersMissingAndTwice(t *testing.T) {
	source, _ := twins(t)
	whole, bare, twice, unclear, gone := uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
	for _, key := range []uuid.UUID{whole, bare, twice, unclear} {
		place(t, source, key)
	}
	exec(t, source, "delete from app.order_line where order_id = (select id from app.orders where key = $1)", bare)
	for _, key := range []uuid.UUID{twice, unclear} {
		exec(t, source, "insert into app.orders (key, customer_id, placed_on, total) select key, customer_id, placed_on, total from app.orders where key = $1", key)
	}
	got, err := proof.CheckOrders(t.Context(), source, []uuid.UUID{whole, bare, twice, gone}, []uuid.UUID{unclear, uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	want := proof.Orders{Acknowledged: 4, Missing: 2, Twice: 2}
	if diff := cmp.Diff(want, got); diff != "" || got.Kept() {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}

func TestRowsAndCatalogThatDiffer(t *testing.T) {
	source, target := twins(t)
	compare := func() (rows proof.Rows, counts proof.Rows, catalog proof.Catalog) {
		t.Helper()
		var err error
		if rows, err = proof.CompareRows(t.Context(), source, target); err != nil {
			t.Fatal(err)
		}
		if counts, err = proof.CountRows(t.Context(), source, target); err != nil {
			t.Fatal(err)
		}
		if catalog, err = proof.CompareCatalogs(t.Context(), source, target, "", false); err != nil {
			t.Fatal(err)
		}
		return rows, counts, catalog
	}
	rows, counts, catalog := compare()
	if len(rows.Differ)+len(counts.Differ) > 0 || rows.Rows != counts.Rows || rows.Rows < 2000 || catalog.Facts < 500 {
		t.Fatalf("twins differ: %+v, %+v, %+v", rows, counts, catalog)
	}
	// The template leaves the settings and the comment of the database behind.
	exec(t, target, "do $$ begin execute format('comment on database %I is ''the shop''', current_database()); "+
		"execute format('alter database %I set timezone = ''UTC''', current_database()); "+
		"execute format('alter role shop_owner in database %I set work_mem = ''8MB''', current_database()); end $$")
	if _, _, catalog = compare(); len(catalog.Differ) > 0 {
		t.Fatalf("twins differ: %q", catalog.Differ)
	}

	place(t, target, uuid.New()) // a new order is no difference of rows
	rows, counts, _ = compare()
	if diff := cmp.Diff([]string(nil), rows.Differ); diff != "" || len(counts.Differ) == 0 {
		t.Errorf("after a new order (-want +got):\n%s", diff)
	}
	exec(t, target, "update app.photo set name = 'x' where id = 1")
	exec(t, target, "delete from app.order_line where order_id = 1 and line = 1")
	exec(t, target, "update app.stock set on_hand = on_hand + 1 where product_id = 1")
	exec(t, target, "revoke select on app.party from shop_read")
	rows, _, catalog = compare()
	if diff := cmp.Diff([]string{"app.order_line", "app.photo", "app.stock"}, rows.Differ); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if !strings.Contains(strings.Join(catalog.Differ, "\n"), "target: relation app.party") {
		t.Errorf("catalog %q does not name the table whose rights differ", catalog.Differ)
	}
	other, err := proof.CompareCatalogs(t.Context(), source, target, "\\pset format unaligned\nselect 'roles ' || count(*) from pg_roles;\nselect 'db';\n", false)
	if err != nil || other.Facts != 2 || len(other.Differ) > 0 {
		t.Errorf("another list of facts: %+v, %v; want 2, none different", other, err)
	}
}
