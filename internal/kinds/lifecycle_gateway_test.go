package kinds_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/kinds/gateway"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// gatewayCases try gateway_weight on a real HAProxy and on the stand-in.
func gatewayCases() []testenv.Case {
	return []testenv.Case{
		{Kind: "gateway_weight", Name: "haproxy", New: func(t testing.TB) testenv.Subject { return weightWorld(t, testenv.HAProxy(t)) }},
		{Kind: "gateway_weight", Name: "stand-in", New: func(t testing.TB) testenv.Subject { return weightWorld(t, testenv.StandIn()) }},
	}
}

// weightWorld has a shop and a page behind a gateway. What a user sees is the
// probe: who answers now, and who after a reload.
func weightWorld(t testing.TB, program servers.GatewayProgram) testenv.Subject {
	port := testenv.FreePort(t)
	g := testenv.Gateway(t, program, fmt.Sprintf(`
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    load-server-state-from-file global
frontend public
    bind 127.0.0.1:%d
    default_backend shop
backend shop
    balance roundrobin
    server shop %s weight 100
    server page %s weight 0
    server spare %s weight 100
`, port, testenv.Says(t, "shop"), testenv.Says(t, "page"), testenv.Says(t, "spare")))
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	return testenv.Subject{
		Step: func() step.Step {
			return &gateway.Weight{
				Socket: g.Socket(), Config: g.ConfigFile(), Backend: "shop", Wait: time.Second,
				Weights: map[string]string{"page": "50", "shop": "0", "spare": "0"},
			}
		},
		Probe: func(t testing.TB) any {
			now := testenv.Answers(t, url, 4)
			if err := g.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			return []map[string]int{now, testenv.Answers(t, url, 4)}
		},
	}
}
