package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// Options say how a PostgreSQL server is made and started.
type Options struct {
	// Install is the PostgreSQL to start.
	Install Install
	// Dir holds everything of the server: data, log, password. It is made if
	// it is not there; one that holds a stopped server starts that one again.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one.
	Port int
	// Settings are server settings, "fsync": "off".
	Settings map[string]string
	// Superuser is the first role; "postgres" if empty.
	Superuser string
	// Password of the superuser, and then of every role that connects.
	// Without one nobody is asked for a password: for tests alone.
	Password secret.String
	// InitArgs are further arguments of initdb, "--data-checksums".
	InitArgs []string
	// Templates is a directory that keeps a fresh data directory for each
	// install and copies it, which is faster than initdb and leaves nothing
	// synced to disk: for tests, without Password and InitArgs.
	Templates string
	// DieWithParent stops the server when this process ends, however it ends
	// (Linux only).
	DieWithParent bool
}

// Postgres is a running PostgreSQL server.
type Postgres struct {
	Install   Install
	Dir       string
	Port      int
	Superuser string
	// Socket is the directory of its Unix socket.
	Socket string

	password secret.String
	process  *process
}

// StopMode is how a server is asked to end.
type StopMode syscall.Signal

// The ways to end, as pg_ctl names them: Smart waits for clients, Fast rolls
// them back, Immediate ends without a checkpoint.
const (
	Smart     = StopMode(syscall.SIGTERM)
	Fast      = StopMode(syscall.SIGINT)
	Immediate = StopMode(syscall.SIGQUIT)
)

// Files in Dir.
const (
	dataDir      = "data"
	logName      = "server.log"
	passwordName = "password"
	recordName   = "server.json"
)

// record is what Attach needs to know besides postmaster.pid.
type record struct {
	Install   Install `json:"install"`
	Superuser string  `json:"superuser"`
}

// LogFile is where the server's own words are.
func (p *Postgres) LogFile() string { return filepath.Join(p.Dir, logName) }

// DataDir is the server's data directory.
func (p *Postgres) DataDir() string { return filepath.Join(p.Dir, dataDir) }

// PID is the server's main process.
func (p *Postgres) PID() int { return p.process.pid }

// DSN is a connection string over TCP; an empty user is the superuser.
func (p *Postgres) DSN(database, user string) secret.DSN {
	if user == "" {
		user = p.Superuser
	}
	u := url.URL{
		Scheme: "postgres", User: url.User(user), Host: "127.0.0.1:" + strconv.Itoa(p.Port),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}
	if !p.password.Empty() {
		u.User = url.UserPassword(user, p.password.Reveal())
	}
	return secret.NewDSN(u.String())
}

// StartPostgres makes a server if Dir holds none, starts it, and returns when
// it takes connections. As root the server runs as an unprivileged account.
func StartPostgres(ctx context.Context, o Options) (*Postgres, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	p := &Postgres{Install: o.Install, Dir: dir, Superuser: o.Superuser, Socket: socketDir(dir), password: o.Password}
	if p.Superuser == "" {
		p.Superuser = "postgres"
	}
	if _, err := Attach(dir); err == nil {
		return nil, fault.New(fault.Busy, fmt.Sprintf("start PostgreSQL %s in %q: one runs there already", o.Install.Version, dir), "")
	}
	account, err := serverAccount()
	if err == nil {
		err = p.awaitEnd(ctx)
	}
	if err == nil {
		err = p.prepare(ctx, o, account)
	}
	if err == nil {
		err = p.start(ctx, o, account)
	}
	if err != nil {
		err = fmt.Errorf("start PostgreSQL %s in %q: %w", o.Install.Version, dir, err)
		return nil, errors.Join(err, os.RemoveAll(p.Socket))
	}
	return p, nil
}

// endingLimit is how long a server that takes no sessions any more may take
// to end.
const endingLimit = 30 * time.Second

// awaitEnd waits for a server of the same directory that is just ending: it
// holds the lock file until then. Whether it ended in time, the next start
// tells.
func (p *Postgres) awaitEnd(ctx context.Context) error {
	file, err := readPIDFile(p.DataDir())
	if err != nil {
		return nil //nolint:nilerr // none has run there, or its file says nothing
	}
	old := &process{pid: file.pid}
	waiting, cancel := context.WithTimeout(ctx, endingLimit)
	defer cancel()
	err = until(waiting, pollEvery, func() (bool, error) { return !old.alive() || !servesData(file.pid, p.DataDir()), nil })
	if ctx.Err() != nil {
		return err
	}
	return nil
}

