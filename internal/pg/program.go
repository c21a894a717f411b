package pg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// Local is a PostgreSQL server's place on this machine.
type Local struct {
	// Dir is its data directory.
	Dir string
	// Bin is the directory of its programs; "" looks in the usual places.
	Bin string
	// User is the account that it runs as where evac is root.
	User string
	// Start, Stop and Restart are shell commands that take the place of pg_ctl.
	Start, Stop, Restart string
}

// endGrace is how long a program may take to end after it was asked to.
const endGrace = 5 * time.Second

// shell runs a command of the operator's, in a process group that ends with ctx.
func shell(ctx context.Context, command string) error {
	return finish(ctx, exec.CommandContext(ctx, "/bin/sh", "-c", command))
}

// finish runs a program and gives the end of what it said as its error. What
// it leaves running in the background may hold its output open: that is not
// waited for.
func finish(ctx context.Context, cmd *exec.Cmd) error {
	out, err := os.CreateTemp("", "evac-program-")
	if err != nil {
		return fmt.Errorf("keep the output of %s: %w", cmd.Args[0], err)
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Env = append(secret.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.WaitDelay = true, endGrace
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	err = cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	said, unread := os.ReadFile(out.Name())
	if lines := strings.Split(strings.TrimSpace(string(said)), "\n"); lines[0] != "" {
		err = fmt.Errorf("%w: %s", err, strings.Join(lines[max(0, len(lines)-saidLines):], "; "))
	}
	return errors.Join(err, unread)
}

// saidLines is how many of a program's last lines stand in an error.
const saidLines = 3

// account is who a server's programs and files belong to; nil: whoever runs evac.
type account struct{ uid, gid uint32 }

func (l Local) account() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(l.User)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, fmt.Sprintf("find the account %q that the server runs as", l.User), err, `user = "NAME" names another`)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	gid, wrong := strconv.ParseUint(u.Gid, 10, 32)
	return &account{uint32(uid), uint32(gid)}, errors.Join(err, wrong)
}

// pgCtl runs pg_ctl of the server's own major version.
func (l Local) pgCtl(ctx context.Context, major int, args ...string) error {
	bin, err := l.find(ctx, major)
	if err != nil {
		return err
	}
	as, err := l.account()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "pg_ctl"), append(args, "-D", l.Dir, "-w")...)
	cmd.Dir = "/"
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.uid, Gid: as.gid}}
	}
	if err := finish(ctx, cmd); err != nil {
		return fmt.Errorf("pg_ctl %s in %q: %w", args[0], l.Dir, err)
	}
	return nil
}

// binPlaces are where the programs of a PostgreSQL server stand.
var binPlaces = [...]string{
	"/usr/lib/postgresql/%d/bin", "/usr/pgsql-%d/bin", "/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql@%d/bin", "/usr/local/opt/postgresql@%d/bin",
	"/Applications/Postgres.app/Contents/Versions/%d/bin",
}

// find gives the directory of the server programs of a major version.
func (l Local) find(ctx context.Context, major int) (string, error) {
	if l.Bin != "" {
		got, err := serverMajor(ctx, l.Bin)
		if err == nil && got != major {
			err = fmt.Errorf("it is of major version %d, want %d", got, major)
		}
		return l.Bin, fault.Wrap(fault.Invalid, fmt.Sprintf("try the server programs in %q", l.Bin), err, "")
	}
	var places []string
	if path, err := exec.LookPath("postgres"); err == nil {
		places = append(places, filepath.Dir(path))
	}
	for _, pattern := range binPlaces {
		place, _, _ := strings.Cut(fmt.Sprintf(pattern, major), "%!")
		places = append(places, place)
	}
	for _, place := range places {
		if got, err := serverMajor(ctx, place); err == nil && got == major {
			return place, nil
		}
	}
	return "", fault.New(fault.Failed, fmt.Sprintf("find the server programs of PostgreSQL %d on this machine: none in the usual places", major),
		fmt.Sprintf("install the PostgreSQL %d server, or name the directory of its programs: bin = \"/path/to/bin\"", major))
}

// serverMajor asks the server program in a directory.
func serverMajor(ctx context.Context, bin string) (int, error) {
	d, err := askVersion(ctx, filepath.Join(bin, "postgres"))
	return d.Major, err
}

// running tells whether a server runs in the directory.
func (l Local) running(ctx context.Context, major int) (bool, error) {
	err := l.pgCtl(ctx, major, "status")
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && (exit.ExitCode() == notRunning || exit.ExitCode() == noDataDir):
		return false, nil
	}
	return false, err
}

// The exit codes of pg_ctl status.
const (
	notRunning = 3
	noDataDir  = 4
)

// enters tells whether the account may enter a directory.
func (a *account) enters(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !ok || !info.IsDir():
		return true
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}
