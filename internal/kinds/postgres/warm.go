package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func warmKind() step.Kind {
	return step.Kind{
		Name:    "postgres_warm",
		Effect:  step.Reads,
		Summary: "reads a PostgreSQL database into memory before the users need it, hottest first",
		Doc:     warmDoc,
		New:     func() step.Step { return &Warm{} },
		Output:  WarmOutput{},
		Example: `step "postgres_warm" "new" {
  database = var.new_db
  from     = var.old_db
  until    = "08:50"
}`,
	}
}

const warmDoc = `
A database that was just copied or restored is cold: the first user of each page waits for the disk. This step reads the pages first, those
that the users will want most before the others, until all is read or it is ` + "`until`" + `.

What is hot is asked of ` + "`from`" + `, the server that has served them:

- After a *physical* restore (a snapshot, a replica: both servers have the same system identifier) the blocks are the same, so those that
  pg_buffercache shows in the buffers of ` + "`from`" + ` are read, the most used first. Where that extension is not there, its statistics count.
- After a *logical* copy blocks mean nothing. Tables, their TOAST and their indexes are read whole, by how often the statistics of ` + "`from`" + `
  counted an access to each of their blocks. The hot set is those that together took 99 % of the accesses.

Without ` + "`from`" + ` the database's own statistics count, which outlive a restart but are not in a copy.

Pages are read by pg_prewarm where it is installed. A superuser borrows it where it is not, in transactions that are rolled back, so that
nothing stays behind. Anyone else reads by scans: tables with their TOAST values, and B-tree indexes in their order; indexes of other types
cannot be read whole that way and are named in ` + "`left_out`" + `, as is whatever the user may not read.

The step is done when ` + "`warm_enough`" + ` percent of the hot set are read and pages taken from it at random are not slower to read than
` + "`max_latency`" + ` times a page that has just been read, by the server's own clock; else it fails with exit code 3. So a gate after it opens only
if the database is warm, ` + "`when`" + ` may compare its output, and ` + "`evac postgres warm --verify`" + ` asks again at any time. Looking warms the few pages
that are looked at.

Cut off, the step goes on where it was, unless the server was restarted since; the moment to stop stays the same. A step that was not done
because the time was up reads on when it is retried, until all is read.
`

// Warm is the kind postgres_warm.
type Warm struct {
	Database   secret.DSN `evac:"database,required,target" doc:"connection string of the database to warm"`
	From       secret.DSN `evac:"from" doc:"connection string of the database whose hot pages count"`
	Until      string     `evac:"until" doc:"when to stop: a time (08:50 of this machine's zone, the one nearest to now, or RFC 3339) or how long from the first start (90m); without it all is read"`
	Jobs       int        `evac:"jobs" default:"4" doc:"how many pieces are read at once"`
	MaxRate    step.Size  `evac:"max_rate" doc:"bytes to read a second at most"`
	WarmEnough float64    `evac:"warm_enough" default:"90" doc:"percentage of the hot set that must be read"`
	MaxLatency float64    `evac:"max_latency" default:"10" doc:"how many times slower than a warm page a hot page may be; 0: any"`
	Physical   string     `evac:"physical" default:"auto" enum:"auto,yes,no" doc:"whether the database has the same blocks as from; by default the system identifier tells"`
}

// WarmOutput is what a warming reached.
type WarmOutput struct {
	PercentHot    float64  `json:"percent_hot" doc:"how much of the hot set was read"`
	Percent       float64  `json:"percent" doc:"how much of the whole database was read"`
	Complete      bool     `json:"complete" doc:"all was read before the time was up"`
	Relations     int      `json:"relations" doc:"tables and indexes that were read whole"`
	Bytes         int64    `json:"bytes" doc:"bytes read"`
	MBPerS        float64  `json:"mb_per_s" doc:"how fast, in 1,000,000 bytes a second"`
	LatencyColdUS float64  `json:"latency_cold_us" doc:"first read of a hot page before, in microseconds (median)"`
	LatencyUS     float64  `json:"latency_us" doc:"first read of a hot page at the end"`
	LatencyWarmUS float64  `json:"latency_warm_us" doc:"read of a page that has just been read"`
	Way           string   `json:"way" doc:"how pages were read"`
	Heat          string   `json:"heat" doc:"what says which pages are hot"`
	LeftOut       []string `json:"left_out,omitempty" doc:"what was not read, and why"`
}

// warming is the checkpoint: the moment to stop, fixed at the first start, and
// how far it came.
type warming struct {
	Until time.Time    `json:"until,omitzero"`
	State pg.WarmState `json:"state"`
}

