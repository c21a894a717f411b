package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/kinds/gateway"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const keeps = "    load-server-state-from-file global\n"

// configuration has a frontend and three backends; "page" of shop is checked
// by HAProxy and may be down.
func configuration(port int, defaults, old, page string) string {
	return fmt.Sprintf(`
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
%sfrontend public
    bind 127.0.0.1:%d
    default_backend shop
backend shop
    balance roundrobin
    server old %s weight 100
    server page %s weight 0 check inter 50ms fall 1 rise 1
backend by-source
    balance source
    server old %s
`, defaults, port, old, page, old)
}

type world struct {
	gateway *servers.Gateway
	url     string
}

func newWorld(t *testing.T, defaults, page string) world {
	port := testenv.FreePort(t)
	config := configuration(port, defaults, testenv.Says(t, "old"), page)
	return world{testenv.Gateway(t, testenv.HAProxy(t), config), fmt.Sprintf("http://127.0.0.1:%d/", port)}
}

func (w world) step(backend string, weights map[string]string) *gateway.Weight {
	return &gateway.Weight{Socket: w.gateway.Socket(), Config: w.gateway.ConfigFile(), Backend: backend, Weights: weights, Wait: 300 * time.Millisecond}
}

// becomes waits until HAProxy's own health check has found a server's status:
// a server that is checked counts as up until the first check failed.
func (w world) becomes(t *testing.T, backend, server, status string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		stats, err := w.gateway.Client().Stats(ctx)
		if err != nil {
			t.Fatalf("wait until %s/%s is %s: %v", backend, server, status, err)
		}
		if slices.ContainsFunc(stats, func(s haproxy.Stat) bool {
			return s.Proxy == backend && s.Service == server && s.Status == status
		}) {
			return
		}
		<-tick.C
	}
}

func switchOver() map[string]string { return map[string]string{"page": "100", "old": "0"} }

func TestCheckRefuses(t *testing.T) {
	w := newWorld(t, keeps, testenv.Says(t, "page"))
	forgetful := newWorld(t, "", testenv.Says(t, "page"))
	elsewhere := w.step("shop", switchOver())
	elsewhere.StateFile = "/var/lib/haproxy/other"
	deaf := w.step("shop", switchOver())
	deaf.Socket = filepath.Join(t.TempDir(), "nobody")
	for _, tt := range []struct {
		name      string
		step      *gateway.Weight
		err, hint string
	}{
		{"unknown backend", w.step("shpo", switchOver()), `find backend "shpo" in `, ""},
		{"unknown server", w.step("shop", map[string]string{"pgae": "1"}), `find server "pgae" in HAProxy: there is none; there are old, page`, "did you mean page?"},
		{"not a weight", w.step("shop", map[string]string{"page": "257", "old": "none"}), `"257" is not a whole number from 0 to 256`, ""},
		{"nothing to do", w.step("shop", nil), "none is given", ""},
		{"static algorithm", w.step("by-source", map[string]string{"old": "5"}), `algorithm "source" does not follow them`, "put into backend by-source: balance roundrobin"},
		{"a reload forgets", forgetful.step("shop", switchOver()), `backend "shop" does not load its servers' state`, "add to its defaults or to backend shop: load-server-state-from-file global"},
		{"another state file", elsewhere, "a reload reads", "leave out state_file"},
		{"nobody there", deaf, `read the servers of backend "shop"`, "see that HAProxy runs and that this account may use its socket: ls -l " + deaf.Socket},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.step.Check(t.Context(), testenv.Env(t))
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("got error %v, want %q in it", err, tt.err)
			}
			if hints := strings.Join(allHints(err), "\n"); tt.hint != "" && !strings.Contains(hints, tt.hint) {
				t.Errorf("got hints %q, want %q", hints, tt.hint)
			}
		})
	}
}

// allHints looks into joined errors too.
func allHints(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var hints []string
		for _, e := range joined.Unwrap() {
			hints = append(hints, allHints(e)...)
		}
		return hints
	}
	return fault.Hints(err)
}

func TestPlan(t *testing.T) {
	w := newWorld(t, keeps, testenv.Says(t, "page"))
	plan, err := w.step("shop", switchOver()).Check(t.Context(), testenv.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []step.Action{{ID: "weight:page", Text: "weight of shop/page becomes 100"}, {ID: "weight:old", Text: "weight of shop/old becomes 0"}}
	if diff := cmp.Diff(want, plan.Actions); diff != "" {
		t.Error(diff)
	}
	if len(plan.Warnings) > 0 {
		t.Errorf("warnings: %q", plan.Warnings)
	}
	plan, err = w.step("shop", map[string]string{"old": "0"}).Check(t.Context(), testenv.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`no server of backend "shop" keeps a weight: its users get errors`}, plan.Warnings); diff != "" {
		t.Error(diff)
	}
}

