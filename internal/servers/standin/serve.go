// Package standin is the built-in stand-in, not HAProxy: a small HTTP gateway
// for machines where HAProxy cannot be had. It reads the part of HAProxy's
// configuration that a demo needs and refuses the rest, and speaks the part of
// its runtime API that package haproxy uses, so that the same steps drive it.
package standin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/haproxy"
)

// Name is what it calls itself wherever a gateway is named.
const Name = "built-in stand-in, not HAProxy"

// gateway is a running stand-in.
type gateway struct {
	path    string
	log     *slog.Logger
	reloads atomic.Int64

	mu    sync.RWMutex
	table *table
}

// Serve runs the gateway of a configuration file until SIGTERM, SIGINT or the
// end of ctx; SIGUSR2 reads the configuration and the servers' state again.
func Serve(ctx context.Context, config string, log io.Writer) error {
	g := &gateway{path: config, log: slog.New(slog.NewTextHandler(log, nil))}
	if err := g.load(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGUSR2) // before anybody can find the process
	defer signal.Stop(reload)
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range g.table.frontends {
		for _, address := range f.binds {
			l, err := net.Listen("tcp", address)
			if err != nil {
				stop()
				return errors.Join(err, ignoreEnd(group.Wait()))
			}
			group.Go(func() error { return serveHTTP(ctx, l, g.handler(f.name)) })
		}
	}
	l, err := listenPrivately(g.table.socket)
	if err != nil {
		stop()
		return errors.Join(err, ignoreEnd(group.Wait()))
	}
	group.Go(func() error { return g.serveAPI(ctx, l) })
	group.Go(func() error { return g.reloadOn(ctx, reload) })
	g.log.Info(Name+" serves", "config", config)
	return ignoreEnd(group.Wait())
}

func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// load reads the configuration; what it held before stays if that is wrong.
func (g *gateway) load() error {
	config, err := haproxy.ReadConfig(g.path)
	if err != nil {
		return err
	}
	t, err := newTable(config)
	if err != nil {
		return fmt.Errorf("%s: %w", Name, err)
	}
	if err := t.loadState(config); err != nil {
		g.log.Warn("servers' state is not loaded", "cause", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.table = t
	return nil
}

func (g *gateway) reloadOn(ctx context.Context, signals <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-signals:
			if err := g.load(); err != nil {
				g.log.Error("reload", "cause", err)
				continue
			}
			g.reloads.Add(1)
			g.log.Info("reloaded")
		}
	}
}

// serveHTTP serves until ctx ends, and lets running requests finish.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return srv.Close()
	}
	return nil
}

// listenPrivately makes a Unix socket that only its owner may use, in the
// place of one that a dead process left.
func listenPrivately(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}
