package haproxy_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const plain = `
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    load-server-state-from-file global
backend shop
    server old 127.0.0.1:1 weight 100
    server page 127.0.0.1:2 weight 0
    server broken 127.0.0.1:3 disabled
backend other
    balance leastconn
    server one 127.0.0.1:4
`

func TestServersAndStats(t *testing.T) {
	client := testenv.Gateway(t, testenv.HAProxy(t), plain).Client()
	got, err := client.Servers(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	want := []haproxy.Server{
		{Backend: "shop", Name: "old", Address: "127.0.0.1:1", Weight: 100, Initial: 100, Up: true},
		{Backend: "shop", Name: "page", Address: "127.0.0.1:2", Up: true},
		{Backend: "shop", Name: "broken", Address: "127.0.0.1:3", Weight: 1, Initial: 1, Admin: haproxy.Maint},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stats, err := client.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := stats[len(stats)-1]
	if diff := cmp.Diff(haproxy.Stat{Proxy: "other", Service: haproxy.BackendService, Status: "UP", Algorithm: "leastconn", Weight: 1}, last); diff != "" {
		t.Error(diff)
	}
	if version, err := client.Version(t.Context()); err != nil || !strings.HasPrefix(testenv.HAProxy(t).Name, "HAProxy "+version) {
		t.Errorf("version %q, %v", version, err)
	}
}

// A backend that is drained says so; a socket without level admin refuses.
func TestStateAndLevel(t *testing.T) {
	port := testenv.FreePort(t)
	g := testenv.Gateway(t, testenv.HAProxy(t), fmt.Sprintf("global\n    stats socket ipv4@127.0.0.1:%d level user\n%s", port, plain))
	if err := g.Client().SetState(t.Context(), "shop", "old", haproxy.Drain); err != nil {
		t.Fatal(err)
	}
	servers, err := g.Client().Servers(t.Context(), "shop")
	if err != nil || servers[0].Admin != haproxy.Drain {
		t.Errorf("got %v, %v", servers, err)
	}
	for _, address := range []string{"ipv4@127.0.0.1:%d", "tcp@127.0.0.1:%d", "127.0.0.1:%d"} {
		user := haproxy.New(fmt.Sprintf(address, port))
		if level, err := user.Level(t.Context()); err != nil || level != "user" {
			t.Errorf("level %q, %v", level, err)
		}
		if err := user.SetWeight(t.Context(), "shop", "old", 1); fault.KindOf(err) != fault.Denied {
			t.Errorf("set a weight as user: %v", err)
		}
	}
}

// Many who save at once leave a whole file with the owner's mode, and nothing
// else but the lock.
func TestSaveState(t *testing.T) {
	client := testenv.Gateway(t, testenv.HAProxy(t), plain).Client()
	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	if err := os.WriteFile(file, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	var savers sync.WaitGroup
	for range 8 {
		savers.Go(func() {
			if err := client.SaveState(t.Context(), "", file); err != nil {
				t.Error(err)
			}
		})
	}
	savers.Wait()
	if servers, err := haproxy.ReadStateFile(file); err != nil || len(servers) != 4 {
		t.Errorf("saved %v, %v", servers, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := client.SaveState(t.Context(), "gone", file); !errors.Is(err, haproxy.ErrNoBackend) {
		t.Errorf("state of an unknown backend: %v", err)
	}
}

// What listens there may not be HAProxy.
func TestNotHAProxy(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, "SSH-2.0-hello")
			_ = conn.Close()
		}
	}()
	client := haproxy.New(l.Addr().String())
	_, infoErr := client.Info(t.Context())
	_, serversErr := client.Servers(t.Context(), "")
	_, statsErr := client.Stats(t.Context())
	for _, err := range []error{infoErr, serversErr, statsErr, client.SetWeight(t.Context(), "a", "b", 1)} {
		if err == nil {
			t.Error("no error")
		}
	}
	if _, err := client.Command(t.Context(), "show info; show stat"); err == nil {
		t.Error("two commands are taken as one")
	}
}

func TestStateFile(t *testing.T) {
	const global = "global\n server-state-file /var/lib/haproxy/state\n"
	const load = "defaults\n load-server-state-from-file global\n"
	for _, tt := range []struct {
		name, config string
		file         string
		own          bool
		err, hint    string
	}{
		{"in the defaults", global + load + "backend shop\n", "/var/lib/haproxy/state", false, "", ""},
		{"in the backend, after a comment", global + "defaults\n # load-server-state-from-file global\nbackend shop\n load-server-state-from-file \"global\" # yes\n", "/var/lib/haproxy/state", false, "", ""},
		{"in a listen section", global + load + "listen shop\n", "/var/lib/haproxy/state", false, "", ""},
		{"in named defaults", global + "defaults a\n load-server-state-from-file global\ndefaults b\nbackend shop from a\n", "/var/lib/haproxy/state", false, "", ""},
		{"with a base", "global\n server-state-base /var/lib/haproxy/\n server-state-file state\n" + load + "backend shop\n", "/var/lib/haproxy/state", false, "", ""},
		{"of its own", "global\n server-state-base /var/lib\ndefaults\n load-server-state-from-file local\nbackend shop\n", "/var/lib/shop", true, "", ""},
		{"of its own, named", "global\n server-state-base /var/lib\ndefaults\n load-server-state-from-file local\nbackend shop\n server-state-file-name s\n", "/var/lib/s", true, "", ""},
		{"turned off", global + load + "backend shop\n load-server-state-from-file none\n", "", false, `backend "shop" does not load`, "load-server-state-from-file global"},
		{"missing", global + "defaults\nbackend shop\n", "", false, `backend "shop" does not load`, "load-server-state-from-file global"},
		{"without a file", load + "backend shop\n", "", false, "it names no server-state-file", "server-state-file /"},
		{"relative", "global\n server-state-file state\n" + load + "backend shop\n", "", false, `"state" is relative`, "name it in state_file"},
		{"a variable", "global\n server-state-file \"$DIR/state\"\n" + load + "backend shop\n", "", false, "has a variable", "name it in state_file"},
		{"another backend", global + load + "backend other\n", "", false, `find backend "shop"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, err := readConfig(t, tt.config)
			if err != nil {
				t.Fatal(err)
			}
			file, own, err := config.StateFile("shop")
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(strings.Join(fault.Hints(err), "\n"), tt.hint) {
					t.Fatalf("got error %v with hints %q, want %q and %q", err, fault.Hints(err), tt.err, tt.hint)
				}
				return
			}
			if err != nil || file != tt.file || own != tt.own {
				t.Errorf("got %q, %v, %v; want %q, %v", file, own, err, tt.file, tt.own)
			}
		})
	}
}

func readConfig(t testing.TB, text string) (*haproxy.Config, error) {
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return haproxy.ReadConfig(file)
}

func TestWeighs(t *testing.T) {
	config, err := readConfig(t, "backend plain\nbackend consistent\n hash-type consistent sdbm\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		backend, algorithm string
		ok                 bool
	}{
		{"plain", "roundrobin", true}, {"plain", "leastconn", true}, {"plain", "random", true},
		{"plain", "static-rr", false}, {"plain", "first", false}, {"plain", "source", false}, {"plain", "uri", false},
		{"consistent", "source", true}, {"consistent", "static-rr", false},
	} {
		if err := config.Weighs(tt.backend, tt.algorithm); (err == nil) != tt.ok {
			t.Errorf("%s with %s: %v", tt.algorithm, tt.backend, err)
		}
	}
}

func TestConfigIsWrong(t *testing.T) {
	if _, err := readConfig(t, "global\n stats socket \"/run/x\n"); err == nil || !strings.Contains(err.Error(), `haproxy.cfg:2: a " is not closed`) {
		t.Errorf("got error %v", err)
	}
	if _, err := readConfig(t, "mode http\n"); err == nil || !strings.Contains(err.Error(), `:1: "mode" stands before any section`) {
		t.Errorf("got error %v", err)
	}
	if _, err := haproxy.ReadConfig(filepath.Join(t.TempDir(), "gone.cfg")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got error %v", err)
	}
}

// A directory is read file by file, in order, as HAProxy does.
func TestConfigDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"10-global.cfg": "global\n server-state-file /s\ndefaults\n load-server-state-from-file global\n",
		"20-shop.cfg":   "backend shop\n server a\\ b 127.0.0.1:1 # one\n", "readme": "not a configuration",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := haproxy.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if file, _, err := config.StateFile("shop"); err != nil || file != "/s" {
		t.Errorf("got %q, %v", file, err)
	}
	if !config.Backend("shop").HasServer("a b") {
		t.Error("a quoted name is not found")
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(plain)
	f.Add("global\n a \"b\\\" c\" 'd' # e\ndefaults x\nbackend shop from y\n load-server-state-from-file local")
	f.Fuzz(func(t *testing.T, text string) {
		config, err := readConfig(t, text)
		if err != nil {
			return
		}
		_, _, _ = config.StateFile("shop")
		_ = config.Weighs("shop", "source")
	})
}

func FuzzState(f *testing.F) {
	f.Add("1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_port\n3 shop 1 old 127.0.0.1 2 0 100 100 80\n")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = haproxy.ParseState(strings.NewReader(text)) })
}
