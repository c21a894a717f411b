package postgres

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func promoteKind() step.Kind {
	return step.Kind{
		Name:    "postgres_promote",
		Effect:  step.Lasting,
		Summary: "makes a PostgreSQL standby the primary, after fencing the old one",
		Doc:     promoteDoc,
		New:     func() step.Step { return &Promote{} },
		Output:  PromoteOutput{},
		Example: `step "postgres_promote" "standby" {
  database = var.standby_db
  from     = var.old_db
}`,
	}
}

const promoteDoc = `
In this order, so that there are never two primaries and nothing acknowledged is lost:

1. The old primary is **fenced** and that is proved (below).
2. The standby replays everything that the old primary wrote, to its very last record.
3. It is promoted.
4. Verify proves from outside that it takes writes, on a new timeline of the same cluster, and that the old primary takes none.

Up to the promotion itself a failure takes the fence away again, and the old primary serves on. Cut off anywhere, the same step goes on.

**How the old primary is fenced** (` + "`fence`" + `):

- ` + "`connections`" + `: its own settings (ALTER SYSTEM) turn every login away, superusers' too, with the words "fenced by evac: this server is not the
  primary any more"; all sessions are ended; then no transaction may begin for ` + "`settle`" + `. Replication goes on. It needs a superuser on both
  sides. A person comes in again by PGOPTIONS="-c session_preload_libraries=" psql …, and alter system reset session_preload_libraries,
  default_transaction_read_only and autovacuum takes the fence away.
- ` + "`command`" + `: ` + "`fence_command`" + ` stops it or cuts it off (systemctl stop, the cloud's API, the switch port). It must end with exit status 0, and
  afterwards no address of ` + "`from`" + ` may take a connection any more. It may run more than once.
- ` + "`none`" + `: nobody keeps clients from writing to the old primary. Only where it is gone for good, or to look at old data.

**If the old primary is dead** it cannot be asked for its last position. An orderly shutdown is recognised by its last record, and then nothing is
lost. Else the step refuses unless ` + "`lose`" + ` says how many bytes of write-ahead log you accept to lose; where nobody can tell how much is
missing, any value but 0 lets it go on. A dead server may come back: fence it by a command.

**Back to before a bad deploy**: on a delayed standby (postgres_replica with ` + "`delay`" + `) ` + "`stop_at`" + ` ends replay after the last commit up to a
time, or before a position in the write-ahead log, and promotes there. What was written later is not in it. The standby is restarted for that: by
pg_ctl in ` + "`dir`" + ` on this machine, or by ` + "`restart`" + `. A delayed standby without ` + "`stop_at`" + ` is refused.

A database that follows by postgres_follow is another thing: postgres_switch does this for it, and can be undone.

**There is no undo**: the two have parted. The old primary becomes a standby of the new one by the commands in ` + "`way_back`" + `
(pg_rewind; it needs full_page_writes and data checksums or wal_log_hints from before, else it is copied anew with postgres_replica).

Other standbys of the old primary, replication slots and addresses of clients are not changed. PostgreSQL 10 or later. The user needs execute on pg_promote; before
PostgreSQL 12 evac must run on the standby's host and be given ` + "`dir`" + `.
`

// Promote is the kind postgres_promote.
type Promote struct {
	Database     secret.DSN    `evac:"database,required,target" doc:"connection string of the standby that becomes the primary"`
	From         secret.DSN    `evac:"from,target" doc:"connection string of the old primary"`
	Fence        string        `evac:"fence" default:"connections" enum:"connections,command,none" doc:"how the old primary is kept from taking writes"`
	FenceCommand string        `evac:"fence_command,target" doc:"shell command that stops the old primary for good"`
	Settle       time.Duration `evac:"settle" default:"1s" doc:"how long the old primary must be silent"`
	Lose         step.Size     `evac:"lose" default:"0" doc:"how much write-ahead log of a dead primary may be lost"`
	StopAt       string        `evac:"stop_at" doc:"where replay ends: a time (RFC 3339) or a position in the write-ahead log"`
	Dir          string        `evac:"dir,target" doc:"data directory of the standby, if it is on this machine"`
	Bin          string        `evac:"bin" doc:"directory of the server's programs (pg_ctl); by default the usual places are searched"`
	User         string        `evac:"user" default:"postgres" doc:"account that the server runs as, where evac runs as root"`
	Restart      string        `evac:"restart,target" doc:"shell command that restarts the standby, in place of pg_ctl"`
}

