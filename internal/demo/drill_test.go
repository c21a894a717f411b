package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/demo"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/secret"
)

// rehearse drills the scene's runbook.
func rehearse(ctx context.Context, s demo.Scene) error {
	registry, err := kinds.Registry()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(s.Runbook)
	if err != nil {
		return err
	}
	book, wrong := runbook.Parse(s.Runbook, text, registry)
	if wrong.Err() != nil {
		return wrong.Err()
	}
	values, err := rehearsalValues(s)
	if err != nil {
		return err
	}
	bound, wrong := book.Bind(runbook.Input{Values: values, Drill: "rehearsal", Runner: s.Runner})
	if wrong.Err() != nil {
		return wrong.Err()
	}
	program := conduct.FromRunbook(bound, s.Dir, s.Runbook, registry)
	checked, err := conduct.Check(ctx, program, 1)
	if err != nil {
		return err
	}
	j, err := journal.Open(ctx, s.Home, journal.Options{})
	if err != nil {
		return err
	}
	_, err = conduct.Start(ctx, conduct.Options{Journal: j, Runner: s.Runner, Parallel: 4, StayAtGates: true, Now: time.Now}, program, checked)
	return errors.Join(err, j.Close())
}

// rehearsalValues has the scene's servers stand in for a live service that a
// drill must not touch.
func rehearsalValues(s demo.Scene) (map[string]any, error) {
	standIns, err := json.Marshal(s.Variables)
	if err != nil {
		return nil, err
	}
	values := map[string]any{"rehearsal": string(standIns)}
	for name := range s.Variables {
		values[name] = "http://live.invalid"
	}
	values["pg_dump"] = s.Variables["pg_dump"]
	for name, value := range s.Secrets {
		values["rehearsal_"+name] = value
		values[name] = secret.New("postgres://live.invalid/shop")
	}
	return values, nil
}

func TestMovingDayIsDrilled(t *testing.T) {
	o := options(t, rehearse)
	o.Gateway = "" // HAProxy, where it can be had
	drilled(t, o)
}

func TestMovingDayFollowIsDrilled(t *testing.T) {
	o := options(t, rehearse)
	o.Follow = true
	drilled(t, o)
}

// drilled fails the test unless the drill moves the shop whole.
func drilled(t *testing.T, o demo.Options) {
	t.Helper()
	r, err := demo.Move(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != "done" || !r.Verified || r.Rows < 10_000 || r.OrdersOn != "target" || r.Orders.Acknowledged == 0 {
		t.Errorf("%s, %d rows, %d orders on the %s; want done, all rows verified, orders on the target", r.Result, r.Rows, r.Orders.Acknowledged, r.OrdersOn)
	}
	gone(t, o.Dir)
}
