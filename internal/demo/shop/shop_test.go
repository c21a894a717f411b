package shop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func connect(t *testing.T, dsn secret.DSN) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// loaded makes a small shop with all that srv can hold.
func loaded(t *testing.T, srv *servers.Postgres) (secret.DSN, *pgx.Conn) {
	t.Helper()
	dsn := testenv.Database(t, srv)
	conn := connect(t, dsn)
	with, err := shop.Options(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s with %v", srv.Install, with)
	if err := shop.Load(t.Context(), conn, shop.Small(), with, func(string) {}); err != nil {
		t.Fatal(err)
	}
	return dsn, conn
}

func number(t *testing.T, conn *pgx.Conn, sql string, args ...any) (n int64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLoadHoldsEveryKindOfObject(t *testing.T) {
	for name, which := range map[string]testenv.Which{"older": testenv.Older, "newer": testenv.Newer} {
		t.Run(name, func(t *testing.T) {
			_, conn := loaded(t, testenv.Postgres(t, which))
			for what, sql := range map[string]string{
				"partitions":         "select count(*) from pg_inherits i join pg_class c on c.oid = inhrelid and relkind = 'r'",
				"unlogged tables":    "select count(*) from pg_class where relpersistence = 'u' and relkind = 'r'",
				"foreign tables":     "select count(*) from pg_foreign_table",
				"event triggers":     "select count(*) from pg_event_trigger",
				"disabled triggers":  "select count(*) from pg_trigger where tgenabled = 'D'",
				"policies":           "select count(*) from pg_policy",
				"publications":       "select count(*) from pg_publication_rel",
				"statistics":         "select count(*) from pg_statistic_ext",
				"default privileges": "select count(*) from pg_default_acl",
				"large objects":      "select count(distinct loid) from pg_largeobject",
				"exclusions":         "select count(*) from pg_constraint where contype = 'x'",
				"not valid":          "select count(*) from pg_constraint where not convalidated",
				"empty matviews":     "select count(*) from pg_class where relkind = 'm' and not relispopulated",
				"cluster marks":      "select count(*) from pg_index where indisclustered",
				"database settings":  "select count(*) from pg_db_role_setting s join pg_database d on d.oid = setdatabase where datname = current_database()",
				"database comment":   "select count(*) from pg_shdescription join pg_database d on d.oid = objoid where datname = current_database()",
				"unlogged rows":      "select count(*) from app.session",
				"rows of no columns": "select count(*) from app.nothing",
			} {
				if number(t, conn, sql) == 0 {
					t.Errorf("the shop has no %s", what)
				}
			}
		})
	}
}

func TestAppTakesAnOrderOnce(t *testing.T) {
	dsn, conn := loaded(t, testenv.Postgres(t, testenv.Older))
	app, err := shop.NewApp("old", dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	key := uuid.New()
	order := shop.Order{Key: key, Customer: 1002, Lines: []shop.Line{{Product: 2, Quantity: 3}, {Product: 1, Quantity: 1}, {Product: 2, Quantity: 1}}}

	var first, again, back shop.Placed
	call(t, app, http.MethodPost, "/orders", order, http.StatusCreated, &first)
	call(t, app, http.MethodPost, "/orders", order, http.StatusCreated, &again)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same order sent again (-first +again):\n%s", diff)
	}
	call(t, app, http.MethodGet, "/orders/"+key.String(), nil, http.StatusOK, &back)
	if back.Number != first.Number || back.Lines != 3 {
		t.Errorf("read back %+v, want number %d with 3 lines", back, first.Number)
	}
	if n := number(t, conn, "select count(*) from app.orders where key = $1", key); n != 1 {
		t.Errorf("%d orders stand, want 1", n)
	}
	if n := number(t, conn, "select 1000000 - on_hand from app.stock where product_id = 2"); n != 4 {
		t.Errorf("stock went down by %d, want 4", n)
	}
	var p shop.Product
	call(t, app, http.MethodGet, "/products/2", nil, http.StatusOK, &p)
	if p.OnHand != 1000000-4 {
		t.Errorf("product shows %+v, want 4 fewer on hand", p)
	}
}

func TestAppWhileTheDatabaseIsFrozen(t *testing.T) {
	dsn, conn := loaded(t, testenv.Postgres(t, testenv.Older))
	app, err := shop.NewApp("old", dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	call(t, app, http.MethodGet, "/healthz?write=1", nil, http.StatusOK, nil)
	order := shop.Order{Key: uuid.New(), Customer: 1002, Lines: []shop.Line{{Product: 2, Quantity: 3}}}

	exec(t, conn, `do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`)
	exec(t, conn, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	call(t, app, http.MethodGet, "/products/2", nil, http.StatusOK, nil)
	call(t, app, http.MethodPost, "/orders", order, http.StatusServiceUnavailable, nil)
	call(t, app, http.MethodGet, "/healthz", nil, http.StatusOK, nil)
	call(t, app, http.MethodGet, "/healthz?write=1", nil, http.StatusServiceUnavailable, nil)
	call(t, app, http.MethodGet, "/orders/"+order.Key.String(), nil, http.StatusNotFound, nil)
}

func TestAppBeforeItsDatabaseIsThere(t *testing.T) {
	dsn := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	app, err := shop.NewApp("new", dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	call(t, app, http.MethodGet, "/healthz", nil, http.StatusServiceUnavailable, nil)
	call(t, app, http.MethodGet, "/products/1", nil, http.StatusServiceUnavailable, nil)
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func call(t *testing.T, app http.Handler, method, path string, body any, want int, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	res := httptest.NewRecorder()
	app.ServeHTTP(res, httptest.NewRequest(method, path, bytes.NewReader(text)))
	if res.Code != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, res.Code, want, res.Body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(res.Body.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}
