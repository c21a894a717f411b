package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/proof"
	"github.com/evac-io/evac/internal/journal"
)

// result is what a run that has ended says of itself.
func (w *world) result(st *journal.State) (Result, error) {
	r := Result{
		Result: st.Result, Run: st.Run, Gateway: w.info.Gateway, Catalog: w.catalog, Report: w.paths.Report(),
		SourceVersion: w.info.Source.Version, TargetVersion: w.info.Target.Version, Kept: w.o.Keep,
	}
	err := verified(st, &r)
	if err == nil && w.o.Follow {
		r.Proved, err = proved(st)
	}
	return r, err
}

// conclude lets customers come a little longer, counts, and proves by plain
// SQL what the result claims.
func (w *world) conclude(ctx context.Context, st *journal.State, r *Result) error {
	if err := wait(ctx, w.o.Linger); err != nil {
		return err
	}
	figures, err := w.crowd.Stop(ctx)
	if err != nil {
		return fmt.Errorf("keep the ledger of acknowledged orders: %w", err)
	}
	r.count(figures)
	r.OrdersOn = home(st, figures)
	wentHome := r.there != nil
	if wentHome {
		r.Result = journal.ResultUndone
	}
	if w.o.Follow && (st.Result == ResultDone || wentHome) {
		if r.OrdersToo, err = w.checkFollower(ctx, r.OrdersOn); err != nil {
			return err
		}
	}
	if st.Result == ResultDone || wentHome {
		err := w.both(ctx, func(source, target *pgx.Conn) (err error) {
			r.Check, err = proof.CompareRows(ctx, source, target)
			return err
		})
		if err != nil {
			return err
		}
	}
	if r.Orders, err = w.checkOrders(ctx, r.OrdersOn); err != nil {
		return err
	}
	return w.note(ctx, st, *r)
}

// followTime bounds how long the side that follows may take for the rest.
const followTime = time.Minute

// checkFollower looks for the orders on the side that follows the one that they
// were taken on last, once it has taken in everything.
func (w *world) checkFollower(ctx context.Context, on string) (*proof.Orders, error) {
	leader, follower := w.source, targetSide
	if on == targetSide {
		leader, follower = w.target, sourceSide
	}
	conn, err := connect(ctx, leader.DSN(database, ""))
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, followTime)
	err = errors.Join(proof.AwaitFollower(waiting, conn), conn.Close(ctx))
	cancel()
	if err != nil {
		return nil, fmt.Errorf("wait until the %s has everything: %w", follower, err)
	}
	orders, err := w.checkOrders(ctx, follower)
	return &orders, err
}

// The sides, as results name them.
const (
	sourceSide = "source"
	targetSide = "target"
)

// home is the side where all orders must be: the target once the move is done;
// after one that went another way, wherever orders are taken now.
func home(st *journal.State, f crowd.Figures) string {
	if st.Result == ResultDone || f.TakenBy == newApp {
		return targetSide
	}
	return sourceSide
}

func (w *world) checkOrders(ctx context.Context, on string) (proof.Orders, error) {
	server := w.source
	if on == targetSide {
		server = w.target
	}
	conn, err := connect(ctx, server.DSN(database, ""))
	if err != nil {
		return proof.Orders{}, err
	}
	orders, err := proof.CheckOrders(ctx, conn, w.crowd.Acknowledged(), w.crowd.Unclear())
	return orders, errors.Join(err, conn.Close(ctx))
}

// verified takes over what postgres_verify has found; the rows are those of the
// last one.
func verified(st *journal.State, r *Result) error {
	for _, n := range st.Nodes {
		if n.Kind != "postgres_verify" || n.Phase != journal.Done {
			continue
		}
		var found struct{ Rows, Missing, Extra, Different int64 }
		if err := json.Unmarshal(n.Output, &found); err != nil {
			return fmt.Errorf("read the output of %s: %w", n.ID, err)
		}
		r.Verified = true
		r.Rows, r.Missing, r.Extra, r.Different = found.Rows, r.Missing+found.Missing, r.Extra+found.Extra, r.Different+found.Different
	}
	return nil
}

// note puts what the customers saw into the run's timeline, for its report.
func (w *world) note(ctx context.Context, st *journal.State, r Result) error {
	text := fmt.Sprintf("customers saw: %.1f s without orders, %.2f s without looks; %d of %d requests failed; %d orders acknowledged, %d missing, %d twice",
		r.WriteDowntimeSeconds, r.ReadDowntimeSeconds, r.RequestsFailed, r.Requests, r.Orders.Acknowledged, r.Orders.Missing, r.Orders.Twice)
	return w.ask(ctx, st, journal.NewEvent(journal.AskNote, "evac demo", "", 0, journal.NoteBody{Text: text, Demo: true}))
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
