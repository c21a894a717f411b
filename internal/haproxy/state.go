package haproxy

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Server is one line of `show servers state`.
type Server struct {
	Backend, Name string
	// Address is host:port.
	Address string
	// Weight is what an operator set, Initial what the configuration gave.
	Weight, Initial int
	// Up tells that it takes requests as far as its checks know.
	Up bool
	// Admin says who took it out: "", "drain" or "maint".
	Admin State
}

// Servers lists the servers of a backend, of all if it is "".
func (c *Client) Servers(ctx context.Context, backend string) ([]Server, error) {
	text, err := c.state(ctx, backend)
	if err != nil {
		return nil, err
	}
	return ParseState(strings.NewReader(text))
}

// state is `show servers state` as it is.
func (c *Client) state(ctx context.Context, backend string) (string, error) {
	text, err := c.Command(ctx, strings.TrimRight("show servers state "+backend, " "))
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(text, "1\n") {
		return "", fmt.Errorf("list the servers of backend %q: %w", backend, refusal(text))
	}
	return text, nil
}

// Operational and administrative states (Management Guide, "show servers
// state"): the first is a number, the second bits.
const (
	opStopped = 0
	maintBits = 0x01 | 0x02 | 0x04 | 0x20
	drainBits = 0x08 | 0x10
)

// ParseState reads a server state file or the answer that it is made of:
// version 1, a header line, then a line for each server.
func ParseState(r io.Reader) ([]Server, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) < 2 || lines[0] != "1" || !strings.HasPrefix(lines[1], "# ") {
		return nil, fmt.Errorf("read servers' state: it is not of version 1")
	}
	column := map[string]int{}
	for i, name := range strings.Fields(lines[1][1:]) {
		column[name] = i
	}
	var servers []Server
	for n, line := range lines[2:] {
		if line == "" {
			continue
		}
		s, err := parseServer(strings.Fields(line), column)
		if err != nil {
			return nil, fmt.Errorf("read servers' state: line %d: %w", n+3, err)
		}
		servers = append(servers, s)
	}
	return servers, nil
}

func parseServer(fields []string, column map[string]int) (Server, error) {
	var wrong error
	text := func(name string) string {
		i, ok := column[name]
		if !ok || i >= len(fields) {
			wrong = fmt.Errorf("no column %q", name)
			return ""
		}
		return fields[i]
	}
	number := func(name string) int {
		n, err := strconv.Atoi(text(name))
		if err != nil && wrong == nil {
			wrong = fmt.Errorf("column %q: %w", name, err)
		}
		return n
	}
	s := Server{
		Backend: text("be_name"), Name: text("srv_name"), Address: text("srv_addr") + ":" + text("srv_port"),
		Weight: number("srv_uweight"), Initial: number("srv_iweight"), Up: number("srv_op_state") != opStopped,
	}
	switch admin := number("srv_admin_state"); {
	case admin&maintBits != 0:
		s.Admin = Maint
	case admin&drainBits != 0:
		s.Admin = Drain
	}
	return s, wrong
}

// Stat is one line of `show stat`: a backend or a server of it.
type Stat struct {
	Proxy, Service string
	// Status is "UP", "DOWN", "MAINT", "no check" …
	Status string
	// Algorithm is the balance algorithm of a backend.
	Algorithm string
	// Weight is what is in effect now.
	Weight int
	// Sessions counts since HAProxy started or reloaded.
	Sessions int64
}

// BackendService is the Service of the line that sums up a backend.
const BackendService = "BACKEND"

// Stats reads `show stat`.
func (c *Client) Stats(ctx context.Context) ([]Stat, error) {
	answer, err := c.Command(ctx, "show stat")
	if err != nil {
		return nil, err
	}
	text, ok := strings.CutPrefix(answer, "# ")
	if !ok {
		return nil, fmt.Errorf("read statistics: %w", refusal(answer))
	}
	stats, err := parseStats(text)
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	return stats, nil
}

func parseStats(text string) ([]Stat, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var stats []Stat
	for _, row := range rows[1:] {
		text := func(name string) string {
			if i, ok := column[name]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		s := Stat{Proxy: text("pxname"), Service: text("svname"), Status: text("status"), Algorithm: text("algo")}
		if s.Weight, err = number(text("weight"), strconv.Atoi); err != nil {
			return nil, err
		}
		if s.Sessions, err = number(text("stot"), func(t string) (int64, error) { return strconv.ParseInt(t, 10, 64) }); err != nil {
			return nil, err
		}
		stats = append(stats, s)
	}
	return stats, nil
}

// number reads a column that is empty where it means nothing.
func number[N int | int64](text string, parse func(string) (N, error)) (N, error) {
	if text == "" {
		return 0, nil
	}
	return parse(text)
}
