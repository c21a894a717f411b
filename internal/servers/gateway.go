package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/haproxy"
	"github.com/evac-io/evac/internal/servers/standin"
)

// GatewayProgram is what can stand in front of a service: HAProxy or the
// built-in stand-in.
type GatewayProgram struct {
	// Name says which, with its version.
	Name string `json:"name"`
	// Command starts it in the foreground; the configuration's path follows.
	Command []string `json:"command"`
	// Check tests a configuration; its path follows. Empty: none is needed.
	Check []string `json:"check,omitempty"`
}

// ErrNoHAProxy says that there is none on this machine.
var ErrNoHAProxy = errors.New("find HAProxy: it is not on this machine")

// FindHAProxy finds HAProxy in PATH or where systems put it.
func FindHAProxy(ctx context.Context) (GatewayProgram, error) {
	for _, path := range []string{"haproxy", "/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/homebrew/bin/haproxy", "/usr/local/bin/haproxy"} {
		path, err := exec.LookPath(path)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "-v").Output()
		if err != nil {
			continue
		}
		// "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - …"
		words := strings.Fields(string(out))
		if len(words) < 3 {
			continue
		}
		return GatewayProgram{Name: "HAProxy " + words[2], Command: []string{path, "-W", "-f"}, Check: []string{path, "-c", "-f"}}, nil
	}
	return GatewayProgram{}, ErrNoHAProxy
}

// InstallHAProxy gets HAProxy with the system's own package manager: apt as
// root, Homebrew otherwise. Where neither is, its error is ErrNoHAProxy.
func InstallHAProxy(ctx context.Context) (GatewayProgram, error) {
	var cmd *exec.Cmd
	if path, err := exec.LookPath("apt-get"); err == nil && os.Geteuid() == 0 {
		cmd = exec.CommandContext(ctx, path, "install", "--yes", "--quiet", "--no-install-recommends", "haproxy")
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	} else if path, err := exec.LookPath("brew"); err == nil && os.Geteuid() != 0 {
		cmd = exec.CommandContext(ctx, path, "install", "--quiet", "haproxy")
	} else {
		return GatewayProgram{}, ErrNoHAProxy
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return GatewayProgram{}, fmt.Errorf("install HAProxy: %w: %s", err, lastLine(string(out)))
	}
	return FindHAProxy(ctx)
}

// StandIn is the built-in stand-in; command is what calls standin.Serve with
// the configuration's path that follows it.
func StandIn(command ...string) GatewayProgram {
	return GatewayProgram{Name: standin.Name, Command: command}
}

// GatewayOptions say how a gateway is started.
type GatewayOptions struct {
	Program GatewayProgram
	// Dir holds everything of it: configuration, servers' state, log.
	Dir string
	// Config is the configuration without the global section that names the
	// runtime socket and the state file: StartGateway puts that before it.
	Config string
	// DieWithParent stops it when this process ends (Linux only).
	DieWithParent bool
}

// Gateway is a running HAProxy or stand-in.
type Gateway struct {
	Program GatewayProgram
	Dir     string
	process *process
}

// ConfigFile is its configuration.
func (g *Gateway) ConfigFile() string { return filepath.Join(g.Dir, "haproxy.cfg") }

// StateFile is where it finds its servers' state when it starts or reloads.
func (g *Gateway) StateFile() string { return filepath.Join(g.Dir, "server-state") }

// LogFile is where its own words are.
func (g *Gateway) LogFile() string { return filepath.Join(g.Dir, logName) }

// Socket is where its runtime API listens.
func (g *Gateway) Socket() string { return filepath.Join(socketDir(g.Dir), "haproxy") }

// Client talks to it.
func (g *Gateway) Client() *haproxy.Client { return haproxy.New(g.Socket()) }

// StartGateway writes the configuration and starts the program with it; it
// returns when the runtime API answers. What it knew of its servers when it
// ran last it knows again.
func StartGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	g := &Gateway{Program: o.Program, Dir: dir}
	if _, err := AttachGateway(ctx, dir); err == nil {
		// Two of them would share the port, each with weights of its own.
		return nil, fault.New(fault.Busy, fmt.Sprintf("start %s in %q: one runs there already", o.Program.Name, dir), "")
	}
	if err := g.start(ctx, o); err != nil {
		return nil, fmt.Errorf("start %s in %q: %w", o.Program.Name, dir, err)
	}
	return g, nil
}

