package shop

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Order is what a customer sends.
type Order struct {
	// Key makes the same order, sent again, the same order.
	Key      uuid.UUID `json:"key"`
	Customer int64     `json:"customer"`
	Lines    []Line    `json:"lines"`
}

// Line is one product of an order.
type Line struct {
	Product  int32 `json:"product"`
	Quantity int32 `json:"quantity"`
}

// Placed is what the shop says of an order that it has.
type Placed struct {
	Key    uuid.UUID `json:"key"`
	Number int64     `json:"number"`
	Lines  int       `json:"lines,omitempty"`
	Total  float64   `json:"total,omitempty"`
}

// Product is what the shop shows of a product.
type Product struct {
	ID     int32   `json:"id"`
	Name   string  `json:"name"`
	Price  float64 `json:"price"`
	OnHand int32   `json:"on_hand"`
}

// AppHeader names, in every answer, the app that gave it.
const AppHeader = "X-Shop-App"

// appConns bounds the database sessions of one app.
const appConns = 16

// answerTime bounds one answer of the database.
const answerTime = 3 * time.Second

// App is the shop's HTTP server on one database:
//
//	GET  /products/ID   a product
//	POST /orders        201 once the order is committed
//	GET  /orders/KEY    an order, read back
//	GET  /healthz       200 if the database answers; with ?write=1, if it takes writes
//
// Its database may come, go and refuse: it answers 503 then and tries again
// with the next request.
type App struct {
	name string
	pool *pgxpool.Pool
	mux  *http.ServeMux
}

// NewApp makes an app called name; it connects with the first request.
func NewApp(name, dsn string) (*App, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.MaxConns = appConns
	config.ConnConfig.RuntimeParams["application_name"] = "shop " + name
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	a := &App{name: name, pool: pool, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /products/{id}", a.product)
	a.mux.HandleFunc("POST /orders", a.order)
	a.mux.HandleFunc("GET /orders/{key}", a.orderBack)
	a.mux.HandleFunc("GET /healthz", a.healthz)
	return a, nil
}

// Close ends the app's database sessions.
func (a *App) Close() { a.pool.Close() }

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(AppHeader, a.name)
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	a.mux.ServeHTTP(w, r.WithContext(ctx))
}

func (a *App) product(w http.ResponseWriter, r *http.Request) {
	var p Product
	err := a.read(r.Context(), `
		select p.id, p.name, p.price::float8, s.on_hand
		from app.product p join app.stock s on s.product_id = p.id where p.id = $1::text::int`,
		r.PathValue("id"), &p.ID, &p.Name, &p.Price, &p.OnHand)
	reply(w, http.StatusOK, p, err)
}

func (a *App) orderBack(w http.ResponseWriter, r *http.Request) {
	var p Placed
	err := a.read(r.Context(), `
		select o.key, o.id, o.total::float8, (select count(*) from app.order_line l where l.order_id = o.id)
		from app.orders o where o.key = $1::text::uuid`,
		r.PathValue("key"), &p.Key, &p.Number, &p.Total, &p.Lines)
	reply(w, http.StatusOK, p, err)
}

// read asks for one row. A read may be asked again, so sessions that the server
// ended meanwhile cost nothing but the next try.
func (a *App) read(ctx context.Context, sql string, arg any, into ...any) (err error) {
	for range appConns + 1 { // every session of the pool may be a dead one
		if err = a.pool.QueryRow(ctx, sql, arg).Scan(into...); !lost(err) {
			return err
		}
	}
	return err
}

func (a *App) order(w http.ResponseWriter, r *http.Request) {
	var o Order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	products, quantities := make([]int32, len(o.Lines)), make([]int32, len(o.Lines))
	for i, l := range o.Lines {
		products[i], quantities[i] = l.Product, l.Quantity
	}
	placed := Placed{Key: o.Key}
	// A statement by itself is a transaction: when it returns, it is committed.
	const sql = "select app.place_order($1, $2, $3, $4)"
	err := a.pool.QueryRow(r.Context(), sql, o.Key, o.Customer, products, quantities).Scan(&placed.Number)
	if err != nil && pgconn.SafeToRetry(err) { // nothing had left for a session that was gone
		err = a.pool.QueryRow(r.Context(), sql, o.Key, o.Customer, products, quantities).Scan(&placed.Number)
	}
	reply(w, http.StatusCreated, placed, err)
}

func (a *App) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	var readOnly bool
	err := a.read(ctx, `
		select current_setting('transaction_read_only')::bool and $1
		where exists (select from app.product)`, r.FormValue("write") == "1", &readOnly)
	if err == nil && !readOnly {
		return
	}
	http.Error(w, "not ready", http.StatusServiceUnavailable)
}

// reply answers with the value, or with the status that says what is wrong:
// 503 if surely nothing was written, 500 if nobody knows.
func reply(w http.ResponseWriter, status int, value any, err error) {
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		// A client that left meanwhile is nothing to report to.
		_ = json.NewEncoder(w).Encode(value)
		return
	}
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		http.Error(w, "no such thing", http.StatusNotFound)
	case errors.As(err, &refused) && (refused.Code[:2] == "22" || refused.Code[:2] == "23"):
		http.Error(w, refused.Message, http.StatusUnprocessableEntity)
	case unavailable(err):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the database takes no orders now", http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// unavailable tells whether the database refused before it did anything.
func unavailable(err error) bool {
	var refused *pgconn.PgError
	return isConnect(err) || pgconn.SafeToRetry(err) ||
		errors.As(err, &refused) && (refused.Code == "25006" || refused.Code == "42501" || refused.Code[:2] == "3F" || refused.Code[:2] == "42")
}

// lost tells whether the session ended under the statement.
func lost(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code == "57P01" // admin_shutdown: the session was terminated
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) && !isConnect(err)
}

func isConnect(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}
