package servers_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// conductorWord makes this test binary start a server and then wait to be
// killed, as a conductor would be.
const conductorWord = "start-postgres-and-wait"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == conductorWord {
		conductor(os.Args[2])
		return
	}
	testenv.Main(m)
}

// order is what the other process is told.
type order struct {
	Install        servers.Install
	Dir, Templates string
	Die            bool
}

func conductor(text string) {
	var o order
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		_, err = servers.StartPostgres(context.Background(), servers.Options{
			Install: o.Install, Dir: o.Dir, Templates: o.Templates, DieWithParent: o.Die,
		})
	}
	fmt.Println("started", err)
	<-context.Background().Done()
}

// killedConductor starts a server from another process, which it then kills.
func killedConductor(t *testing.T, o servers.Options) {
	t.Helper()
	text, err := json.Marshal(order{o.Install, o.Dir, o.Templates, o.DieWithParent})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], conductorWord, string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "started <nil>\n" {
		t.Errorf("the other process says %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it says that it was killed
}

func options(t *testing.T) servers.Options {
	older, _ := installs(t)
	cache, err := servers.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return servers.Options{
		Install: older, Dir: filepath.Join(t.TempDir(), "pg"), Templates: filepath.Join(cache, "templates"),
		Settings: map[string]string{"fsync": "off"},
	}
}

func stopAtEnd(t *testing.T, p *servers.Postgres) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := p.Stop(ctx, servers.Immediate); err != nil {
			t.Error(err)
		}
	})
}

// A server outlives its conductor and is taken over.
func TestOutlivesItsConductor(t *testing.T) {
	o := options(t)
	killedConductor(t, o)
	p, err := servers.Attach(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
	query(t, p.DSN("postgres", ""), "select 'here'")
	if _, err := servers.StartPostgres(t.Context(), o); fault.KindOf(err) != fault.Busy {
		t.Errorf("a second start: %v", err)
	}
}

// A server that shall die with its parent does, and starts again afterwards.
func TestDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // elsewhere the option does nothing, as it says
	}
	o := options(t)
	o.DieWithParent = true
	killedConductor(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := servers.Attach(o.Dir)
		if errors.Is(err, servers.ErrNotRunning) {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it is still there: %v", err)
		case <-ticker.C:
		}
	}
	p, err := servers.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
}

// After a crash the server starts again at once, while processes of the old
// one may still be about, and has what was committed.
func TestStartsAgainAfterKill(t *testing.T) {
	o := options(t)
	p, err := servers.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	query(t, p.DSN("postgres", ""), "create table kept as select 'kept' as word")
	if err := p.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, err = servers.StartPostgres(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
	if got := query(t, p.DSN("postgres", ""), "select word from kept"); got != "kept" {
		t.Errorf("got %q", got)
	}
}

// An initdb that was cut off is no data directory.
func TestCutOffInTheMiddle(t *testing.T) {
	o := options(t)
	o.Password = secret.New("not the template's")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := servers.StartPostgres(ctx, o); err == nil {
		t.Fatal("it started within 100 ms")
	}
	p, err := servers.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
	query(t, p.DSN("postgres", ""), "select 'here'")
}

func TestStartRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := options(t)
	o.Port = taken.Addr().(*net.TCPAddr).Port
	_, err = servers.StartPostgres(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "could not create any TCP/IP sockets") {
		t.Errorf("a port that is taken: %v", err)
	}
	o.Port, o.Settings = 0, map[string]string{"shared_bufers": "1GB"}
	_, err = servers.StartPostgres(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "shared_bufers"`) {
		t.Errorf("a setting that there is not: %v", err)
	}
	if os.Geteuid() != 0 {
		return // only root has another account to run servers as
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Settings = filepath.Join(closed, "pg"), nil
	t.Setenv("TMPDIR", t.TempDir()) // what lies elsewhere is not opened
	_, err = servers.StartPostgres(t.Context(), o)
	if fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), closed+`" is closed to it`) {
		t.Errorf("a directory that is closed: %v", err)
	}
}
