package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/page"
	"github.com/evac-io/evac/internal/servers"
)

// The shop's apps, as they name themselves in every answer.
const (
	oldApp = "old"
	newApp = "new"
)

// apps starts the shop's two apps, the page and the webhook's receiver, each
// on a port of its own.
func (w *world) apps(ctx context.Context) (err error) {
	for _, a := range []struct {
		name string
		db   *servers.Postgres
		addr *string
	}{{oldApp, w.source, &w.addr.old}, {newApp, w.target, &w.addr.new}} {
		app, err := shop.NewApp(a.name, a.db.DSN(database, appRole).Reveal())
		if err != nil {
			return fmt.Errorf("start the %s app: %w", a.name, err)
		}
		w.atEnd(func(context.Context) error { app.Close(); return nil })
		if *a.addr, err = w.serve(app); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(w.paths.Page(), 0o755); err != nil {
		return err
	}
	if w.addr.page, err = w.serve(page.Handler(page.Options{Dir: w.paths.Page(), RetryAfter: 5 * time.Second})); err != nil {
		return err
	}
	w.addr.hook, err = w.serve(http.HandlerFunc(w.receive))
	return err
}

// serve serves a handler until the world ends and gives its address.
func (w *world) serve(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("serve", "cause", err)
		}
	}()
	w.atEnd(func(context.Context) error { return srv.Close() })
	return l.Addr().String(), nil
}

// receive keeps what is announced.
func (w *world) receive(res http.ResponseWriter, r *http.Request) {
	if r.URL.Path != w.hookPath {
		http.NotFound(res, r)
		return
	}
	var message json.RawMessage
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&message)
	if err == nil {
		err = w.keepAnnouncement(message)
	}
	if err != nil {
		http.Error(res, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(res, "ok")
}

func (w *world) keepAnnouncement(message json.RawMessage) error {
	f, err := os.OpenFile(w.paths.Announcements(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	text, err := json.Marshal(message) // on one line
	if err == nil {
		_, err = f.Write(append(text, '\n'))
	}
	return errors.Join(err, f.Close())
}

// gatewayConfig is the gateway in front of the shop: orders and looks are two
// backends, so that the page can take the one while the other goes on.
const gatewayConfig = `defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 5s
    load-server-state-from-file global

frontend public
    bind %[1]s
    use_backend shop_write if METH_POST
    default_backend shop_read

frontend preview
    bind %[2]s
    default_backend shop_preview

backend shop_write
    balance roundrobin
    server old %[3]s weight 100
    server new %[4]s weight 0
    server page %[5]s weight 0

backend shop_read
    balance roundrobin
    server old %[3]s weight 100
    server new %[4]s weight 0
    server page %[5]s weight 0

backend shop_preview
    server new %[4]s
`

// front starts the gateway: HAProxy if it is there or can be installed, else
// the stand-in.
func (w *world) front(ctx context.Context) error {
	program, err := w.gatewayProgram(ctx)
	if err != nil {
		return err
	}
	w.log.Info("start the gateway: " + program.Name)
	if w.addr.public, err = freeAddress(); err != nil {
		return err
	}
	if w.addr.preview, err = freeAddress(); err != nil {
		return err
	}
	w.gateway, err = servers.StartGateway(ctx, servers.GatewayOptions{
		Program: program, Dir: filepath.Join(w.data, "gateway"), DieWithParent: true,
		Config: fmt.Sprintf(gatewayConfig, w.addr.public, w.addr.preview, w.addr.old, w.addr.new, w.addr.page),
	})
	if err != nil {
		return err
	}
	w.atEnd(w.gateway.Stop)
	w.info.Gateway, w.info.PublicURL, w.info.PreviewURL = program.Name, "http://"+w.addr.public, "http://"+w.addr.preview
	return nil
}

// installTime bounds the installation of HAProxy: a machine without a way out
// has the stand-in.
const installTime = time.Minute

func (w *world) gatewayProgram(ctx context.Context) (servers.GatewayProgram, error) {
	standIn := servers.StandIn(w.o.StandIn...)
	if w.o.Gateway == StandIn {
		return standIn, nil
	}
	program, err := servers.FindHAProxy(ctx)
	if err != nil {
		w.log.Info("install HAProxy")
		installing, cancel := context.WithTimeout(ctx, installTime)
		program, err = servers.InstallHAProxy(installing)
		cancel()
	}
	if err != nil && w.o.Gateway == "" {
		w.log.Info("take the "+standIn.Name, "cause", err)
		return standIn, nil
	}
	return program, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