// prepare makes the directories, and the data directory by initdb or from a
// template.
func (p *Postgres) prepare(ctx context.Context, o Options, as *account) error {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return err
	}
	if err := privateDir(p.Socket, as); err != nil {
		return err
	}
	if err := errors.Join(as.open(filepath.Dir(p.Dir)), as.reaches(p.Install.Bin)); err != nil {
		return err
	}
	if _, err := os.Stat(p.DataDir()); err == nil {
		_, err = p.readRecord() // role and password are those that it was made with
		return err
	}
	text, err := json.Marshal(record{p.Install, p.Superuser})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.Dir, recordName), text, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.Dir, passwordName), []byte(p.password.Reveal()), 0o600); err != nil {
		return err
	}
	return p.makeData(ctx, o, as)
}

// makeData makes the data directory, by initdb or from a template. It takes
// its name only when it is complete.
func (p *Postgres) makeData(ctx context.Context, o Options, as *account) error {
	part := p.DataDir() + ".part"
	if err := errors.Join(os.RemoveAll(part), as.own(p.Dir)); err != nil {
		return err
	}
	var err error
	if o.Templates != "" && p.password.Empty() && len(o.InitArgs) == 0 {
		err = p.copyTemplate(ctx, o.Templates, part, as)
	} else {
		err = p.initdb(ctx, part, o.InitArgs, as)
	}
	if err != nil {
		return err
	}
	return os.Rename(part, p.DataDir())
}

func (p *Postgres) initdb(ctx context.Context, data string, args []string, as *account) error {
	auth := []string{"--auth=trust"}
	if !p.password.Empty() {
		method := "scram-sha-256"
		if p.Install.Major < 10 {
			method = "md5"
		}
		auth = []string{"--auth=" + method, "--pwfile=" + filepath.Join(p.Dir, passwordName)}
	}
	args = append([]string{"--pgdata=" + data, "--username=" + p.Superuser, "--encoding=UTF8", "--locale=C"}, args...)
	cmd := exec.CommandContext(ctx, p.Install.Tool("initdb"), append(args, auth...)...)
	cmd.Dir, cmd.Env = p.Dir, serverEnv(p.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.credential()}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// start launches the server and waits for it, again where only the moment was
// wrong: a port that may be chosen was taken meanwhile, or processes of a
// server that was killed have not gone yet.
func (p *Postgres) start(ctx context.Context, o Options, as *account) error {
	for {
		said, err := p.startOnce(ctx, o, as)
		if err == nil {
			return nil
		}
		taken := o.Port == 0 && strings.Contains(said, "Address already in use")
		lingers := strings.Contains(said, "is still in use") // shared memory
		if ctx.Err() != nil || !taken && !lingers {
			return fault.Wrap(fault.Failed, "", fmt.Errorf("%w: %s", err, reason(said)), "read "+p.LogFile())
		}
	}
}

// startOnce gives what the server said if it did not start.
func (p *Postgres) startOnce(ctx context.Context, o Options, as *account) (said string, err error) {
	if p.Port = o.Port; p.Port == 0 {
		if p.Port, err = FreePort(); err != nil {
			return "", err
		}
	}
	before, err := fileSize(p.LogFile())
	if err != nil {
		return "", err
	}
	cmd := exec.Command(p.Install.Tool("postgres"), p.arguments(o.Settings)...)
	cmd.Dir, cmd.Env = p.Dir, serverEnv(p.Dir)
	var death syscall.Signal
	if o.DieWithParent {
		death = syscall.Signal(Immediate)
	}
	if p.process, err = launch(cmd, as, p.LogFile(), death); err != nil {
		return "", err
	}
	if err = p.awaitReady(ctx); err == nil {
		return "", nil
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, p.process.end(stopCtx, syscall.Signal(Immediate)))
	return logSince(p.LogFile(), before), err
}

func (p *Postgres) arguments(settings map[string]string) []string {
	args := []string{
		"-D", p.DataDir(), "-p", strconv.Itoa(p.Port), "-k", p.Socket,
		"-c", "listen_addresses=127.0.0.1", "-c", "log_destination=stderr", "-c", "logging_collector=off",
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// Stop ends the server and waits until it has gone.
func (p *Postgres) Stop(ctx context.Context, mode StopMode) error {
	if err := p.process.end(ctx, syscall.Signal(mode)); err != nil {
		return fmt.Errorf("stop PostgreSQL %s in %q: %w", p.Install.Version, p.Dir, err)
	}
	return os.RemoveAll(p.Socket)
}

// Kill ends the server's main process as a power cut would. Its children
// notice and end by themselves.
func (p *Postgres) Kill(ctx context.Context) error { return p.process.end(ctx, syscall.SIGKILL) }

// Remove deletes everything of a stopped server.
func (p *Postgres) Remove() error { return errors.Join(os.RemoveAll(p.Socket), os.RemoveAll(p.Dir)) }
