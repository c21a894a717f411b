package standin

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/haproxy"
)

func tableOf(t *testing.T, text string) (*table, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte("global\n stats socket /tmp/none\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := haproxy.ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	return newTable(config)
}

// What a stand-in cannot do it refuses, rather than do something else.
func TestRefuses(t *testing.T) {
	for _, tt := range []struct{ name, config, err string }{
		{"a directive", "frontend f\n http-request deny\n", `haproxy.cfg:4: "http-request deny" is not for it`},
		{"an algorithm", "backend b\n balance source\n", `haproxy.cfg:4: "balance source" is not for it`},
		{"a section", "listen l\n", `section "listen" is not for it`},
		{"a backend that is not there", "frontend f\n default_backend b\n", `frontend "f" names backend "b", which is not there`},
		{"an acl that is not there", "frontend f\n use_backend b if x\n", `acl "x" is not known here`},
		{"a criterion", "frontend f\n acl x src 10.0.0.0/8\n", `criterion "src" is not for it`},
		{"a weight", "backend b\n server a 127.0.0.1:1 weight many\n", "weight: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tableOf(t, tt.config); err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got error %v, want %q in it", err, tt.err)
			}
		})
	}
	var out bytes.Buffer
	if err := Serve(t.Context(), filepath.Join(t.TempDir(), "gone"), &out); err == nil {
		t.Error("it serves without a configuration")
	}
}

func TestRouting(t *testing.T) {
	table, err := tableOf(t, `frontend f
    acl order path_beg /order /cart
    acl health path /health
    acl quiet method GET
    acl quiet method HEAD
    use_backend write if METH_POST !health
    use_backend order if order quiet
    default_backend rest
backend write
    server a write:1
backend order
    server a order:1
backend rest
    server a rest:1
`)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{table: table}
	got := map[string]string{}
	for _, request := range []string{"POST /order/1", "POST /health", "GET /order/1", "HEAD /cart", "PUT /cart", "GET /"} {
		method, path, _ := strings.Cut(request, " ")
		got[request] = g.choose("f", httptest.NewRequest(method, path, http.NoBody))
	}
	want := map[string]string{
		"POST /order/1": "write:1", "POST /health": "rest:1", "GET /order/1": "order:1", "HEAD /cart": "order:1",
		"PUT /cart": "rest:1", "GET /": "rest:1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The shares are those of the weights, and well mixed.
func TestShares(t *testing.T) {
	table, err := tableOf(t, "backend b\n server a a:1 weight 3\n server b b:1 weight 1\n server c c:1 weight 0\n server d d:1 weight 9 disabled\n")
	if err != nil {
		t.Fatal(err)
	}
	var order strings.Builder
	for range 8 {
		order.WriteString(table.backend("b").next().name)
	}
	if got := order.String(); got != "aabaaaba" {
		t.Errorf("got %s, want aabaaaba", got)
	}
}
