package demo_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/demo"
	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/proof"
	"github.com/evac-io/evac/internal/demo/world"
)

func TestPrint(t *testing.T) {
	at := time.Date(2026, 11, 21, 2, 0, 0, 0, time.Local)
	second := func(n int, writes, reads crowd.Count) crowd.Second {
		return crowd.Second{At: at.Add(time.Duration(n) * time.Second), Writes: writes, Reads: reads}
	}
	closed := crowd.Count{Requests: 220, Failed: 220, Reasons: map[string]int64{"503 page": 220}}
	good := demo.Result{
		Result: "done", SourceVersion: "15.1", TargetVersion: "18.4", Gateway: "HAProxy 2.6", OrdersOn: "target", Report: "/d/report.md",
		WriteDowntimeSeconds: 2.04, ReadDowntimeSeconds: 0.061, Requests: 12345, RequestsFailed: 442, OrdersPerSecond: 219.7,
		WriteOutage: crowd.Outage{From: at.Add(time.Second), To: at.Add(3040 * time.Millisecond)},
		Verified:    true, Rows: 1234567, Check: proof.Rows{Tables: 34, Rows: 1234567}, Catalog: proof.Catalog{Facts: 704},
		Orders: proof.Orders{Acknowledged: 5678},
		Seconds: []crowd.Second{
			second(0, crowd.Count{Requests: 220}, crowd.Count{Requests: 400}),
			second(1, closed, crowd.Count{Requests: 400}),
			second(2, closed, crowd.Count{Requests: 400}),
			second(3, crowd.Count{Requests: 220}, crowd.Count{Requests: 400, Failed: 2, Reasons: map[string]int64{"timeout": 2}}),
		},
	}
	var b bytes.Buffer
	if err := demo.Print(&b, good); err != nil {
		t.Fatal(err)
	}
	want := `from      seconds  orders failed  looks failed  why
02:00:01  2        440 of 440     0 of 800      orders: 503 page
02:00:03  1        0 of 220       2 of 400      looks: timeout

PostgreSQL 15.1 → 18.4 behind HAProxy 2.6: the move was done
write downtime  2.0 s   (no order was taken from 02:00:01.0 to 02:00:03.0)
read downtime   0.06 s  (the longest time without a product shown)
requests        12,345, 442 failed; 220 orders a second outside the downtime
rows            1,234,567 rows, 0 missing, 0 extra, 0 different
checked by SQL  1,234,567 rows in 34 tables: the same on both sides
catalog         704 facts: the same on both sides
report          /d/report.md
every one of 5,678 acknowledged orders found on the target exactly once
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("a good night (-want +got):\n%s", diff)
	}

	home := good
	home.Result, home.OrdersOn, home.OrdersToo = "undone", "source", &proof.Orders{Acknowledged: 5678}
	home.Back = &world.Back{WriteDowntimeSeconds: 1.5, ReadDowntimeSeconds: 0.04, WriteOutage: crowd.Outage{From: at, To: at.Add(1500 * time.Millisecond)}}
	home.Proved = []world.Proof{{At: at, Step: "postgres_freeze.old", What: "no transaction ended"}, {At: at, Step: "postgres_switch.shop", What: "all flushed"}}
	b.Reset()
	if err := demo.Print(&b, home); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"the way home    1.5 s   (no order was taken from 02:00:00.0 to 02:00:01.5), 0.04 s without a product shown\n",
		"proved          02:00:00.0  postgres_freeze.old: no transaction ended\n                02:00:00.0  postgres_switch.shop: all flushed\n",
		"checked by SQL  1,234,567 rows", "found on the source exactly once, and so on the other side, which follows\n",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("a night that went home does not say %q:\n%s", line, b.String())
		}
	}
	home.OrdersToo.Twice = 2
	b.Reset()
	if err := demo.Print(&b, home); err != nil || home.Sound() || !strings.Contains(b.String(), "which follows, 0 are MISSING and 2 stand TWICE") {
		t.Errorf("orders that stand twice on the other side pass: %v\n%s", err, b.String())
	}
	bad := good
	bad.Verified, bad.Check.Differ, bad.Catalog.Facts, bad.Orders.Missing, bad.Seconds = false, []string{"app.photo"}, 0, 3, nil
	b.Reset()
	if err := demo.Print(&b, bad); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"no request failed\n", "not compared by the run", "1 DIFFER\n  app.photo\n", "catalog         not compared",
		"of 5,678 acknowledged orders 3 are MISSING on the target and 0 stand there TWICE\n",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("a bad night does not say %q:\n%s", line, b.String())
		}
	}
}
