package wreck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/crdb/salvage"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/servers"
)

// Options of a demo; the zero value is right.
type Options struct {
	Dir      string    // where it leaves stores, rows and report; it must be new or empty. Empty makes evac-demo-DATE-TIME here
	Keep     bool      // leave the database up, see End
	Progress io.Writer // is told what goes on, in lines; nil tells nobody
}

// Result is what the demo comes to, in the form promised to scripts.
type Result struct {
	Result        string  `json:"result"` // "done": every row is there and proved; else "different"
	Rows          int64   `json:"rows"`   // in the database
	Missing       int64   `json:"missing"`
	Different     int64   `json:"different"`
	Extra         int64   `json:"extra"`
	Tables        int     `json:"tables"`
	Complete      bool    `json:"complete"`       // the salvage's own verdict
	DamagedPlaces int     `json:"damaged_places"` // that the salvage met in the stores
	Seconds       float64 `json:"seconds"`
	Stages        []Stage `json:"stages"`
	TargetVersion string  `json:"target_version"`
	Dir           string  `json:"dir"`
	Report        string  `json:"report"` // the salvage's report page
}

// Done is a demo in which nothing is missing or different.
const Done = "done"

// Stage is one part of the work.
type Stage struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	What    string  `json:"what"` // in a sentence
}

// wreck is one demo.
type wreck struct {
	Options
	stores []string
	result Result
}

// Run makes the wreck and salvages it. The stores, the rows and the report stay in
// the demo's folder; the database goes, unless it is to be kept.
func Run(ctx context.Context, o Options) (Result, error) {
	w := &wreck{Options: o, result: Result{Stages: []Stage{}}}
	if w.Progress == nil {
		w.Progress = io.Discard
	}
	begun := time.Now()
	if err := w.prepare(); err != nil {
		return Result{}, err
	}
	if err := w.stage("wreck", func() (string, error) { return w.make(ctx) }); err != nil {
		return Result{}, err
	}
	if err := w.rescue(ctx); err != nil {
		return Result{}, err
	}
	r := &w.result
	r.Seconds = time.Since(begun).Seconds()
	if r.Missing+r.Different+r.Extra > 0 || !r.Complete {
		r.Result = "different"
		return *r, fault.New(fault.Different, "the salvaged rows are not those of the living database, or are not proved", "read "+r.Report)
	}
	r.Result = Done
	return *r, nil
}

// prepare makes the folder.
func (w *wreck) prepare() error {
	dir, err := filepath.Abs(cmp.Or(w.Dir, time.Now().Format("evac-demo-20060102-150405")))
	if err != nil {
		return err
	}
	w.Dir, w.result.Dir, w.result.Report = dir, dir, filepath.Join(dir, "rows", "report.html")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err == nil && len(there) > 0 {
		err = fault.New(fault.Invalid, fmt.Sprintf("make a demo in %q: it is not empty", dir), "name another directory with --dir")
	}
	return err
}

// stage does one part of the work, times it and tells of it.
func (w *wreck) stage(name string, do func() (what string, err error)) error {
	begun := time.Now()
	what, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s := Stage{Name: name, Seconds: time.Since(begun).Seconds(), What: what}
	w.result.Stages = append(w.result.Stages, s)
	fmt.Fprintf(w.Progress, "%-8s%5.1f s  %s\n", s.Name, s.Seconds, s.What)
	return nil
}

// rescue is the night itself: from the stores to rows in a database.
func (w *wreck) rescue(ctx context.Context) (err error) {
	if err := w.stage("survey", func() (string, error) { return w.survey(ctx) }); err != nil {
		return err
	}
	if err := w.stage("salvage", func() (string, error) { return w.salvage(ctx) }); err != nil {
		return err
	}
	t := &target{dir: w.Dir}
	err = w.stage("server", func() (string, error) { return t.start(ctx, w.Keep) })
	if err != nil {
		return err
	}
	defer func() {
		if !w.Keep || err != nil {
			err = errors.Join(err, t.end(context.WithoutCancel(ctx)))
		}
	}()
	w.result.TargetVersion = t.server.Install.Version
	if err := w.stage("load", func() (string, error) { return t.load(ctx) }); err != nil {
		return err
	}
	if err := w.stage("verify", func() (string, error) { return t.verify(ctx) }); err != nil {
		return err
	}
	if err := w.stage("truth", func() (string, error) { return t.compare(ctx, &w.result) }); err != nil {
		return err
	}
	if w.Keep {
		return t.keep(w.Progress)
	}
	return nil
}

// survey looks at the stores without reading rows.
func (w *wreck) survey(ctx context.Context) (_ string, err error) {
	c, err := salvage.Open(ctx, w.stores, salvage.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	s, err := c.Survey(ctx)
	if err != nil {
		return "", err
	}
	p, err := c.Plan(ctx, nil)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d stores, %d ranges, %d tables; %s without a store; %s under way when they died",
		len(s.Stores), len(s.Ranges), len(p.Tables), count(len(s.Holes), "stretch of keys is", "stretches of keys are"), count(len(s.Transactions), "transaction was", "transactions were")), nil
}

// salvage writes the rows to files.
func (w *wreck) salvage(ctx context.Context) (string, error) {
	rep, err := salvage.Run(ctx, w.stores, filepath.Join(w.Dir, "rows"), salvage.Options{}, func(int64) {})
	if err != nil {
		return "", err
	}
	w.result.Complete, w.result.DamagedPlaces = rep.Complete, len(rep.Damage)
	verdict := "complete and proved"
	if !rep.Complete {
		verdict = "NOT complete: " + strings.Join(rep.Problems, "; ")
	}
	var sums int64
	indexes := 0
	for _, t := range rep.Tables {
		sums += t.Checksums.Verified
		for _, ix := range t.Indexes {
			if ix.Equal {
				indexes++
			}
		}
	}
	return fmt.Sprintf("%s rows of %d tables, %s: %s checksums right, %d indexes met by their rows; %s met",
		humanize.Comma(rep.Rows), len(rep.Tables), verdict, humanize.Comma(sums), indexes, count(len(rep.Damage), "damaged place", "damaged places")), nil
}

// count is a number with its noun.
func count(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + one
	case 1:
		return "one " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// silent is a log that nobody reads.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newest is a PostgreSQL that servers can be started from, fetched if the machine has none.
func newest(ctx context.Context) (servers.Install, error) {
	cache, err := servers.CacheDir()
	if err != nil {
		return servers.Install{}, err
	}
	return servers.Newest(ctx, cache, silent())
}
