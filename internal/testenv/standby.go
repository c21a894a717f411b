package testenv

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// Standby is a physical standby, made by pg_basebackup and run by pg_ctl.
type Standby struct {
	// Dir is its data directory, Bin that of its programs, User the account
	// that it runs as where the tests run as root.
	Dir, Bin, User string
	Port           int
	DSN            secret.DSN
}

// NewStandby makes a standby of a server's database, with more lines of
// configuration.
func NewStandby(t testing.TB, of *servers.Postgres, config string) *Standby {
	t.Helper()
	port := FreePort(t)
	s := &Standby{Dir: filepath.Join(ServerDir(t), "standby"), Bin: of.Install.Bin, User: "postgres", Port: port}
	s.DSN = AtPort(t, of.DSN("postgres", ""), port)
	s.tool(t, "pg_basebackup", "-D", s.Dir, "-d", of.DSN("postgres", "").Reveal(), "-R", "-c", "fast", "-X", "stream")
	lines := "\nport = " + strconv.Itoa(port) + StandbySettings + config + "\n"
	file, err := os.OpenFile(filepath.Join(s.Dir, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(lines)
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.tool(t, "pg_ctl", "start", "-w", "-D", s.Dir, "-l", filepath.Join(s.Dir, "log"))
	t.Cleanup(func() { StopServer(t, s.Bin, s.Dir) })
	return s
}

// StandbySettings fit a standby to the test servers, whose own settings stand
// on their command lines.
const StandbySettings = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
max_prepared_transactions = 10
shared_buffers = 16MB
fsync = off
`

// ServerDir is a temporary directory of the account that servers run as.
func ServerDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	as := serverAccount(t)
	if as == nil {
		return dir
	}
	if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
		t.Fatal(err)
	}
	for d := dir; strings.HasPrefix(d, os.TempDir()) && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// AtPort is the connection string of another server of this machine.
func AtPort(t testing.TB, dsn secret.DSN, port int) secret.DSN {
	t.Helper()
	u, err := url.Parse(dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d", port)
	return secret.NewDSN(u.String())
}

// StopServer ends whatever runs in a data directory, if anything does.
func StopServer(t testing.TB, bin, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "postmaster.pid")); err != nil {
		return
	}
	s := &Standby{Bin: bin}
	s.tool(t, "pg_ctl", "stop", "-w", "-m", "immediate", "-D", dir)
}

// tool runs a program of the server's as its account. Its output may stay open
// in a server that it starts.
func (s *Standby) tool(t testing.TB, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, name), args...)
	cmd.Dir, cmd.WaitDelay, cmd.SysProcAttr = "/", time.Second, &syscall.SysProcAttr{Credential: serverAccount(t)}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, said.String())
	}
}

// serverAccount is whom servers run as if the tests run as root.
func serverAccount(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
