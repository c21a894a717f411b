package page_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/page"
)

// serve starts the server and gives its address.
func serve(t *testing.T, o page.Options) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	address, ended := make(chan net.Addr, 1), make(chan error, 1)
	o.Listen, o.Listening = "127.0.0.1:0", func(a net.Addr) { address <- a }
	go func() { ended <- page.Serve(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case a := <-address:
		return "http://" + a.String()
	case err := <-ended:
		t.Fatal(err)
	}
	return ""
}

func get(t *testing.T, method, url, accept string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	must(t, err)
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	must(t, page.Publish(dir, "id", full(t)))
	base := serve(t, page.Options{Dir: dir, RetryAfter: 90 * time.Second, Health: "/healthz"})
	const browser = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
	tests := []struct {
		method, path, accept string
		json                 bool
	}{
		{"GET", "/", browser, false},
		{"GET", "/any/where?x=1", "", false},
		{"POST", "/api/orders", "application/json", true},
		{"GET", "/status.json", browser, true},
		{"GET", "/", "application/problem+json", true},
		{"HEAD", "/", browser, false},
		{"HEAD", "/status.json", "", true},
	}
	for _, test := range tests {
		resp, body := get(t, test.method, base+test.path, test.accept)
		h := resp.Header
		if resp.StatusCode != 503 || h.Get("Retry-After") != "90" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: %d %v", test, resp.StatusCode, h)
		}
		if got := strings.HasPrefix(h.Get("Content-Type"), "application/json"); got != test.json {
			t.Errorf("%+v: content type %s", test, h.Get("Content-Type"))
		}
		switch {
		case test.method == "HEAD":
			if body != "" || resp.ContentLength < 100 {
				t.Errorf("%+v: %d bytes, length %d", test, len(body), resp.ContentLength)
			}
		case json.Valid([]byte(body)) != test.json:
			t.Errorf("%+v: got %s", test, body)
		case !test.json && !strings.Contains(body, "Moving &lt;house&gt;"):
			t.Errorf("%+v: not the published page: %s", test, body)
		}
	}
	if resp, _ := get(t, "GET", base+"/healthz", ""); resp.StatusCode != 200 {
		t.Errorf("health: %d", resp.StatusCode)
	}
}

func TestServeWithoutPublishedPage(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		base := serve(t, page.Options{Dir: dir})
		resp, body := get(t, "GET", base, "")
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "60" || !strings.Contains(body, "점검") {
			t.Errorf("dir %q: %d %v %s", dir, resp.StatusCode, resp.Header, body)
		}
		if resp, _ := get(t, "GET", base+"/healthz", ""); resp.StatusCode != 503 {
			t.Errorf("a health path that nobody asked for: %d", resp.StatusCode)
		}
	}
}

func TestServeSaysThatThePortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	if err := page.Serve(t.Context(), page.Options{Listen: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}
