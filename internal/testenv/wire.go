package testenv

import (
	"errors"
	"maps"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/evac-io/evac/internal/secret"
)

// Wire is what lies between clients and a server: it passes TCP connections
// on until it is cut.
type Wire struct {
	t      testing.TB
	listen *net.TCPListener
	server string

	mu    sync.Mutex
	lines map[*line]bool
}

// End is one of the two ends of a wire.
type End int

// The ends of a wire.
const (
	ClientEnd End = iota
	ServerEnd
)

// NewWire lays a wire to a database's server; it is taken away at the test's
// end.
func NewWire(t testing.TB, to secret.DSN) *Wire {
	t.Helper()
	var plain net.ListenConfig
	plain.SetMultipathTCP(false) // its sockets take no filter
	listen, err := plain.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{t: t, listen: listen.(*net.TCPListener), server: urlOf(t, to).Host, lines: map[*line]bool{}}
	t.Cleanup(w.end)
	go w.serve()
	return w
}

// urlOf reads a test server's DSN, which is a URL.
func urlOf(t testing.TB, dsn secret.DSN) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn.Reveal())
	if err != nil {
		t.Fatalf("the DSN of a test server is no URL: %v", err)
	}
	return u
}

// DSN is a connection string that goes through this wire.
func (w *Wire) DSN(dsn secret.DSN) secret.DSN {
	w.t.Helper()
	u := urlOf(w.t, dsn)
	u.Host = w.listen.Addr().String()
	return secret.NewDSN(u.String())
}

// Reset ends all connections, and tells both ends at once. Like the other ways
// to cut a wire it tells how many connections it cut.
func (w *Wire) Reset() (cut int) {
	lines := w.standing()
	for _, l := range lines {
		l.reset(ClientEnd)
		l.reset(ServerEnd)
	}
	return len(lines)
}

// Swallow loses every packet from now on, also those that ask for a new
// connection: neither end hears anything any more, not even that what it sent
// has arrived.
func (w *Wire) Swallow() (cut int) {
	w.t.Helper()
	err := swallow(w.listen)
	lines := w.standing()
	for _, l := range lines {
		err = errors.Join(err, l.swallow(ClientEnd), l.swallow(ServerEnd))
	}
	if err != nil {
		w.t.Errorf("swallow packets: %v", err)
	}
	return len(lines)
}

// HalfOpen ends all connections, and tells only one end so: the one that is
// deaf hears nothing any more.
func (w *Wire) HalfOpen(deaf End) (cut int) {
	w.t.Helper()
	lines := w.standing()
	for _, l := range lines {
		if err := l.swallow(deaf); err != nil {
			w.t.Errorf("swallow packets: %v", err)
		}
		l.reset(1 - deaf)
	}
	return len(lines)
}

// Heal lets new connections pass again; those that were cut stay so.
func (w *Wire) Heal() {
	w.t.Helper()
	if err := hear(w.listen); err != nil {
		w.t.Fatalf("hear packets again: %v", err)
	}
}

// standing are the connections that are not cut.
func (w *Wire) standing() []*line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(w.lines)), func(l *line) bool { return l.cut.Load() })
}

// end takes the wire away.
func (w *Wire) end() {
	if err := w.listen.Close(); err != nil {
		w.t.Errorf("take the wire away: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.lines {
		l.close()
	}
}

// serve takes connections until the wire's end.
func (w *Wire) serve() {
	for {
		client, err := w.listen.AcceptTCP()
		if err != nil {
			return
		}
		go w.join(client)
	}
}

// join passes one connection on until either end closes it.
func (w *Wire) join(client *net.TCPConn) {
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		_ = client.Close() // the client sees what it would see of the server
		return
	}
	l := &line{ends: [2]*net.TCPConn{client, server.(*net.TCPConn)}}
	w.mu.Lock()
	w.lines[l] = true
	w.mu.Unlock()
	over := make(chan struct{}, 2)
	for end := range l.ends {
		go func() { l.pass(End(end)); over <- struct{}{} }()
	}
	<-over
	if l.cut.Load() {
		return // it stands, and hears nothing, until the wire is taken away
	}
	l.close()
	<-over
	w.mu.Lock()
	delete(w.lines, l)
	w.mu.Unlock()
}

// line is one connection through a wire.
type line struct {
	ends [2]*net.TCPConn // by End
	cut  atomic.Bool
}

// pass takes what one end sends to the other.
func (l *line) pass(from End) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.ends[from].Read(buffer)
		if l.cut.Load() {
			return
		}
		if n > 0 {
			if _, wrong := l.ends[1-from].Write(buffer[:n]); wrong != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// reset tells one end that the connection has ended.
func (l *line) reset(end End) {
	l.cut.Store(true)
	_ = l.ends[end].SetLinger(0) // it may be closed already
	_ = l.ends[end].Close()
}

// swallow loses what one end sends.
func (l *line) swallow(end End) error {
	l.cut.Store(true)
	if err := swallow(l.ends[end]); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (l *line) close() {
	_ = l.ends[ClientEnd].Close() // either may be closed already
	_ = l.ends[ServerEnd].Close()
}