func (g *Gateway) start(ctx context.Context, o GatewayOptions) error {
	if err := g.prepare(o.Config); err != nil {
		return err
	}
	before, err := fileSize(g.LogFile())
	if err != nil {
		return err
	}
	cmd := exec.Command(o.Program.Command[0], withPath(o.Program.Command, g.ConfigFile())...)
	cmd.Dir, cmd.Env = g.Dir, serverEnv(g.Dir)
	var death syscall.Signal
	if o.DieWithParent {
		death = syscall.SIGTERM
	}
	if g.process, err = launch(cmd, nil, g.LogFile(), death); err != nil {
		return err
	}
	err = g.answers(ctx, "")
	if err == nil {
		err = g.writeRecord()
	}
	if err != nil {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(fmt.Errorf("%w: %s", err, logSince(g.LogFile(), before)), g.Stop(stopCtx))
		return fault.Wrap(fault.Failed, "", err, "read "+g.LogFile())
	}
	return nil
}

func (g *Gateway) prepare(config string) error {
	if err := os.MkdirAll(g.Dir, 0o700); err != nil {
		return err
	}
	if err := privateDir(socketDir(g.Dir), nil); err != nil {
		return err
	}
	return os.WriteFile(g.ConfigFile(), []byte(g.global()+config), 0o600)
}

func (g *Gateway) global() string {
	return fmt.Sprintf("global\n    stats socket %s mode 600 level admin\n    server-state-file %s\n\n", g.Socket(), g.StateFile())
}

// withPath is a command's arguments with a path after them.
func withPath(command []string, path string) []string { return append(slices.Clone(command[1:]), path) }

// gatewayLimit bounds a start or a reload.
const gatewayLimit = 30 * time.Second

// answers waits until the runtime API has another identity than not, or
// until the gateway has ended.
func (g *Gateway) answers(ctx context.Context, not string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, gatewayLimit, fmt.Errorf("it does not answer after %s", gatewayLimit))
	defer cancel()
	return until(ctx, pollEvery, func() (bool, error) {
		if !g.process.alive() {
			return false, errors.New("it ended at once")
		}
		info, err := g.Client().Info(ctx)
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		return identity(info) != not, nil
	})
}

// identity changes with every reload: HAProxy's process is another one then,
// and the stand-in, which stays the same process, counts.
func identity(info map[string]string) string { return info["Pid"] + "/" + info["Reloads"] }

// gatewayRecord is what AttachGateway needs to know.
type gatewayRecord struct {
	Program GatewayProgram `json:"program"`
	PID     int            `json:"pid"`
}

func (g *Gateway) writeRecord() error {
	text, err := json.Marshal(gatewayRecord{g.Program, g.process.pid})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.Dir, recordName), text, 0o600)
}

// AttachGateway finds the running gateway of a directory, whoever started it.
// If none runs there its error is ErrNotRunning.
func AttachGateway(ctx context.Context, dir string) (*Gateway, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("attach to the gateway in %q: %w", dir, ErrNotRunning)
	}
	if err != nil {
		return nil, err
	}
	var r gatewayRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read %q: %w", recordName, err)
	}
	g := &Gateway{Program: r.Program, Dir: dir, process: &process{pid: r.PID}}
	if _, err := g.Client().Info(ctx); err != nil {
		return nil, fmt.Errorf("attach to the gateway in %q: %w", dir, errors.Join(ErrNotRunning, err))
	}
	return g, nil
}

// Reload makes the gateway read its configuration and its servers' state
// again without losing a request, and returns when the new process answers.
func (g *Gateway) Reload(ctx context.Context) error {
	if len(g.Program.Check) > 0 {
		out, err := exec.CommandContext(ctx, g.Program.Check[0], withPath(g.Program.Check, g.ConfigFile())...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("reload %s: its configuration is wrong: %s", g.Program.Name, strings.TrimSpace(string(out)))
		}
	}
	info, err := g.Client().Info(ctx)
	if err != nil {
		return fmt.Errorf("reload %s: %w", g.Program.Name, err)
	}
	if err := g.reload(ctx, identity(info)); err != nil {
		return fmt.Errorf("reload %s: %w", g.Program.Name, err)
	}
	return nil
}

// reloadPatience is how long one signal may take to have its effect.
const reloadPatience = 8 * time.Second

// reload asks again if nothing comes of a signal: HAProxy's master can miss
// one while it is still busy with the reload before.
func (g *Gateway) reload(ctx context.Context, old string) error {
	var err error
	for range 3 {
		if err = syscall.Kill(g.process.pid, syscall.SIGUSR2); err != nil {
			return err
		}
		patience, cancel := context.WithTimeout(ctx, reloadPatience)
		err = g.answers(patience, old)
		cancel()
		if err == nil || ctx.Err() != nil || !g.process.alive() {
			return err
		}
	}
	return err
}

// Stop ends the gateway and waits until it has gone.
func (g *Gateway) Stop(ctx context.Context) error {
	if err := g.process.end(ctx, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s in %q: %w", g.Program.Name, g.Dir, err)
	}
	return os.RemoveAll(socketDir(g.Dir))
}
