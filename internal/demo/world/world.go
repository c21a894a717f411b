package world

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/proof"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
)

// How long the beginning and the end of a world may take.
const (
	firstOrder = 10 * time.Second
	stopTime   = 30 * time.Second
)

// world is everything that runs. It is built up and torn down in the world's
// own process by one goroutine.
type world struct {
	o     Options
	paths Paths
	log   *slog.Logger
	// parent is the process that started this one.
	parent int
	// data is a directory that the servers' account can enter.
	data string
	info Info
	addr struct{ old, new, page, hook, public, preview string }
	// hookPath is the secret part of the webhook's address.
	hookPath string

	source, target *servers.Postgres
	pgDump         string // directory of one that reads both servers
	gateway        *servers.Gateway
	crowd          *crowd.Crowd
	journal        *journal.Journal
	catalog        proof.Catalog

	mu   sync.Mutex
	ends []func(context.Context) error
}

// errGone says that somebody has removed the demo's directory.
var errGone = errors.New("the demo's directory is gone")

// Run makes a world after dir's options and keeps it going until its run has
// ended and the result is written, ctx ends, dir is removed, or nothing has
// happened for its lifetime. No process and no data is left then. Its log goes
// to log.
func Run(ctx context.Context, dir string, log *slog.Logger) error {
	held, err := hold(dir)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(held) // the lock falls with the process, not before
	w := &world{paths: Paths{Dir: dir}, log: log, parent: os.Getppid(), info: Info{PID: os.Getpid()}, hookPath: "/" + rand.Text()}
	if err := readJSON(w.paths.Options(), &w.o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go w.guardDir(ctx, cancel)
	if err = w.build(ctx); err == nil {
		err = w.live(ctx)
	} else if ctx.Err() == nil {
		w.info.Error, w.info.Kind, w.info.Hint = err.Error(), fault.KindOf(err).String(), strings.Join(fault.Hints(err), "; ")
		err = errors.Join(err, writeJSON(w.paths.Info(), w.info))
	}
	failed := err != nil && ctx.Err() == nil
	if failed {
		log.Error("the world ends", "cause", err.Error())
	} else if err != nil {
		err = context.Cause(ctx) // whatever it was that noticed it
	}
	return errors.Join(err, w.end(ctx, failed))
}

// build starts everything, in order of need.
func (w *world) build(ctx context.Context) (err error) {
	if w.data, err = os.MkdirTemp("", "evac-demo-"); err != nil {
		return err
	}
	w.atEnd(func(context.Context) error { return os.RemoveAll(w.data) })
	if w.journal, err = journal.Open(ctx, w.paths.Home(), journal.Options{}); err != nil {
		return err
	}
	w.atEnd(func(context.Context) error { return w.journal.Close() })
	for _, part := range []func(context.Context) error{w.databases, w.apps, w.front, w.open} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	w.info.Ready = time.Now()
	secrets := w.variables()
	if err := writeFile(w.paths.Env(), env(w.paths.Home(), w.info.Variables, secrets)); err != nil {
		return err
	}
	return writeJSON(w.paths.Info(), w.info)
}

// variables are the runbook's: those that may be seen go to the info.
func (w *world) variables() map[string]secret.String {
	w.info.Variables = map[string]string{
		"gateway_socket": w.gateway.Socket(), "gateway_config": w.gateway.ConfigFile(), "page": w.paths.Page(),
		"public": w.info.PublicURL, "preview": w.info.PreviewURL, "pg_dump": w.pgDump,
	}
	return map[string]secret.String{
		"old_db":  secret.New(w.source.DSN(database, "").Reveal()),
		"new_db":  secret.New(w.target.DSN(database, "").Reveal()),
		"webhook": secret.New("http://" + w.addr.hook + w.hookPath),
	}
}

// open lets the customers in, waits until the first order is taken, and lets
// them come for a while before anything else happens.
func (w *world) open(ctx context.Context) (err error) {
	w.log.Info(fmt.Sprintf("customers come: %.0f orders and %.0f looks a second", w.o.Orders, w.o.Reads))
	w.crowd, err = crowd.Start(crowd.Options{
		URL: w.info.PublicURL, Orders: w.o.Orders, Reads: w.o.Reads, Size: w.o.Size, Ledger: w.paths.Ledger(),
	})
	if err != nil {
		return err
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for late := time.After(firstOrder); w.crowd.Figures().Acknowledged == 0 && err == nil; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-late:
			err = fmt.Errorf("wait for the first order: none was taken within %s: %v", firstOrder, w.crowd.Figures().Seconds)
		}
	}
	if err == nil {
		err = wait(ctx, w.o.Linger)
	}
	if err != nil {
		err = errors.Join(err, w.sendHome(ctx))
	}
	return err
}

// sendHome ends the customers' visits when nobody will count them.
func (w *world) sendHome(ctx context.Context) error {
	_, err := w.crowd.Stop(ctx)
	return err
}

// live plays the people until the run has ended, and sums up.
func (w *world) live(ctx context.Context) error {
	st, err := w.follow(ctx)
	if err != nil {
		return errors.Join(err, w.sendHome(ctx))
	}
	result, err := w.result(st)
	if err == nil && w.o.Home && st.Result == ResultDone {
		if result.there, err = w.settle(ctx); err == nil {
			err = w.play(ctx, st, atHome)
		}
	}
	if err != nil {
		return errors.Join(err, w.sendHome(ctx))
	}
	if err := w.conclude(ctx, st, &result); err != nil {
		return err
	}
	if err := writeJSON(w.paths.Result(), result); err != nil || !w.o.Keep && !w.o.Home {
		return err
	}
	return w.stay(ctx)
}

// settle lets customers order in the new place for a while and says so to who
// takes them home then.
func (w *world) settle(ctx context.Context) (*crowd.Figures, error) {
	if err := wait(ctx, w.o.Linger); err != nil {
		return nil, err
	}
	figures := w.crowd.Turn()
	return &figures, writeFile(w.paths.Settled(), nil)
}

// stay keeps the servers for whoever wants to look into them.
func (w *world) stay(ctx context.Context) error {
	timer := time.NewTimer(w.o.Lifetime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// atEnd remembers what to undo when the world ends, last first.
func (w *world) atEnd(end func(context.Context) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, end)
}

// end stops and removes everything that was started.
func (w *world) end(ctx context.Context, failed bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, end := range slices.Backward(w.ends) {
		errs = append(errs, end(ctx))
	}
	w.ends = nil
	if w.info.Error != "" {
		return errors.Join(errs...) // the starting process has yet to read why, and calls End
	}
	return errors.Join(append(errs, w.paths.tidy(failed))...)
}

// guardDir ends the world when its directory goes.
func (w *world) guardDir(ctx context.Context, cancel context.CancelCauseFunc) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := os.Stat(w.paths.Dir); errors.Is(err, fs.ErrNotExist) {
				cancel(errGone)
				return
			}
		}
	}
}
