package probe_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/kinds/probe"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// statuses answers with one status after the other, then with the last.
func statuses(t *testing.T, list ...int) *httptest.Server {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i := min(int(n.Add(1)), len(list)) - 1
		w.WriteHeader(list[i])
		_, _ = w.Write([]byte("all is well\n"))
	}))
	t.Cleanup(s.Close)
	return s
}

func usual(url string) *probe.HTTP {
	return &probe.HTTP{URL: url, Status: 200, Times: 1, Every: 10 * time.Millisecond, Patience: 2 * time.Second}
}

func TestHTTPComesTrue(t *testing.T) {
	h := usual(statuses(t, 503, 200, 503, 200).URL)
	h.Within, h.Times, h.Contains = 5*time.Second, 3, "well"
	out, err := h.Run(t.Context(), testenv.Env(t), step.Plan{})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.(probe.HTTPOutput); got.Status != 200 || got.Looks != 6 || got.Seconds <= 0 {
		t.Errorf("got %+v, want status 200 after 6 looks", got)
	}
}

func TestHTTPFailures(t *testing.T) {
	tests := map[string]struct {
		change func(*probe.HTTP)
		want   string
	}{
		"status":   {func(*probe.HTTP) {}, "status 503, want 200"},
		"too late": {func(h *probe.HTTP) { h.Within = 55 * time.Millisecond }, "status 503, want 200 (looked"},
		"contains": {func(h *probe.HTTP) { h.Status, h.Contains = 503, "nothing" }, `status 503 without "nothing" in it`},
		"nobody":   {func(h *probe.HTTP) { h.URL = "http://user:hidden@127.0.0.1:1/?x=1" }, "connection refused"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := usual(statuses(t, 503).URL)
			test.change(h)
			_, err := h.Run(t.Context(), testenv.Env(t), step.Plan{})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %v, want …%s", err, test.want)
			}
		})
	}
}

func TestHTTPEndsWithItsContext(t *testing.T) {
	h := usual(statuses(t, 503).URL)
	h.Within = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := h.Run(ctx, testenv.Env(t), step.Plan{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

func TestHTTPRedirects(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, s.URL+"/new", http.StatusFound)
		}
	}))
	t.Cleanup(s.Close)
	for _, status := range []int{200, 302} {
		h := usual(s.URL + "/old")
		h.Status = status
		if _, err := h.Run(t.Context(), testenv.Env(t), step.Plan{}); err != nil {
			t.Errorf("want %d: %v", status, err)
		}
	}
}

func TestHTTPSPreviewAddress(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "example.com" || r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(s.Close)
	env := testenv.Env(t)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(env.Dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	h := usual("https://example.com/") // the certificate of httptest bears this name
	h.Address = s.Listener.Addr().String()
	h.Header = map[string]secret.String{"Authorization": secret.New("Bearer token")}
	if _, err := h.Run(t.Context(), env, step.Plan{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v, want a refusal", err)
	}
	h.CA = "ca.pem"
	if _, err := h.Run(t.Context(), env, step.Plan{}); err != nil {
		t.Error(err)
	}
}

func TestCheckRefusesAllAtOnce(t *testing.T) {
	h := &probe.HTTP{URL: "ftp://x", Times: 0, Address: "nonsense", CA: "missing.pem"}
	_, err := h.Check(t.Context(), testenv.Env(t))
	for _, want := range []string{"url: ", "times: ", "address: ", "ca: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind %s, want invalid", fault.KindOf(err))
	}
}

func TestCheckDoesNotRefuseWhatIsNotYetTrue(t *testing.T) {
	plan, err := usual(statuses(t, 503).URL).Check(t.Context(), testenv.Env(t))
	if err != nil || len(plan.Facts) != 1 || plan.Facts[0].Value != "not yet: status 503, want 200" {
		t.Errorf("%+v, %v", plan, err)
	}
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &probe.TCP{Address: l.Addr().String(), Times: 2, Every: 10 * time.Millisecond, Patience: time.Second}
	env := testenv.Env(t)
	out, err := p.Run(t.Context(), env, step.Plan{})
	if err != nil || out.(probe.TCPOutput).Looks != 2 {
		t.Errorf("%+v, %v, want 2 looks", out, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(t.Context(), env, step.Done{}); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a closed port: %v", err)
	}
	if _, err := (&probe.TCP{Address: "nonsense", Times: 1, Every: 1}).Check(t.Context(), env); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
}