// PromoteOutput is what a promotion did.
type PromoteOutput struct {
	System         string   `json:"system" doc:"system identifier of the cluster"`
	Timeline       int64    `json:"timeline" doc:"timeline that it writes now"`
	FormerTimeline int64    `json:"former_timeline" doc:"timeline before"`
	LSN            string   `json:"lsn" doc:"position up to which the standby had replayed"`
	Fence          string   `json:"fence" doc:"how the old primary was fenced"`
	Complete       string   `json:"complete,omitempty" doc:"why nothing that the old primary wrote is missing; empty if that is not known"`
	FencedAt       string   `json:"fenced_at" doc:"when fencing the old primary began (RFC 3339)"`
	PromotedAt     string   `json:"promoted_at" doc:"when the new one took writes (RFC 3339)"`
	BetweenMS      int64    `json:"between_ms" doc:"how long there was no primary"`
	WayBack        []string `json:"way_back,omitempty" doc:"commands by which the old primary becomes a standby of the new one"`
}

// promoteData is the plan's own: Run does what was checked, whatever the
// database has become since.
type promoteData struct {
	Role pg.Role `json:"role"`
}

// promoted is the checkpoint.
type promoted struct {
	Role    pg.Role         `json:"role"`
	Standby pg.PromoteState `json:"standby"`
}

// Check implements step.Step.
func (p *Promote) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	role, err := p.role(ctx, env)
	if err != nil {
		return step.Plan{}, err
	}
	switch role {
	case pg.RoleStandby:
		return p.checkStandby(ctx, env)
	case pg.RoleFollower:
		return step.Plan{}, fault.New(fault.Invalid, fmt.Sprintf("%s is no standby: it follows by postgres_follow", p.Database), "postgres_switch makes it the one that users write to, and can be undone")
	}
	return step.Plan{}, fault.New(fault.Invalid, fmt.Sprintf("%s is a primary already", p.Database), "give the connection string of a standby; a database that follows by postgres_follow takes over by postgres_switch")
}

// role is what the database was when the step began, or is now.
func (p *Promote) role(ctx context.Context, env *step.Env) (pg.Role, error) {
	var before promoted
	if found, err := env.Checkpoint.Load(&before); found || err != nil {
		return before.Role, err
	}
	return pg.RoleOf(ctx, p.Database)
}

func (p *Promote) checkStandby(ctx context.Context, env *step.Env) (step.Plan, error) {
	o, err := p.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.PlanPromote(ctx, o)
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{Summary: fmt.Sprintf("make the standby %s the primary", p.Database), Warnings: seen.Warnings}
	p.actions(&plan)
	plan.Fact("standby", "%s, PostgreSQL %s, timeline %d", p.Database, seen.Version, seen.Timeline)
	last := ""
	if !seen.LastCommit.IsZero() {
		last = ", last commit at " + seen.LastCommit.UTC().Format(time.RFC3339)
	}
	plan.Fact("replayed", "%s of %s received%s", seen.Replayed, seen.Received, last)
	if seen.Delay > 0 {
		plan.Fact("delay", "%s", seen.Delay)
	}
	if seen.Primary != "" {
		plan.Fact("old primary", "%s at %s, %s ahead, %d sessions", p.From, seen.Primary, humanize.IBytes(uint64(seen.Behind)), seen.Sessions)
	} else if seen.Silent != nil {
		plan.Warn("the old primary does not answer: %s", seen.Silent)
	}
	for _, standby := range seen.Standbys {
		plan.Fact("standby of the old primary", "%s", standby)
	}
	for _, line := range seen.WayBack {
		plan.Fact("way back", "%s", line)
	}
	if p.Fence == string(pg.FenceNone) {
		plan.Warn("the old primary is not fenced: whoever still writes to it writes into a past that is given up")
	}
	return plan, plan.SetData(promoteData{Role: pg.RoleStandby})
}

