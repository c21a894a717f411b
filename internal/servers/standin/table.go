package standin

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/evac-io/evac/internal/haproxy"
)

// table is what a configuration says.
type table struct {
	socket    string
	frontends []*frontend
	backends  []*backend
}

type frontend struct {
	name     string
	binds    []string
	acls     map[string]condition
	rules    []rule
	fallback string // default_backend
}

// rule is a use_backend line.
type rule struct {
	backend string
	when    condition
}

// condition tells whether a request is meant.
type condition func(*http.Request) bool

// backend hands its requests out by smooth weighted round-robin.
type backend struct {
	name string
	mu   sync.Mutex
	// servers in the order of the configuration.
	servers []*server
}

type server struct {
	name, address   string
	weight, initial int
	admin           haproxy.State // "", Drain or Maint
	credit          int
	sessions        int64
}

// Keywords that say nothing to a stand-in.
var ignored = []string{"mode", "timeout", "option", "maxconn", "log", "balance", "retries", "load-server-state-from-file"}

func newTable(c *haproxy.Config) (*table, error) {
	t := &table{socket: socketPath(c)}
	if t.socket == "" {
		return nil, errors.New("the global section has no: stats socket PATH")
	}
	for _, s := range c.Sections {
		var err error
		switch s.Kind {
		case "global":
		case "defaults":
			err = each(s, refuse)
		case "frontend":
			f := &frontend{name: s.Name, acls: map[string]condition{}}
			err = each(s, f.read)
			t.frontends = append(t.frontends, f)
		case "backend":
			b := &backend{name: s.Name}
			err = each(s, b.read)
			t.backends = append(t.backends, b)
		default:
			err = fmt.Errorf("section %q is not for it", s.Kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, t.complete()
}

// each reads a section's lines and tells all that is wrong.
func each(s *haproxy.Section, read func(haproxy.Line) error) error {
	var wrong error
	for _, line := range s.Lines {
		wrong = errors.Join(wrong, read(line))
	}
	return wrong
}

// complete tells whether every backend that is named exists.
func (t *table) complete() error {
	var wrong error
	for _, f := range t.frontends {
		names := []string{f.fallback}
		for _, r := range f.rules {
			names = append(names, r.backend)
		}
		for _, name := range names {
			if name != "" && t.backend(name) == nil {
				wrong = errors.Join(wrong, fmt.Errorf("frontend %q names backend %q, which is not there", f.name, name))
			}
		}
	}
	return wrong
}

func (f *frontend) read(l haproxy.Line) error {
	switch w := l.Words; {
	case w[0] == "bind" && len(w) == 2:
		f.binds = append(f.binds, w[1])
	case w[0] == "default_backend" && len(w) == 2:
		f.fallback = w[1]
	case w[0] == "acl" && len(w) > 2:
		test, err := criterion(w[2:])
		if err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
		// Lines of one name are alternatives.
		if before := f.acls[w[1]]; before != nil {
			f.acls[w[1]] = func(r *http.Request) bool { return before(r) || test(r) }
			return nil
		}
		f.acls[w[1]] = test
	case w[0] == "use_backend" && len(w) > 3 && w[2] == "if":
		when, err := f.all(w[3:])
		if err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
		f.rules = append(f.rules, rule{w[1], when})
	default:
		return refuse(l)
	}
	return nil
}

// all is true if every named ACL is; "!" before one turns it round.
func (f *frontend) all(names []string) (condition, error) {
	var tests []condition
	for _, name := range names {
		bare, not := strings.CutPrefix(name, "!")
		test := f.acls[bare]
		if method, ok := strings.CutPrefix(bare, "METH_"); ok {
			test = func(r *http.Request) bool { return r.Method == method }
		}
		if test == nil {
			return nil, fmt.Errorf("acl %q is not known here", bare)
		}
		tests = append(tests, func(r *http.Request) bool { return test(r) != not })
	}
	return func(r *http.Request) bool {
		return !slices.ContainsFunc(tests, func(test condition) bool { return !test(r) })
	}, nil
}

// criterion is "path /a", "path_beg /a /b" or "method POST PUT".
func criterion(words []string) (condition, error) {
	values := words[1:]
	switch words[0] {
	case "path":
		return func(r *http.Request) bool { return slices.Contains(values, r.URL.Path) }, nil
	case "path_beg":
		return func(r *http.Request) bool {
			return slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(r.URL.Path, v) })
		}, nil
	case "method":
		return func(r *http.Request) bool { return slices.Contains(values, r.Method) }, nil
	}
	return nil, fmt.Errorf("criterion %q is not for it", words[0])
}

func (b *backend) read(l haproxy.Line) error {
	w := l.Words
	if w[0] != "server" || len(w) < 3 {
		return refuse(l)
	}
	s := &server{name: w[1], address: w[2], weight: 1}
	for i, option := range w[3:] {
		switch {
		case option == "weight" && i+4 < len(w):
			var err error
			if s.weight, err = strconv.Atoi(w[i+4]); err != nil {
				return fmt.Errorf("%s: weight: %w", l, err)
			}
		case option == "disabled":
			s.admin = haproxy.Maint
		}
	}
	s.initial = s.weight
	b.servers = append(b.servers, s)
	return nil
}

func refuse(l haproxy.Line) error {
	otherwise := l.Words[0] == "balance" && !slices.Equal(l.Words[1:], []string{"roundrobin"})
	if slices.Contains(ignored, l.Words[0]) && !otherwise {
		return nil
	}
	return fmt.Errorf("%s: %q is not for it", l, strings.Join(l.Words, " "))
}

// socketPath is the path of the first `stats socket` line.
func socketPath(c *haproxy.Config) string {
	for _, s := range c.Sections {
		if v := s.Value("stats"); s.Kind == "global" && len(v) > 1 && v[0] == "socket" {
			return strings.TrimPrefix(v[1], "unix@")
		}
	}
	return ""
}

func (t *table) backend(name string) *backend {
	for _, b := range t.backends {
		if b.name == name {
			return b
		}
	}
	return nil
}

// loadState gives servers back what the state file says, except where the
// configuration's own weight has changed meanwhile.
func (t *table) loadState(c *haproxy.Config) error {
	for _, b := range t.backends {
		if c.Backend(b.name).Value("load-server-state-from-file") == nil {
			continue
		}
		file, _, err := c.StateFile(b.name)
		if err != nil {
			return err
		}
		known, err := haproxy.ReadStateFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the first start
		}
		if err != nil {
			return err
		}
		for _, k := range known {
			if s := b.server(k.Name); k.Backend == b.name && s != nil && s.initial == k.Initial {
				s.weight, s.admin = k.Weight, k.Admin
			}
		}
	}
	return nil
}

func (b *backend) server(name string) *server {
	for _, s := range b.servers {
		if s.name == name {
			return s
		}
	}
	return nil
}

// next is the server that takes the next request, nil if none does.
func (b *backend) next() *server {
	b.mu.Lock()
	defer b.mu.Unlock()
	var best *server
	total := 0
	for _, s := range b.servers {
		if s.admin != "" || s.weight == 0 {
			s.credit = 0
			continue
		}
		total += s.weight
		s.credit += s.weight
		if best == nil || s.credit > best.credit {
			best = s
		}
	}
	if best != nil {
		best.credit -= total
		best.sessions++
	}
	return best
}
