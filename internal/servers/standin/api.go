package standin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/haproxy"
)

// serveAPI answers commands, one a connection, until ctx ends.
func (g *gateway) serveAPI(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		go g.serveCommand(conn)
	}
}

// commandLimit bounds how long a client may take to say what it wants.
const commandLimit = 10 * time.Second

func (g *gateway) serveCommand(conn net.Conn) {
	defer conn.Close()
	err := conn.SetDeadline(time.Now().Add(commandLimit))
	line, readErr := bufio.NewReader(io.LimitReader(conn, 4096)).ReadString('\n')
	if err = errors.Join(err, readErr); err == nil {
		_, err = io.WriteString(conn, g.answer(strings.Fields(line))+"\n")
	}
	if err != nil {
		g.log.Warn("runtime API", "cause", err)
	}
}

// answer is the text that HAProxy would give, as far as package haproxy asks.
func (g *gateway) answer(words []string) string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	switch command := strings.Join(words, " "); {
	case command == "show info":
		return fmt.Sprintf("Name: evac\nVersion: %s\nPid: %d\nReloads: %d\n", Name, os.Getpid(), g.reloads.Load())
	case command == "show cli level":
		return "admin\n"
	case command == "show stat":
		return g.table.stat()
	case strings.HasPrefix(command, "show servers state") && len(words) <= 4:
		return g.table.state(words[3:])
	case strings.HasPrefix(command, "get weight ") && len(words) == 3:
		return g.table.withServer(words[2], func(s *server) string { return fmt.Sprintf("%d (initial %d)\n", s.weight, s.initial) })
	case strings.HasPrefix(command, "set server ") && len(words) == 5:
		return g.table.withServer(words[2], func(s *server) string { return s.set(words[3], words[4]) })
	}
	return "Unknown command.\n"
}

// withServer does something with "backend/server".
func (t *table) withServer(path string, do func(*server) string) string {
	backend, name, _ := strings.Cut(path, "/")
	b := t.backend(backend)
	if b == nil {
		return "No such backend.\n"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.server(name)
	if s == nil {
		return "No such server.\n"
	}
	return do(s)
}

func (s *server) set(what, value string) string {
	switch what {
	case "weight":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > haproxy.MaxWeight {
			return "Absolute weight can only be between 0 and 256 inclusive.\n"
		}
		s.weight = n
		return ""
	case "state":
		switch state := haproxy.State(value); state {
		case haproxy.Ready:
			s.admin = ""
			return ""
		case haproxy.Drain, haproxy.Maint:
			s.admin = state
			return ""
		}
	}
	return "'set server <srv> " + what + "' expects something else.\n"
}

// stateHeader is version 1 of the servers' state.
const stateHeader = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
	"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
	"bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"

func (t *table) state(only []string) string {
	var text strings.Builder
	text.WriteString(stateHeader)
	if len(only) == 1 && t.backend(only[0]) == nil {
		return "Can't find backend.\n"
	}
	for i, b := range t.backends {
		if len(only) == 1 && b.name != only[0] {
			continue
		}
		b.mu.Lock()
		for j, s := range b.servers {
			host, port, err := net.SplitHostPort(s.address)
			if err != nil {
				host, port = s.address, "0"
			}
			operational, admin := 2, map[haproxy.State]int{haproxy.Maint: 1, haproxy.Drain: 8}[s.admin]
			if s.admin == haproxy.Maint {
				operational = 0
			}
			fmt.Fprintf(&text, "%d %s %d %s %s %d %d %d %d 0 1 0 2 0 0 0 0 - %s - 0 0 - - 0\n",
				i+1, b.name, j+1, s.name, host, operational, admin, s.weight, s.initial, port)
		}
		b.mu.Unlock()
	}
	return text.String()
}

// stat is `show stat` with the columns that mean something here.
func (t *table) stat() string {
	var text strings.Builder
	text.WriteString("# pxname,svname,status,weight,algo,stot\n")
	for _, b := range t.backends {
		b.mu.Lock()
		total, sessions := 0, int64(0)
		for _, s := range b.servers {
			status := "no check"
			if s.admin != "" {
				status = strings.ToUpper(string(s.admin))
			}
			fmt.Fprintf(&text, "%s,%s,%s,%d,,%d\n", b.name, s.name, status, s.weight, s.sessions)
			total, sessions = total+s.weight, sessions+s.sessions
		}
		fmt.Fprintf(&text, "%s,%s,UP,%d,roundrobin,%d\n", b.name, haproxy.BackendService, total, sessions)
		b.mu.Unlock()
	}
	return text.String()
}