// actions are the effects, which follow from the fields alone.
func (p *Promote) actions(plan *step.Plan) {
	switch pg.Fence(p.Fence) {
	case pg.FenceConnections:
		plan.Action("fence", "%s turns every client away, and its sessions are ended", p.From)
	case pg.FenceCommand:
		plan.Action("fence", "the old primary is stopped by: %s", p.FenceCommand)
	}
	if p.StopAt == "" {
		plan.Action("replay", "the standby replays everything that the old primary wrote")
	} else {
		plan.Action("replay", "the standby is restarted and replays up to %s; what was written later is given up", p.StopAt)
	}
	plan.Action("promote", "%s becomes the primary", p.Database)
}

// options are those of the library for this step, with its saved state.
func (p *Promote) options(env *step.Env) (pg.PromoteOptions, error) {
	stop, err := pg.ParseStopPoint(p.StopAt)
	if err != nil {
		return pg.PromoteOptions{}, err
	}
	local := pg.Local{Dir: within(env, p.Dir), Bin: within(env, p.Bin), User: p.User, Restart: p.Restart}
	var before promoted
	if _, err := env.Checkpoint.Load(&before); err != nil {
		return pg.PromoteOptions{}, err
	}
	return pg.PromoteOptions{
		Database: p.Database, From: p.From, Fence: pg.Fence(p.Fence), Command: p.FenceCommand, Settle: p.Settle, Lose: int64(p.Lose),
		StopAt: stop, Local: local, Progress: env.Progress, State: before.Standby,
		Save: func(ctx context.Context, s pg.PromoteState) error {
			return env.Checkpoint.Save(ctx, promoted{pg.RoleStandby, s})
		},
		Change: func(ctx context.Context, c pg.ServerChange) error {
			return env.Settings.Change(ctx, step.Setting{ID: c.ID(), What: c.String(), Old: c.Old, New: c.New})
		},
		Restore: func(ctx context.Context, c pg.ServerChange) error { return env.Settings.Restore(ctx, c.ID()) },
		Changed: func() []pg.ServerChange { return serverChanges(env.Settings.Changed()) },
	}, nil
}

// within is a path that starts in the runbook's directory; "" stays.
func within(env *step.Env, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(env.Dir, path)
}

func serverChanges(settings []step.Setting) []pg.ServerChange {
	changes := make([]pg.ServerChange, len(settings))
	for i, s := range settings {
		side, name := filepath.Split(s.ID)
		changes[i] = pg.ServerChange{Side: pg.Side(filepath.Clean(side)), Setting: name, Old: s.Old, New: s.New}
	}
	return changes
}

// Run implements step.Step.
func (p *Promote) Run(ctx context.Context, env *step.Env, plan step.Plan) (step.Output, error) {
	var data promoteData
	if err := plan.DecodeData(&data); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	o, err := p.options(env)
	if err != nil {
		return nil, err
	}
	r, err := pg.Promote(ctx, o)
	if err != nil {
		return nil, err
	}
	return PromoteOutput{
		System: r.System, Timeline: r.Timeline, FormerTimeline: r.FormerTimeline, LSN: r.LSN, Fence: r.Fence, Complete: r.Complete,
		FencedAt: r.FencedAt.Format(time.RFC3339Nano), PromotedAt: r.PromotedAt.Format(time.RFC3339Nano),
		BetweenMS: r.FenceToPromoted.Milliseconds(), WayBack: r.WayBack,
	}, nil
}

// Verify implements step.Step.
func (p *Promote) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var out PromoteOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the promotion: %w", err)
	}
	o, err := p.options(env)
	if err != nil {
		return err
	}
	return pg.VerifyPromote(ctx, o, pg.PromoteResult{System: out.System, Timeline: out.Timeline})
}