// No request may fail while the weights change, there and back.
func TestNoRequestFails(t *testing.T) {
	w := newWorld(t, keeps, testenv.Says(t, "page"))
	ctx, stop := context.WithCancel(t.Context())
	var users sync.WaitGroup
	var bad sync.Map
	for range 4 {
		users.Go(func() {
			for ctx.Err() == nil {
				if resp, err := http.Get(w.url); err != nil {
					bad.Store(err.Error(), true)
				} else {
					if resp.StatusCode != http.StatusOK {
						bad.Store(resp.Status, true)
					}
					_ = resp.Body.Close()
				}
			}
		})
	}
	s, env := w.step("shop", switchOver()), testenv.Env(t)
	done := run(t, s, env)
	if err := s.Verify(t.Context(), env, done); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]int{"page": 10}, testenv.Answers(t, w.url, 10)); diff != "" {
		t.Error(diff)
	}
	if err := s.Undo(t.Context(), env, done); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]int{"old": 10}, testenv.Answers(t, w.url, 10)); diff != "" {
		t.Error(diff)
	}
	stop()
	users.Wait()
	bad.Range(func(what, _ any) bool { t.Errorf("a user saw: %v", what); return true })
}

func run(t *testing.T, s *gateway.Weight, env *step.Env) step.Done {
	t.Helper()
	plan, err := s.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), env, plan)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return step.Done{Plan: plan, Output: text}
}

// A backend may keep a state file of its own: only that is written, and a
// reload reads it.
func TestFileOfItsOwn(t *testing.T) {
	base := t.TempDir()
	own := "    load-server-state-from-file local\nglobal\n    server-state-base " + base + "\n"
	w := newWorld(t, own, testenv.Says(t, "page"))
	s, env := w.step("shop", switchOver()), testenv.Env(t)
	done := run(t, s, env)
	if err := s.Verify(t.Context(), env, done); err != nil {
		t.Error(err)
	}
	if err := w.gateway.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"page": 10}, testenv.Answers(t, w.url, 10)); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile(filepath.Join(base, "shop"))
	if err != nil || strings.Contains(string(text), "by-source") {
		t.Errorf("the state file says %q, %v", text, err)
	}
}

// The old server keeps its weight while the one that shall take over is down.
func TestWaitsForTheTaker(t *testing.T) {
	nobody := fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
	w := newWorld(t, keeps, nobody)
	w.becomes(t, "shop", "page", "DOWN")
	s, env := w.step("shop", switchOver()), testenv.Env(t)
	plan, err := s.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`server "page" is down: it takes no requests whatever its weight`}, plan.Warnings); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Run(t.Context(), env, plan); err == nil || !strings.Contains(err.Error(), `take server "old" out of backend "shop": no other server takes requests: "page" is down`) {
		t.Errorf("got error %v", err)
	}
	if diff := cmp.Diff(map[string]int{"old": 5}, testenv.Answers(t, w.url, 5)); diff != "" {
		t.Error(diff)
	}
	// Half done is undone: page had its new weight already.
	if err := s.Undo(t.Context(), env, step.Done{Plan: plan}); err != nil {
		t.Fatal(err)
	}
	if now, _, err := w.gateway.Client().Weight(t.Context(), "shop", "page"); now != 0 || err != nil {
		t.Errorf("after undo the weight of page is %d, %v", now, err)
	}
}

// Verify names the server and both weights, in HAProxy and in the file.
func TestVerifyFindsDifferences(t *testing.T) {
	w := newWorld(t, keeps, testenv.Says(t, "page"))
	s, env := w.step("shop", switchOver()), testenv.Env(t)
	done := run(t, s, env)
	if err := w.gateway.Client().SetWeight(t.Context(), "shop", "old", 7); err != nil {
		t.Fatal(err)
	}
	err := s.Verify(t.Context(), env, done)
	if err == nil || err.Error() != `weight of "shop/old" in HAProxy is 7, want 0` {
		t.Errorf("got error %v", err)
	}
	if err := w.gateway.Client().SaveState(t.Context(), "", w.gateway.StateFile()); err != nil {
		t.Fatal(err)
	}
	err = s.Verify(t.Context(), env, done)
	if err == nil || !strings.Contains(err.Error(), `weight of "shop/old" in the state file is 7, want 0`) {
		t.Errorf("got error %v", err)
	}
	if err := os.Remove(w.gateway.StateFile()); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), env, done); err == nil {
		t.Error("verified without a state file")
	}
}