// Check implements step.Step.
func (w *Warm) Check(ctx context.Context, _ *step.Env) (step.Plan, error) {
	until, err := w.until(time.Now())
	if err == nil && (w.Jobs < 1 || w.MaxRate < 0 || w.WarmEnough < 0 || w.WarmEnough > 100 || w.MaxLatency < 0) {
		err = fault.New(fault.Invalid, "jobs must be 1 or more, warm_enough from 0 to 100, max_rate and max_latency not negative", "")
	}
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.PlanWarm(ctx, w.options())
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{
		Summary: fmt.Sprintf("read %s into memory, hottest first", w.Database),
		Work:    step.Work{Unit: "bytes", Total: seen.Bytes},
	}
	plan.Action("read", "%g %% of the hot set of %s are read, and more%s", w.WarmEnough, w.Database, w.ending())
	plan.Fact("server", "PostgreSQL %s", seen.Version)
	plan.Fact("size", "%s in %d tables and indexes, %s of them hot", humanize.IBytes(uint64(seen.Bytes)), seen.Relations, humanize.IBytes(uint64(seen.HotBytes)))
	plan.Fact("heat", "%s", seen.Heat)
	plan.Fact("way", "%s", seen.Way)
	for _, name := range seen.Hottest {
		plan.Fact("hot", "%s", name)
	}
	for _, text := range shown(seen.LeftOut) {
		plan.Fact("left out", "%s", text)
	}
	plan.Warnings = seen.Warnings
	if !until.IsZero() && until.Before(time.Now()) {
		plan.Warn("%s has passed: nothing will be read", w.Until)
	}
	return plan, nil
}

// ending says in words when it ends.
func (w *Warm) ending() string {
	if w.Until == "" {
		return ""
	}
	if _, err := step.ParseDuration(w.Until); err == nil {
		return ", for at most " + w.Until
	}
	return ", until " + w.Until
}

// until is the moment to stop if the step starts now; zero: never.
func (w *Warm) until(now time.Time) (time.Time, error) {
	if w.Until == "" {
		return time.Time{}, nil
	}
	if d, err := step.ParseDuration(w.Until); err == nil {
		return now.Add(d), nil
	}
	t, err := step.ParseMoment(w.Until, now)
	return t, fault.Wrap(fault.Invalid, "until", err, "write 08:50, 2026-11-21T08:50:00+09:00 or 90m")
}

func (w *Warm) options() pg.WarmOptions {
	return pg.WarmOptions{Database: w.Database, From: w.From, Physical: pg.Layout(w.Physical), Jobs: w.Jobs, MaxRate: int64(w.MaxRate)}
}

// Run implements step.Step.
func (w *Warm) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	var saved warming
	found, err := env.Checkpoint.Load(&saved)
	if err != nil {
		return nil, err
	}
	if !found {
		if saved.Until, err = w.until(time.Now()); err != nil {
			return nil, err
		}
	}
	o := w.options()
	o.Until, o.State = saved.Until, saved.State
	o.Save = func(ctx context.Context, s pg.WarmState) error {
		saved.State = s
		return env.Checkpoint.Save(ctx, saved)
	}
	o.Total = func(bytes int64) { env.Progress.Total("bytes", bytes) }
	o.Read, o.Note = env.Progress.Add, env.Progress.Note
	r, err := pg.Warm(ctx, o)
	if err != nil {
		return nil, err
	}
	if !r.Complete { // whoever retries gives it more time
		saved.Until = time.Time{}
		if err := env.Checkpoint.Save(ctx, saved); err != nil {
			return nil, err
		}
	}
	for _, text := range shown(r.LeftOut) {
		env.Log.Warn("left out: " + text)
	}
	return WarmOutput{
		PercentHot: tenth(r.HotPercent), Percent: tenth(r.Percent), Complete: r.Complete,
		Relations: r.Relations, Bytes: r.Bytes, MBPerS: tenth(float64(r.Bytes) / 1e6 / max(r.Seconds, 1e-3)),
		LatencyColdUS: tenth(r.ColdUS), LatencyUS: tenth(r.Now.FirstUS), LatencyWarmUS: tenth(r.Now.AgainUS),
		Way: r.Way, Heat: r.Heat, LeftOut: shown(r.LeftOut),
	}, nil
}

// tenth cuts a figure to what is worth reading.
func tenth(x float64) float64 { return float64(int64(x*10)) / 10 }

// Verify implements step.Step: enough was read, and it still is in memory.
func (w *Warm) Verify(ctx context.Context, _ *step.Env, done step.Done) error {
	var out WarmOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the warming: %w", err)
	}
	op := "warm " + w.Database.String()
	if out.PercentHot < w.WarmEnough {
		return fault.New(fault.Different, fmt.Sprintf("%s: %g %% of the hot set are read, want %g", op, out.PercentHot, w.WarmEnough),
			"evac retry reads on; or take less for enough (warm_enough)")
	}
	now, err := pg.TakeTemperature(ctx, w.options())
	if err != nil {
		return err
	}
	if w.MaxLatency > 0 && now.Ratio() > w.MaxLatency {
		return fault.New(fault.Different, fmt.Sprintf("%s: a hot page takes %.0f µs to read, %.1f times a warm one, want at most %g times",
			op, now.FirstUS, now.Ratio(), w.MaxLatency),
			"warm it again; if that does not help, the hot set is larger than the memory")
	}
	return nil
}
