package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/servers/standin"
)

// standInArgument makes a test binary be the stand-in gateway, see Stopping.
const standInArgument = "gateway-stand-in"

// serveStandIn is the stand-in if that is what this process was started as.
func serveStandIn() (served bool) {
	if len(os.Args) != 3 || os.Args[1] != standInArgument {
		return false
	}
	if err := standin.Serve(context.Background(), os.Args[2], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return true
}

// HAProxy is the machine's HAProxy; where there is none it is installed.
func HAProxy(t testing.TB) servers.GatewayProgram {
	t.Helper()
	program, err := servers.FindHAProxy(t.Context())
	if errors.Is(err, servers.ErrNoHAProxy) {
		program, err = servers.InstallHAProxy(t.Context())
	}
	if err != nil {
		t.Fatalf("%v: install haproxy", err)
	}
	return program
}

// StandIn is the built-in stand-in, not HAProxy. The package's TestMain must
// be Main or Stopping.
func StandIn() servers.GatewayProgram { return servers.StandIn(os.Args[0], standInArgument) }

// Gateway runs a gateway for one test, with a configuration as
// servers.GatewayOptions wants it.
func Gateway(t testing.TB, program servers.GatewayProgram, config string) *servers.Gateway {
	t.Helper()
	g, err := servers.StartGateway(t.Context(), servers.GatewayOptions{
		Program: program, Dir: filepath.Join(t.TempDir(), "gateway"), Config: config, DieWithParent: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return g
}

// Says is an HTTP server that answers everything with its name; it gives the
// address.
func Says(t testing.TB, name string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) }))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// FreePort is a TCP port of 127.0.0.1 that nobody listens on just now.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Answers sends n requests, each over a connection of its own, and counts the
// answers by their text.
func Answers(t testing.TB, url string, n int) map[string]int {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	count := map[string]int{}
	for range n {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			text = []byte(resp.Status)
		}
		count[string(text)]++
	}
	return count
}
