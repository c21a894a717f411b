package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func followKind() step.Kind {
	return step.Kind{
		Name:    "postgres_follow",
		Effect:  step.Undoable,
		Summary: "copies a PostgreSQL database and lets the copy follow it by logical replication, for a freeze of seconds",
		Doc:     followDoc,
		New:     func() step.Step { return &Follow{} },
		Output:  FollowOutput{},
		Example: `step "postgres_follow" "main" {
  from = var.old_db
  to   = var.new_db
}`,
	}
}

const followDoc = `
Copies the database while users go on working, as postgres_copy does, and then lets the copy follow: whatever is written to the source reaches
the target within moments. The step ends when the target is less than ` + "`max_lag`" + ` behind, and the target goes on following. What is left for the night
is postgres_freeze and postgres_switch, which take seconds, whatever the size.

On the source it makes a publication and a replication slot, on the target a subscription, all called evac_follow_…. Before the first table stands on the
target it makes that read-only by default and ends the sessions that are connected there, and so it stays until the switch or undo: clients that fail over to it
meanwhile are refused, and lose nothing. Sessions that the user may not end are named. Who sets a transaction to read write by hand is not stopped: what
is written so is not kept when a copy starts over, nor by undo.

**What it needs.** Source from PostgreSQL 10 on with ` + "`wal_level = logical`" + `, a free slot and two senders; a user who owns the tables and may replicate
(` + "`alter role … replication`" + `; on RDS ` + "`grant rds_replication to …`" + `). On the target the owner of the database, who may subscribe (from 16 on
` + "`grant pg_create_subscription to …`" + `, before that a superuser or the provider's administrator). The target's own server connects to the
source: name the source as it sees it in ` + "`source_from_target`" + ` if that differs. This connection string, **password included, is kept by the target's
server** in pg_subscription, which only superusers read, until the switch or undo. All this is tried before anything is changed.

**Tables without a key** are refused by name, for replication cannot find their rows. Give them a key; or ` + "`identity = \"full\"`" + ` makes the whole row their
identity on the source for the time being (undo puts it back), which is slow for large tables. The copies of these tables have it too, for the way home needs it; postgres_settle puts it back
on both sides.

**What replication does not carry** is brought over by postgres_switch while nobody writes: sequences, unlogged tables, large objects that changed; materialized
views that the source has refreshed since the copy are refreshed. Changes of the schema are not carried: do not change it meanwhile. If it was changed, the switch refuses and names what; make the same
change on the target, or undo and follow again. Tables that were altered are compared row by row at the switch, for such a change may rewrite values. PostgreSQL 10 does
not replicate TRUNCATE: a table that was truncated there is refused at the switch. Triggers that are ENABLE ALWAYS or REPLICA would fire on both sides and are refused.

**The source's disk.** The slot keeps the source's log until the target has it. If it would keep more than ` + "`max_slot`" + `, the step fails; with ` + "`drop_slot`" + ` it drops
the slot at once, and begins again when it is run again. Only the server itself can watch while evac does not: max_slot_wal_keep_size (13 and later).

Cut off at any instant, the same step goes on. While the copy runs, a process of its own holds the slot's moment on the source, and for an hour
after a kill; a copy that was cut off for longer starts over, unless the source is unwritten since. Undo drops exactly what was made, empties the target, and then opens it
as it was. It refuses if the target was switched to and has not come home.
`

// Follow is the kind postgres_follow.
type Follow struct {
	From             secret.DSN `evac:"from,required" doc:"connection string of the source"`
	To               secret.DSN `evac:"to,required,target" doc:"connection string of the target, an empty database"`
	SourceFromTarget secret.DSN `evac:"source_from_target" doc:"connection string of the source as the target's server needs it; by default from"`
	Jobs             int        `evac:"jobs" default:"2" doc:"how many tables are copied at once, and how many indexes are built"`
	PgDump           string     `evac:"pg_dump" doc:"a pg_dump program or its directory; by default the usual places are searched"`
	MaxLag           step.Size  `evac:"max_lag" default:"16MiB" doc:"how much of the source's log the target may be behind in the end"`
	MaxSlot          step.Size  `evac:"max_slot" default:"64GiB" doc:"how much log the source may keep for the target; 0 is no bound"`
	DropSlot         bool       `evac:"drop_slot" default:"false" doc:"drop the slot rather than exceed max_slot"`
	Identity         string     `evac:"identity" default:"key" enum:"key,full" doc:"how rows of tables without a key are found: key refuses such tables, full takes the whole row"`
}

// FollowOutput is what a follow did.
type FollowOutput struct {
	Rows          int64    `json:"rows" doc:"rows copied, before what followed"`
	Bytes         int64    `json:"bytes" doc:"bytes copied, in COPY's form"`
	Tables        int64    `json:"tables" doc:"tables copied, partitions counted"`
	LargeObjects  int64    `json:"large_objects" doc:"large objects copied"`
	SourceVersion string   `json:"source_version" doc:"version of the source's server"`
	TargetVersion string   `json:"target_version" doc:"version of the target's server"`
	Subscription  string   `json:"subscription" doc:"name of publication, slot and subscription"`
	LagBytes      int64    `json:"lag_bytes" doc:"how much of the source's log the target was behind in the end"`
	LagMS         int64    `json:"lag_ms" doc:"how old that was"`
	Warnings      []string `json:"warnings,omitempty" doc:"what the target did not take"`
}

