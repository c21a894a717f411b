package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/demo/proof"
	"github.com/evac-io/evac/internal/demo/shop"
)

// testCustomer buys what the people buy when they try the new place.
const testCustomer = 1002

// tries are the items that the demo's people know how to try; each gives the
// evidence.
func (w *world) tries() map[string]func(context.Context) (string, error) {
	return map[string]func(context.Context) (string, error){
		"look": w.tryLook, "order": w.tryOrder, "rows": w.tryRows, "rights": w.tryRights,
	}
}

// tryLook looks at a product in the old place and, through the preview
// address, in the new one.
func (w *world) tryLook(ctx context.Context) (string, error) {
	var old, preview shop.Product
	if err := w.get(ctx, "http://"+w.addr.old+"/products/7", &old); err != nil {
		return "", err
	}
	if err := w.get(ctx, w.info.PreviewURL+"/products/7", &preview); err != nil {
		return "", err
	}
	if w.o.Follow { // it is sold meanwhile
		old.OnHand = preview.OnHand
	}
	if old != preview {
		return "", fmt.Errorf("product 7 is %+v in the old place and %+v in the new one", old, preview)
	}
	return fmt.Sprintf("product 7 (%s, %.2f, %d on hand) is the same in both places", old.Name, old.Price, old.OnHand), nil
}

// tryOrder orders through the preview address and reads the order back.
func (w *world) tryOrder(ctx context.Context) (string, error) {
	order := shop.Order{Key: uuid.New(), Customer: testCustomer, Lines: []shop.Line{{Product: 7, Quantity: 2}, {Product: 3, Quantity: 1}}}
	body, err := json.Marshal(order)
	if err != nil {
		return "", err
	}
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.info.PreviewURL+"/orders", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	var placed, back shop.Placed
	if err := call(req, http.StatusCreated, &placed); err != nil {
		return "", err
	}
	if err := w.get(ctx, w.info.PreviewURL+"/orders/"+order.Key.String(), &back); err != nil {
		return "", err
	}
	if back.Number != placed.Number || back.Lines != len(order.Lines) {
		return "", fmt.Errorf("order %d of %d lines came back as order %d of %d lines", placed.Number, len(order.Lines), back.Number, back.Lines)
	}
	return fmt.Sprintf("order %d placed and read back through %s in %d ms", back.Number, w.info.PreviewURL, time.Since(began).Milliseconds()), nil
}

// tryRows counts every table on both sides.
func (w *world) tryRows(ctx context.Context) (string, error) {
	var rows proof.Rows
	err := w.both(ctx, func(source, target *pgx.Conn) (err error) {
		rows, err = proof.CountRows(ctx, source, target)
		return err
	})
	if err == nil && len(rows.Differ) > 0 {
		err = fmt.Errorf("these tables have other numbers of rows: %v", rows.Differ)
	}
	return fmt.Sprintf("%d rows in %d tables, counted on both sides", rows.Rows, rows.Tables), err
}

// tryRights compares everything that is not rows.
func (w *world) tryRights(ctx context.Context) (string, error) {
	err := w.both(ctx, func(source, target *pgx.Conn) (err error) {
		w.catalog, err = proof.CompareCatalogs(ctx, source, target, w.o.Catalog, w.o.Follow)
		return err
	})
	if err == nil && len(w.catalog.Differ) > 0 {
		err = fmt.Errorf("%d facts differ, first: %s", len(w.catalog.Differ), w.catalog.Differ[0])
	}
	return fmt.Sprintf("%d facts of the catalog (columns, indexes, rights, sequences …) are the same on both sides", w.catalog.Facts), err
}

// both connects to both databases, for reading.
func (w *world) both(ctx context.Context, f func(source, target *pgx.Conn) error) error {
	source, err := connect(ctx, w.source.DSN(database, ""))
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	target, err := connect(ctx, w.target.DSN(database, ""))
	if err != nil {
		return errors.Join(fmt.Errorf("target: %w", err), source.Close(ctx))
	}
	return errors.Join(f(source, target), source.Close(ctx), target.Close(ctx))
}

func (w *world) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	return call(req, http.StatusOK, into)
}

func call(req *http.Request, want int, into any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL, res.Status, bytes.TrimSpace(text))
	}
	return json.Unmarshal(text, into)
}
