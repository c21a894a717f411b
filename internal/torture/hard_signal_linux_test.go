package torture

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a terminal that a command runs on.
type terminal struct {
	*process
	master *os.File
	screen *text
}

// beginOnTerminal begins a command as a shell in a terminal window does.
func (n *night) beginOnTerminal(args ...string) *terminal {
	n.t.Helper()
	return n.beginOnTerminalWith(nil, args...)
}

func (n *night) beginOnTerminalWith(env []string, args ...string) *terminal {
	n.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		n.t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		n.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 150}); err != nil {
		n.t.Fatal(err)
	}
	cmd := n.command(n.t.Context(), args...)
	cmd.Env = append(append(cmd.Env, "TERM=xterm", "NO_COLOR=1"), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	t := &terminal{process: n.beginCommand(cmd), master: master, screen: &text{}}
	if err := slave.Close(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = master.Close() }) // the test may have closed it
	go func() { _, _ = io.Copy(t.screen, master) }()
	return t
}

// ends waits for the end of a command on a terminal.
func (t *terminal) ends() ended {
	t.n.t.Helper()
	select {
	case <-t.done:
	case <-time.After(patience):
		t.n.t.Errorf("the terminal shows:\n%s", t.screen)
	}
	return t.process.ends()
}

// press types on the terminal.
func (t *terminal) press(keys string) {
	t.n.t.Helper()
	if _, err := io.WriteString(t.master, keys); err != nil {
		t.n.t.Fatal(err)
	}
}

// shows waits until the terminal has shown something.
func (t *terminal) shows(words string) {
	t.n.t.Helper()
	t.n.t.Cleanup(func() {
		if t.n.t.Failed() {
			t.n.t.Logf("the terminal shows:\n%s", t.screen)
		}
	})
	t.n.until(words, func() bool { return strings.Contains(t.screen.String(), words) })
}

const ctrlC = "\x03"

// TestHardCtrlC: once lets the running step end, twice cancels it. Either way
// the terminal is given back and resume goes on.
func TestHardCtrlC(t *testing.T) {
	evac := parallel(t)
	t.Run("once", func(t *testing.T) {
		n := nightOf(t, evac, signalNight)
		p := n.beginOnTerminal("run", "night.hcl")
		n.untilFile("begun")
		p.press(ctrlC)
		p.shows("running steps are being finished; interrupt again to cancel them")
		n.write("go", "")
		if e := p.ends(); e.code != 130 {
			t.Errorf("exit %d, want 130\n%s", e.code, p.screen)
		}
		p.shows("evac: hint: evac resume --run")
		n.is("ended", 1)
		n.is("next", 0)
		n.done(n.run(live, "resume"))
		n.finished(1)
	})
	t.Run("twice", func(t *testing.T) {
		n := nightOf(t, evac, signalNight)
		p := n.beginOnTerminal("run", "night.hcl")
		n.untilFile("begun")
		p.press(ctrlC)
		p.shows("interrupt again")
		p.press(ctrlC)
		if e := p.ends(); e.code != 130 {
			t.Errorf("exit %d, want 130\n%s", e.code, p.screen)
		}
		p.shows("interrupted by the operator")
		n.is("ended", 0)
		n.write("go", "")
		n.done(n.run(live, "resume"))
		n.finished(2)
	})
}

// TestHardTerminalClosed: a terminal that is closed is like Ctrl-C once, even
// if the shell says it a second time.
func TestHardTerminalClosed(t *testing.T) {
	n := nightOf(t, parallel(t), signalNight)
	p := n.beginOnTerminal("run", "night.hcl")
	n.untilFile("begun")
	if err := p.master.Close(); err != nil {
		t.Fatal(err)
	}
	p.send(syscall.SIGHUP)
	p.send(syscall.SIGHUP)
	for range 2 { // nothing tells from outside that it has been heard; it is heard at once
		n.status()
	}
	n.write("go", "")
	if e := p.ends(); e.code != 130 || e.killed {
		t.Errorf("exit %d (killed: %v), want 130", e.code, e.killed)
	}
	n.is("ended", 1)
	n.is("next", 0)
	n.done(n.run(live, "resume"))
	n.finished(1)
}

// TestHardSignals: SIGTERM is like Ctrl-C once; what was ignored when evac was
// started (nohup, a script's background job) stays ignored.
func TestHardSignals(t *testing.T) {
	evac := parallel(t)
	for _, c := range []struct {
		name, trap string
		signal     syscall.Signal
		code, next int
	}{
		{"SIGTERM", "", syscall.SIGTERM, 130, 0},
		{"SIGINT", "", syscall.SIGINT, 130, 0},
		{"SIGHUP", "", syscall.SIGHUP, 130, 0},
		{"SIGHUP under nohup", "trap '' HUP;", syscall.SIGHUP, 0, 1},
		{"SIGINT in the background", "trap '' INT;", syscall.SIGINT, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := nightOf(t, evac, signalNight)
			evacCommand := n.command(t.Context(), "run", "night.hcl")
			cmd := exec.CommandContext(t.Context(), "sh", "-c", c.trap+` exec "$0" "$@"`, n.evac, "run", "night.hcl")
			cmd.Dir, cmd.Env = evacCommand.Dir, evacCommand.Env
			p := n.beginCommand(cmd)
			n.untilFile("begun")
			p.send(c.signal)
			if c.code != 0 {
				p.untilSaid("running steps are being finished")
			}
			n.write("go", "")
			if e := p.ends(); e.code != c.code || e.killed {
				t.Errorf("exit %d (killed: %v), want %d\n%s%s", e.code, e.killed, c.code, e.stdout, e.stderr)
			}
			n.is("next", c.next)
			if c.code != 0 {
				n.done(n.run(live, "resume"))
			}
			n.finished(1)
		})
	}
}

// TestHardReaderGone: evac run | head -1 does not end the night.
func TestHardReaderGone(t *testing.T) {
	evac := parallel(t)
	for _, c := range []struct {
		name string
		args []string
		err  bool // the reader of standard error goes
	}{
		{"json", []string{"run", "night.hcl", "--json"}, false},
		{"plain", []string{"run", "night.hcl"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := nightOf(t, evac, signalNight)
			cmd := n.command(t.Context(), c.args...)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			if cmd.Stdout = write; c.err {
				cmd.Stdout, cmd.Stderr = nil, write
			}
			p := n.beginCommand(cmd)
			if _, err := bufio.NewReader(read).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			n.untilFile("begun")
			if err := read.Close(); err != nil {
				t.Fatal(err)
			}
			if err := write.Close(); err != nil {
				t.Fatal(err)
			}
			n.write("go", "")
			e := n.done(p.ends())
			if !c.err && !strings.Contains(e.stderr, "nobody reads the output any more; the run goes on") {
				t.Errorf("nobody is told:\n%s", e.stderr)
			}
			n.finished(1)
		})
	}
}
