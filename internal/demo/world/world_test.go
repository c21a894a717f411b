package world_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/servers/standin"
)

// gatewayWord makes this test program the stand-in for a gateway.
const gatewayWord = "serve-gateway"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == gatewayWord {
		if err := standin.Serve(context.Background(), os.Args[2], os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// began starts a small world and waits until it is ready.
func began(t *testing.T, gateway string) (dir string, info world.Info, ended chan error) {
	t.Helper()
	dir = t.TempDir()
	err := world.WriteOptions(dir, world.Options{
		Size: shop.Small(), Orders: 50, Reads: 50, StandIn: []string{os.Args[0], gatewayWord}, Gateway: gateway,
		Linger: 500 * time.Millisecond, Lifetime: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { ended <- world.Run(ctx, dir, slog.New(slog.NewTextHandler(t.Output(), nil))); close(over) }()
	t.Cleanup(func() { cancel(); <-over })
	wait(t, "the world", func() bool {
		info, err = world.ReadInfo(dir)
		return !errors.Is(err, fs.ErrNotExist)
	})
	if err != nil || info.Error != "" {
		t.Fatal(err, info.Error)
	}
	return dir, info, ended
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(time.Minute); !ok(); {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// hand is a conductor made of psql and pg_dump.
type hand struct {
	t     *testing.T
	env   map[string]string
	info  world.Info
	lease *journal.Lease
	book  *journal.Journal
}

func (h *hand) event(typ journal.Type, node string, body any) {
	h.t.Helper()
	if _, err := h.lease.Append(h.t.Context(), journal.NewEvent(typ, "kim", node, 1, body)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hand) state() *journal.State {
	h.t.Helper()
	st, err := h.book.Load(h.t.Context(), h.lease.Run())
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

func (h *hand) weights(backend string, weights map[string]int) {
	h.t.Helper()
	client := haproxy.New(h.env["EVAC_VAR_gateway_socket"])
	for server, weight := range weights {
		if err := client.SetWeight(h.t.Context(), backend, server, weight); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *hand) sql(db, sql string) {
	h.t.Helper()
	conn, err := pgx.Connect(h.t.Context(), h.env["EVAC_VAR_"+db])
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.PgConn().Exec(h.t.Context(), sql).ReadAll(); err != nil {
		h.t.Fatal(err)
	}
}

// move copies everything with PostgreSQL's own tools, which leave the
// database's settings behind.
func (h *hand) move() {
	h.t.Helper()
	h.sql("old_db", "alter database shop set default_transaction_read_only = on; "+
		"select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop' and pid <> pg_backend_pid()")
	tools := h.env["EVAC_VAR_pg_dump"]
	script := fmt.Sprintf("set -o pipefail; %[1]s/pg_dumpall --roles-only -d \"$OLD\" | grep -v 'ROLE postgres' | %[1]s/psql -q -v ON_ERROR_STOP=1 -d \"$NEW\" && "+
		// pg_attver is the old server's own (15.20) and no other's.
		"%[1]s/pg_dump -d \"$OLD\" | grep -v 'SET (pg_attver=' | %[1]s/psql -q -v ON_ERROR_STOP=1 -d \"$NEW\"", tools)
	cmd := exec.CommandContext(h.t.Context(), "bash", "-c", script)
	cmd.Env = append(os.Environ(), "OLD="+h.env["EVAC_VAR_old_db"], "NEW="+h.env["EVAC_VAR_new_db"])
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("copy: %v: %s", err, out)
	}
}

func newHand(t *testing.T, dir string, info world.Info) *hand {
	t.Helper()
	env, err := world.ReadEnv(dir)
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{t: t, env: env, info: info}
	if h.book, err = journal.Open(t.Context(), env["EVAC_HOME"], journal.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.book.Close() })
	run, err := h.book.NewRun(t.Context(), "by-hand", journal.Live)
	if err != nil {
		t.Fatal(err)
	}
	if h.lease, err = h.book.Take(t.Context(), run, "kim"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.lease.Release() })
	h.event(journal.RunCreated, "", journal.RunBody{
		Runbook: "by-hand", Mode: journal.Live, Runner: "kim", People: map[string]string{"kim": "lead", "park": "database", "lee": "gateway"},
		Stages: []string{"all"},
		Nodes: []journal.NodeBody{
			{ID: "postgres_verify.main", Class: journal.ClassStep, Kind: "postgres_verify", Stage: "all"},
			{ID: "checklist.before", Class: journal.ClassChecklist, Stage: "all", Items: []journal.ItemBody{
				{Name: "rows", Owner: "park"}, {Name: "rights", Owner: "park"}, {Name: "look", Owner: "kim"}, {Name: "order", Owner: "lee"},
			}},
			{ID: "gate.go", Class: journal.ClassGate, Stage: "all", Gate: &journal.GateRule{Ask: "go?", Approvals: 2}},
		},
	})
	return h
}

func (h *hand) items() map[string]string {
	results := map[string]string{}
	for _, item := range h.state().Node("checklist.before").Ticks {
		results[item.Name] = item.Result
	}
	return results
}

func TestWorldSeesAMoveThrough(t *testing.T) {
	dir, info, ended := began(t, "")
	h := newHand(t, dir, info)

	h.weights("shop_write", map[string]int{"page": 100, "old": 0})
	h.move()
	h.event(journal.StepRan, "postgres_verify.main", journal.RanBody{Output: json.RawMessage(`{"rows":7,"missing":0,"extra":0,"different":0}`)})
	h.event(journal.StepVerified, "postgres_verify.main", journal.TimeBody{})
	h.event(journal.ListWaits, "checklist.before", nil)
	// The settings of the database did not come along: park finds that.
	wait(t, "a failed item", func() bool { return h.items()["rights"] != "" })
	want := map[string]string{"rows": journal.ItemOK, "rights": journal.ItemFailed, "look": "", "order": ""}
	if diff := cmp.Diff(want, h.items()); diff != "" {
		t.Fatalf("items (-want +got):\n%s", diff)
	}
	log := h.state().Node("checklist.before").Ticks[1].Log
	if !strings.Contains(log[0].Evidence, "4 facts differ, first: source: database UTF8 C C the shop") {
		t.Errorf("evidence %q does not say what differs", log[0].Evidence)
	}
	h.sql("new_db", "alter database shop set timezone = 'UTC'; alter role shop_owner in database shop set work_mem = '8MB'; "+
		"comment on database shop is 'the shop'")
	wait(t, "all items", func() bool { return h.items()["order"] != "" })
	want = map[string]string{"rows": journal.ItemOK, "rights": journal.ItemRetested, "look": journal.ItemOK, "order": journal.ItemOK}
	if diff := cmp.Diff(want, h.items()); diff != "" {
		t.Fatalf("items (-want +got):\n%s", diff)
	}
	h.event(journal.ListPassed, "checklist.before", nil)
	h.event(journal.GateWaits, "gate.go", journal.GateBody{Plan: h.state().PlanHash()})
	wait(t, "two approvals", func() bool { st := h.state(); return len(st.Approvers(st.Node("gate.go"), time.Now())) == 2 })
	h.event(journal.GatePassed, "gate.go", journal.GatePassBody{How: "approved", By: []string{"lee", "park"}})
	for _, backend := range []string{"shop_read", "shop_write"} {
		h.weights(backend, map[string]int{"new": 100, "old": 0, "page": 0})
	}
	h.event(journal.RunDone, "", journal.EndBody{Result: "done"})

	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r, err := world.ReadResult(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.2f s without orders, %.2f s without looks, %d of %d failed", r.WriteDowntimeSeconds, r.ReadDowntimeSeconds, r.RequestsFailed, r.Requests)
	if r.Result != "done" || r.Rows != 7 || r.OrdersOn != "target" {
		t.Errorf("result %q with %d rows orders on the %q, want done, 7, target", r.Result, r.Rows, r.OrdersOn)
	}
	if !r.Sound() || r.Catalog.Facts < 500 {
		t.Errorf("catalog %+v, want hundreds of facts, none different", r.Catalog)
	}
	if !r.Orders.Kept() || r.Orders.Acknowledged < 10 {
		t.Errorf("orders %+v, want some, none missing, none twice", r.Orders)
	}
	if len(r.Check.Differ) > 0 || r.Check.Rows < 2000 {
		t.Errorf("rows %+v, want thousands, none different", r.Check)
	}
	if r.WriteDowntimeSeconds < 0.3 || r.ReadDowntimeSeconds > r.WriteDowntimeSeconds/2 {
		t.Errorf("orders were out for %.2f s and looks for %.2f s", r.WriteDowntimeSeconds, r.ReadDowntimeSeconds)
	}
	noneLeft(t, dir, info)
}

func TestWorldEndsWhenItsDirectoryGoes(t *testing.T) {
	dir, info, ended := began(t, "standin")
	if info.Gateway != standin.Name {
		t.Errorf("the gateway calls itself %q, want %q", info.Gateway, standin.Name)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "directory is gone") {
		t.Errorf("ended with %v, want: the directory is gone", err)
	}
	noneLeft(t, dir, info)
}

// noneLeft looks for processes and files of a world that has ended.
func noneLeft(t *testing.T, dir string, info world.Info) {
	t.Helper()
	for _, pid := range []int{info.Source.PID, info.Target.PID} {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			t.Errorf("process %d is left", pid)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if name := filepath.Base(path); name != "journal" && name != "result.json" {
			t.Errorf("%s is left", name)
		}
	}
}
