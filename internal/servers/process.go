package servers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// pollEvery is how often a server's files are read while it starts or stops.
const pollEvery = 5 * time.Millisecond

// process is a server's main process: a child, or one that was found again.
type process struct {
	pid int
	// exited closes when a child has ended and been reaped; nil if it is not
	// a child of this process.
	exited chan struct{}
}

// launch starts a server in its own session, so that neither Ctrl-C nor the
// end of this process reaches it; with dieWithParent the kernel sends it that
// signal when this process ends (Linux only). Output goes to the log file.
func launch(cmd *exec.Cmd, as *account, logFile string, dieWithParent syscall.Signal) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: as.credential()}
	setDeathSignal(cmd.SysProcAttr, dieWithParent)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	p := &process{pid: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		_ = out.Close()
		close(p.exited)
	}()
	return p, nil
}

// alive tells whether the process still runs.
func (p *process) alive() bool {
	if p.exited == nil {
		return !errors.Is(syscall.Kill(p.pid, 0), syscall.ESRCH) && !zombie(p.pid)
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// end sends a signal and waits until the process has gone.
func (p *process) end(ctx context.Context, sig syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.pid, err)
	}
	return until(ctx, pollEvery, func() (bool, error) { return !p.alive(), nil })
}

// serverEnv is what a server gets of this process's environment: what finds
// its libraries and the time, never a variable that may be a secret. Its home
// is one that its account may enter.
func serverEnv(home string) []string {
	env := []string{"HOME=" + home, "LC_ALL=C"}
	for _, name := range []string{"PATH", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// The ports that FreePort picks from lie below those that Linux (32768 and up)
// and macOS (49152 and up) lend to outgoing connections: one of these could
// take the port again before its server listens on it.
const firstPort, endPort = 15000, 32768

// FreePort is a TCP port of 127.0.0.1 that nobody listens on just now.
func FreePort() (int, error) {
	var taken error
	for range 100 {
		port := firstPort + rand.N(endPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		taken = err
	}
	return 0, fmt.Errorf("find a free port: %w", taken)
}
