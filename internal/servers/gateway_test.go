package servers_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// shop is a frontend with two servers behind it that say "old" and "new", and
// the URL of the frontend.
func shop(t *testing.T) (config, url string) {
	port := testenv.FreePort(t)
	return fmt.Sprintf(`
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    load-server-state-from-file global
frontend public
    bind 127.0.0.1:%d
    acl order path_beg /order
    use_backend orders if order METH_GET
    default_backend shop
backend shop
    balance roundrobin
    server old %s weight 100
    server new %s weight 0
backend orders
    server orders %s
`, port, testenv.Says(t, "old"), testenv.Says(t, "new"), testenv.Says(t, "orders")), fmt.Sprintf("http://127.0.0.1:%d/", port)
}

// HAProxy and its stand-in do the same when they are driven the same way:
// that is what makes the stand-in one.
func TestGateway(t *testing.T) {
	for _, program := range []servers.GatewayProgram{testenv.HAProxy(t), testenv.StandIn()} {
		t.Run(program.Name, func(t *testing.T) {
			config, url := shop(t)
			g := testenv.Gateway(t, program, config)
			client := g.Client()
			expect := func(what string, want map[string]int) {
				t.Helper()
				if diff := cmp.Diff(want, testenv.Answers(t, url, 20)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			expect("at first", map[string]int{"old": 20})
			if diff := cmp.Diff(map[string]int{"orders": 5}, testenv.Answers(t, url+"order/1", 5)); diff != "" {
				t.Error(diff)
			}
			must(client.SetWeight(t.Context(), "shop", "new", 100))
			expect("both", map[string]int{"old": 10, "new": 10})
			must(client.SetWeight(t.Context(), "shop", "old", 0))
			expect("new alone", map[string]int{"new": 20})
			must(client.SaveState(t.Context(), "", g.StateFile()))
			must(g.Reload(t.Context()))
			expect("after a reload", map[string]int{"new": 20})
			now, initial, err := client.Weight(t.Context(), "shop", "old")
			must(err)
			if now != 0 || initial != 100 {
				t.Errorf("weight of old is %d, initially %d", now, initial)
			}
			must(client.SetState(t.Context(), "shop", "new", haproxy.Maint))
			expect("nobody", map[string]int{"503 Service Unavailable": 20})
			must(client.SetState(t.Context(), "shop", "new", haproxy.Ready))
			refusals(t, client)

			again, err := servers.AttachGateway(t.Context(), g.Dir)
			must(err)
			must(again.Stop(t.Context()))
			if _, err := servers.AttachGateway(context.Background(), g.Dir); !errors.Is(err, servers.ErrNotRunning) {
				t.Errorf("attach to a stopped gateway: %v", err)
			}
		})
	}
}

func refusals(t *testing.T, client *haproxy.Client) {
	t.Helper()
	if err := client.SetWeight(t.Context(), "shop", "gone", 1); !errors.Is(err, haproxy.ErrNoServer) {
		t.Errorf("unknown server: %v", err)
	}
	if err := client.SetWeight(t.Context(), "gone", "old", 1); !errors.Is(err, haproxy.ErrNoBackend) {
		t.Errorf("unknown backend: %v", err)
	}
	if _, err := client.Servers(t.Context(), "gone"); !errors.Is(err, haproxy.ErrNoBackend) {
		t.Errorf("servers of an unknown backend: %v", err)
	}
	if err := client.SetWeight(t.Context(), "shop", "old", 257); err == nil {
		t.Error("weight 257 is accepted")
	}
}