// Check implements step.Step.
func (f *Follow) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	if f.Jobs < 1 {
		return step.Plan{}, fault.New(fault.Invalid, fmt.Sprintf("jobs is %d, want 1 or more", f.Jobs), "")
	}
	o, err := f.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.PlanFollow(ctx, o)
	return f.plan(seen), err
}

// plan says what was seen, also of a follower that is refused.
func (f *Follow) plan(seen pg.FollowSurvey) step.Plan {
	plan := step.Plan{
		Summary:  fmt.Sprintf("copy %s (%s) to %s and let that follow it", f.From, humanize.IBytes(uint64(seen.Copy.Bytes)), f.To),
		Work:     step.Work{Unit: "bytes", Total: seen.Copy.Bytes},
		Warnings: seen.Warnings,
	}
	plan.Action("copy", "%s holds everything that %s holds", f.To, f.From)
	plan.Action("follow", "%s receives whatever is written to %s, by a publication and a slot there and a subscription here", f.To, f.From)
	plan.Action("read-only", "%s is read-only by default from before its first table on until it is switched to; sessions that are connected there are ended", f.To)
	if f.Identity == fullIdentity {
		plan.Action("identity", "tables without a key are followed by whole rows")
	}
	surveyed(&plan, f.From, f.To, seen.Copy)
	if seen.Followed > 0 {
		plan.Fact("followed", "%d tables", seen.Followed)
	}
	if f.Identity == fullIdentity && len(seen.Identities) > 0 {
		plan.Fact("whole rows", "%s", strings.Join(seen.Identities, ", "))
	}
	if seen.Caught {
		plan.Fact("state", "the target follows already")
	}
	for _, fact := range seen.Copy.Facts {
		plan.Fact(fact.Name, "%s", fact.Value)
	}
	return plan
}

// fullIdentity is the identity of whole rows.
const fullIdentity = "full"

// options are those of the library for this step, with its saved state.
func (f *Follow) options(env *step.Env) (pg.FollowOptions, error) {
	o := pg.FollowOptions{
		CopyOptions: pg.CopyOptions{From: f.From, To: f.To, Jobs: f.Jobs, PgDump: f.PgDump, Token: env.Token, Progress: env.Progress, Hold: startHolder},
		Reach:       f.SourceFromTarget, MaxLag: int64(f.MaxLag), MaxSlot: int64(f.MaxSlot), DropSlot: f.DropSlot, FullIdentity: f.Identity == fullIdentity,
		Save: func(ctx context.Context, s pg.FollowState) error { return env.Checkpoint.Save(ctx, s) },
		Change: func(ctx context.Context, c pg.IdentityChange) error {
			return env.Settings.Change(ctx, step.Setting{ID: c.Table, What: c.String(), Old: c.Old, New: fullIdentity})
		},
		Restored: func(ctx context.Context, c pg.IdentityChange) error { return env.Settings.Restore(ctx, c.Table) },
		Changed: func() (list []pg.IdentityChange) {
			for _, s := range env.Settings.Changed() {
				list = append(list, pg.IdentityChange{Table: s.ID, Old: s.Old})
			}
			return list
		},
	}
	if strings.ContainsRune(f.PgDump, '/') {
		o.PgDump = within(env, f.PgDump)
	}
	_, err := env.Checkpoint.Load(&o.State)
	return o, err
}

// Run implements step.Step.
func (f *Follow) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	o, err := f.options(env)
	if err != nil {
		return nil, err
	}
	r, err := pg.Follow(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range r.Copy.Warnings {
		env.Log.Warn(warning)
	}
	return FollowOutput{
		Rows: r.Copy.Rows, Bytes: r.Copy.Bytes, Tables: r.Copy.Tables, LargeObjects: r.Copy.LargeObjects,
		SourceVersion: r.Copy.SourceVersion, TargetVersion: r.Copy.TargetVersion, Subscription: r.Name,
		LagBytes: r.Lag.Bytes, LagMS: r.Lag.Time.Milliseconds(), Warnings: r.Copy.Warnings,
	}, nil
}

// Verify implements step.Step. That each row is the same is for
// postgres_verify to prove.
func (f *Follow) Verify(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := f.options(env)
	if err != nil {
		return err
	}
	lag, err := pg.VerifyFollow(ctx, o)
	if err == nil {
		env.Progress.Note(lag.String())
	}
	return err
}

// Undo implements step.Undoer.
func (f *Follow) Undo(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := f.options(env)
	if err != nil {
		return err
	}
	return pg.UndoFollow(ctx, o)
}
