package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func switchKind() step.Kind {
	return step.Kind{
		Name:    "postgres_switch",
		Effect:  step.Undoable,
		Summary: "makes the database that follows by postgres_follow the one that users write to, with a way home",
		Doc:     switchDoc,
		New:     func() step.Step { return &Switch{} },
		Output:  SwitchOutput{},
		Example: `step "postgres_switch" "main" {
  from = var.old_db
  to   = var.new_db
}`,
	}
}

const switchDoc = `
The source must be frozen (postgres_freeze), and the target follow it (postgres_follow). Then, within seconds:

1. The target takes in the rest, to the exact end of the source's log; that position, confirmed by the target as flushed to its disk, is the proof.
2. The following ends: subscription, slot and publication are dropped.
3. What replication does not carry is brought over: sequences, unlogged tables, large objects that changed. Materialized views that the source
   has refreshed since the copy are refreshed; the others, whose contents on the target are newer than the source's, stay as they are and are named
   in ` + "`kept_views`" + `: refresh them when it suits you, and name them to a postgres_verify that compares them.
   With ` + "`count`" + ` the rows of every table are counted on both sides. That each row is the same is for postgres_verify to prove.
4. **The way home** is built: from now on the old database receives whatever is written to the new one. It stays read-only for everybody else.
5. The new database is opened to writers.

A check while the source is frozen does not try the way home again and leaves the comparison of the schemas to the switch: check before you freeze, as
` + "`evac check` and `evac run`" + ` do.

**Undo goes home**: the new database is frozen with the same proof as postgres_freeze, the old one takes in all that users wrote, to the exact end of the log,
sequences, large objects and the rest come back too, all materialized views are refreshed, the rows of every table are counted on both sides, and the new
one follows the old one again. Nothing that was acknowledged is lost: the position in the log proves that all was applied, and the count that no row is
missing to which it was applied, because somebody wrote to the old database against its default. Counting reads every table while nobody can write: drill it,
and say ` + "`count_home = false`" + ` only if it is too long for you. The undo of postgres_freeze then opens the old one. Undo refuses, before it stops anybody, if the schema of the new database
was changed meanwhile, and names what. If it was changed in the same way on both sides, the rows of tables that were altered are compared one by one.

The way home needs ` + "`wal_level = logical`" + ` on the target, and on the source the right to subscribe (from PostgreSQL 16 on
pg_create_subscription, before that a superuser or the provider's administrator); the source's server connects to the target. All this is tried at check.
The old server keeps the connection string, password included, in pg_subscription. While the old database cannot be reached, the new one keeps its log for
it: when you will not go back any more, run postgres_settle, which ends the way home.

With ` + "`way_home = false`" + ` there is none; going back is then refused once users have written.
`

// Switch is the kind postgres_switch.
type Switch struct {
	From             secret.DSN    `evac:"from,required,target" doc:"connection string of the old database"`
	To               secret.DSN    `evac:"to,required,target" doc:"connection string of the new database, which follows it"`
	WayHome          bool          `evac:"way_home" default:"true" doc:"let the old database receive what is written to the new one, so that undo can go back"`
	SourceFromTarget secret.DSN    `evac:"source_from_target" doc:"connection string of the old database as the new one's server needs it; by default from"`
	TargetFromSource secret.DSN    `evac:"target_from_source" doc:"connection string of the new database as the old one's server needs it; by default to"`
	Count            bool          `evac:"count" default:"false" doc:"count the rows of every table on both sides before opening, which takes as long as reading them"`
	CountHome        bool          `evac:"count_home" default:"true" doc:"do so before undo ends; false if nobody can wait for that"`
	Drain            time.Duration `evac:"drain" default:"2m" doc:"how long the other side may take to apply the rest; a broken connection is noticed after wal_sender_timeout (1 min)"`
	Jobs             int           `evac:"jobs" default:"2" doc:"how many tables are counted at once"`
}

