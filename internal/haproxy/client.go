// Package haproxy talks to HAProxy through its runtime API (the "stats
// socket"; HAProxy Management Guide, section 9.3), keeps the servers' state in
// the file that a reload reads, and reads as much of a configuration as is
// needed to know that it will.
package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// Client asks one HAProxy. Each command has a connection of its own, so a
// Client may be used from any goroutine.
type Client struct{ network, address string }

// answerLimit bounds one command: HAProxy answers from memory.
const answerLimit = 10 * time.Second

// maxAnswer bounds what is read; 10,000 servers take some 2 MB.
const maxAnswer = 256 << 20

// New makes a client for an address as a `stats socket` line has it: a path,
// "unix@PATH", "HOST:PORT", "ipv4@HOST:PORT" or "tcp@HOST:PORT".
func New(address string) *Client {
	for _, prefix := range []string{"ipv4@", "ipv6@", "tcp@", "tcp4@"} {
		if rest, ok := strings.CutPrefix(address, prefix); ok {
			return &Client{"tcp", rest}
		}
	}
	path := strings.TrimPrefix(address, "unix@")
	if _, port, err := net.SplitHostPort(path); err == nil && !strings.Contains(port, "/") && !strings.HasPrefix(path, "/") {
		return &Client{"tcp", path}
	}
	return &Client{"unix", path}
}

// The answers that mean refusal, for errors.Is.
var (
	ErrNoBackend = errors.New("no such backend")
	ErrNoServer  = errors.New("no such server")
)

// Command sends one line and gives what HAProxy says to it, without the
// blank lines around.
func (c *Client) Command(ctx context.Context, command string) (string, error) {
	answer, err := c.ask(ctx, command)
	if err == nil {
		return answer, nil
	}
	kind := fault.KindOf(err)
	if errors.Is(err, fs.ErrPermission) {
		kind = fault.Denied
	}
	return "", fault.Wrap(kind, fmt.Sprintf("ask HAProxy at %q", c.address), err, "")
}

func (c *Client) ask(ctx context.Context, command string) (answer string, err error) {
	if strings.ContainsAny(command, "\n;") {
		return "", fmt.Errorf("command %q is more than one", command)
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, c.network, c.address)
	if err != nil {
		return "", err
	}
	// The answer is whole by then; nothing can be lost in closing.
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", errors.Join(context.Cause(ctx), err)
	}
	text, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if err != nil {
		return "", errors.Join(context.Cause(ctx), err)
	}
	return strings.Trim(string(text), "\n"), nil
}

// set sends a command whose success is an empty answer.
func (c *Client) set(ctx context.Context, command string) error {
	answer, err := c.Command(ctx, command)
	if err != nil || answer == "" {
		return err
	}
	return refusal(answer)
}

// refusal is the error that an answer in words stands for.
func refusal(answer string) error {
	first, _, _ := strings.Cut(answer, "\n")
	switch {
	case strings.HasPrefix(first, "No such server"):
		return ErrNoServer
	case strings.HasPrefix(first, "No such backend"), strings.HasPrefix(first, "Can't find backend"):
		return ErrNoBackend
	case strings.HasPrefix(first, "Permission denied"):
		return fault.New(fault.Denied, "HAProxy refuses: "+first, "give the stats socket `level admin`")
	}
	return fmt.Errorf("HAProxy refuses: %s", first)
}

// Version is HAProxy's own, "2.6.12".
func (c *Client) Version(ctx context.Context) (string, error) {
	info, err := c.Info(ctx)
	return info["Version"], err
}

// Info is `show info`: facts by name, "Pid" and "Uptime_sec" among them.
func (c *Client) Info(ctx context.Context) (map[string]string, error) {
	answer, err := c.Command(ctx, "show info")
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(answer) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			info[name] = strings.TrimSpace(value)
		}
	}
	if info["Version"] == "" {
		return nil, fmt.Errorf("ask HAProxy at %q for its version: %w", c.address, refusal(answer))
	}
	return info, nil
}

// Level is what the socket permits: "user", "operator" or "admin".
func (c *Client) Level(ctx context.Context) (string, error) { return c.Command(ctx, "show cli level") }

// MaxWeight is the largest weight a server can have; 0 gives it no requests.
const MaxWeight = 256

// SetWeight sets a server's weight.
func (c *Client) SetWeight(ctx context.Context, backend, server string, weight int) error {
	err := c.set(ctx, fmt.Sprintf("set server %s/%s weight %d", backend, server, weight))
	return named("set the weight", backend, server, err)
}

// State is an operator's word on a server.
type State string

// The states: Drain takes no new clients, Maint none and no checks.
const (
	Ready State = "ready"
	Drain State = "drain"
	Maint State = "maint"
)

// SetState sets a server's state.
func (c *Client) SetState(ctx context.Context, backend, server string, state State) error {
	err := c.set(ctx, fmt.Sprintf("set server %s/%s state %s", backend, server, state))
	return named("set the state", backend, server, err)
}

// Weight is a server's present weight and the one that its configuration gave.
func (c *Client) Weight(ctx context.Context, backend, server string) (now, initial int, err error) {
	answer, err := c.Command(ctx, fmt.Sprintf("get weight %s/%s", backend, server))
	if err == nil {
		if n, scanErr := fmt.Sscanf(answer, "%d (initial %d)", &now, &initial); scanErr != nil || n != 2 {
			err = refusal(answer)
		}
	}
	return now, initial, named("read the weight", backend, server, err)
}

func named(what, backend, server string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of server %s: %w", what, strconv.Quote(backend+"/"+server), err)
}