// SwitchOutput is what a switch did.
type SwitchOutput struct {
	LSN          string   `json:"lsn" doc:"position of the old database's log up to which the new one has everything"`
	DrainMS      int64    `json:"drain_ms" doc:"how long it took to apply the rest"`
	EndMS        int64    `json:"end_ms" doc:"how long it took to end the following"`
	CarryMS      int64    `json:"carry_ms" doc:"how long it took to bring over what replication does not carry"`
	HomeMS       int64    `json:"home_ms" doc:"how long it took to build the way home"`
	SwitchMS     int64    `json:"switch_ms" doc:"how long the whole switch took"`
	Sequences    int      `json:"sequences" doc:"sequences that were set"`
	LargeObjects int      `json:"large_objects" doc:"large objects that were written again"`
	Unlogged     int      `json:"unlogged" doc:"unlogged tables that were copied again"`
	Views        int      `json:"views" doc:"materialized views that were refreshed"`
	KeptViews    []string `json:"kept_views,omitempty" doc:"materialized views that hold what the copy gave them, newer than the old database's: for kept_views of postgres_verify"`
	WayHome      string   `json:"way_home,omitempty" doc:"name of publication, slot and subscription of the way home"`
	Warnings     []string `json:"warnings,omitempty" doc:"what to look at"`
}

// Check implements step.Step.
func (s *Switch) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	o, err := s.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.PlanSwitch(ctx, o)
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{Summary: fmt.Sprintf("switch from %s to %s", s.From, s.To), Warnings: seen.Warnings}
	plan.Action("drain", "%s has everything that %s holds, to the end of its log", s.To, s.From)
	plan.Action("end", "%s follows %s no more", s.To, s.From)
	if s.WayHome {
		plan.Action("way home", "%s receives whatever is written to %s", s.From, s.To)
	}
	plan.Action("open", "users write to %s", s.To)
	plan.Fact("source", "%s, PostgreSQL %s", s.From, seen.SourceVersion)
	plan.Fact("target", "%s, PostgreSQL %s", s.To, seen.TargetVersion)
	if seen.Follow != "" {
		plan.Fact("follower", "%s, %s", seen.Follow, seen.Lag)
	}
	return plan, nil
}

// options are those of the library for this step, with its saved state.
func (s *Switch) options(env *step.Env) (pg.SwitchOptions, error) {
	o := pg.SwitchOptions{
		From: s.From, To: s.To, FromReach: s.SourceFromTarget, ToReach: s.TargetFromSource,
		WayHome: s.WayHome, Count: s.Count, CountHome: s.CountHome, Drain: s.Drain, Jobs: s.Jobs, Progress: env.Progress,
		Save: func(ctx context.Context, state pg.SwitchState) error { return env.Checkpoint.Save(ctx, state) },
	}
	_, err := env.Checkpoint.Load(&o.State)
	return o, err
}

// Run implements step.Step.
func (s *Switch) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	o, err := s.options(env)
	if err != nil {
		return nil, err
	}
	r, err := pg.Switch(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range r.Warnings {
		env.Log.Warn(warning)
	}
	return SwitchOutput{
		LSN: r.Drained, DrainMS: r.DrainTime.Milliseconds(), SwitchMS: r.Time.Milliseconds(),
		EndMS: r.EndTime.Milliseconds(), CarryMS: r.CarryTime.Milliseconds(), HomeMS: r.HomeTime.Milliseconds(),
		Sequences: r.Sequences, LargeObjects: r.Objects, Unlogged: r.Unlogged, Views: r.Views, KeptViews: r.Kept, WayHome: r.Home, Warnings: r.Warnings,
	}, nil
}

// Verify implements step.Step.
func (s *Switch) Verify(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := s.options(env)
	if err != nil {
		return err
	}
	return pg.VerifySwitch(ctx, o)
}

// Undo implements step.Undoer.
func (s *Switch) Undo(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := s.options(env)
	if err != nil {
		return err
	}
	return pg.UndoSwitch(ctx, o)
}
