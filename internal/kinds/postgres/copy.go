package postgres

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func copyKind() step.Kind {
	return step.Kind{
		Name:    "postgres_copy",
		Effect:  step.Undoable,
		Summary: "copies a PostgreSQL database whole to another server, of the same major version or a newer one",
		Doc:     copyDoc,
		New:     func() step.Step { return &Copy{} },
		Output:  CopyOutput{},
		Example: `step "postgres_copy" "main" {
  from = var.old_db
  to   = var.new_db
}`,
	}
}

const copyDoc = `
The target must be an empty database. Afterwards it holds everything that pg_dump carries, and what stands around a database and a dump leaves
behind: its owner, comment, privileges and settings, the settings of roles in it, and the roles themselves (those that it refers to, their
members and groups, with password hashes where the user may read them). A user who is no superuser of the
target cannot keep such secrets out of its server's log: the check warns, and names the lines to set. Roles that stand on the target already are left as they are. Left out
are the database's connection limit and ` + "`default_transaction_read_only`" + `, by which a frozen source refuses writes, and subscriptions are made
disabled, as pg_dump makes them.

The schema is read by pg_dump, which must be of the source's major version or newer; the rows go from server to server by ` + "`jobs`" + ` workers that
share one snapshot, without a file between. As soon as a table is complete its keys, indexes and statistics are made, while other tables are
still on their way; what takes longest begins first. Triggers, rules and privileges follow when all tables are complete, then materialized
views, and event triggers come last of all.

With ` + "`schemas`" + `, ` + "`tables`" + `, ` + "`not_schemas`" + ` and ` + "`not_tables`" + ` only a part is copied: * stands for any characters, names are written as they are, and a name
with a dot or a star in it is quoted as in SQL. Single tables come without the types and functions that they use, and a part comes without large
objects and the database's own settings.

With ` + "`tune = true`" + ` the target's server is set up for the load: autovacuum off, checkpoints far apart (max_wal_size 16GB: have that much disk). That
needs the right to ALTER SYSTEM. The old values are in the journal first, and are put back at the end, after a failure, by resume or by undo.

Cut off at any instant, the same step goes on where it was: whatever is done stands in a ledger in the target, written together with it. Rows
that are there already are kept only if they are of the same moment: while the copy runs, a process of its own holds its snapshot of the source, and for
an hour after a kill; without it the source must be proved unwritten since (freeze it first); else the copy starts over and says so. A
complete copy is not made again; but a crash of the target empties unlogged tables, and as long as the step has not ended they are filled again then,
if the source is unwritten since the copy.

Connections that the network has lost are given up by themselves: by evac after a minute, or five if it was sending; by the servers after a minute, or
when their system says so if they were sending (a quarter of an hour). ` + "`keepalives_idle`, `keepalives_interval`, `keepalives_count` and `tcp_user_timeout`" + `
in the connection strings change that, for both ends. A proxy or tunnel that answers by itself while its own far side is dead (` + "`ssh -L`" + `, a balancer of
TCP connections) hides the loss: nothing moves then, and nothing fails. Let it ask as well (` + "`ssh -o ServerAliveInterval=15`" + `), or give the step a
` + "`timeout`" + `: cut off by that, it goes on where it was. A server that starts, or recovers from a crash, is waited for
up to 30 seconds, by every kind that connects to one.

The check reads only, and says everything at once: what refuses, each with what to do, what must be known, and how long each way to move takes
(this copy, postgres_follow, an upgrade in place), for the planning meeting. It looks at versions, rights and free sessions on both sides; roles,
extensions and their versions, libraries and collations that the target lacks; encodings, locales and how texts really sort; what later versions gave up
(types, operators, OIDs, Python 2, settings); invalid indexes, ` + "`NOT VALID`" + ` constraints, sequences near their end, unlogged and foreign tables; open and
prepared transactions; settings of the servers that differ; and the target's disk where that is on this machine. What a managed server must have set
stands there as its provider's own line. A source of more than 1 GiB is read for a quarter of a second to learn its rate; until a drill has told
better, the other rates are those of a machine with two cores.

The users need not be superusers. One of the target that is none stays a member of the roles that it makes. What the target refuses for lack of
privilege (an owner, a grant, an event trigger) is left out by name, in ` + "`warnings`" + `.

Undo empties the target again, also halfway: everything in it is dropped, and so are the roles that the copy made; the database's owner,
comment, privileges and settings are put back. It refuses if rows of the target were written or a sequence was drawn from after the copy, for
dropping would lose that; ` + "`evac skip`" + ` then leaves the target as it is, and undo goes on with the steps before.
`

// Copy is the kind postgres_copy.
type Copy struct {
	From   secret.DSN `evac:"from,required" doc:"connection string of the source"`
	To     secret.DSN `evac:"to,required,target" doc:"connection string of the target, an empty database"`
	Jobs   int        `evac:"jobs" default:"2" doc:"how many tables are copied at once, and how many indexes are built"`
	PgDump string     `evac:"pg_dump" doc:"a pg_dump program or its directory; by default the usual places are searched"`

	Schemas    []string `evac:"schemas" doc:"patterns of the schemas to copy, \"app*\"; all by default"`
	Tables     []string `evac:"tables" doc:"patterns of single tables to copy, \"app.orders\""`
	NotSchemas []string `evac:"not_schemas" doc:"patterns of schemas to leave out"`
	NotTables  []string `evac:"not_tables" doc:"patterns of tables to leave out"`

	MaxRate step.Size `evac:"max_rate" doc:"bytes of rows to copy in a second at most, \"50MiB\""`
	Tune    bool      `evac:"tune" default:"false" doc:"tune the target's server for the load, and put its settings back in the end"`
}

// CopyOutput is what a copy did.
type CopyOutput struct {
	Rows          int64    `json:"rows" doc:"rows copied"`
	Bytes         int64    `json:"bytes" doc:"bytes copied, in COPY's form"`
	Tables        int64    `json:"tables" doc:"tables copied, partitions counted"`
	LargeObjects  int64    `json:"large_objects" doc:"large objects copied"`
	SourceVersion string   `json:"source_version" doc:"version of the source's server"`
	TargetVersion string   `json:"target_version" doc:"version of the target's server"`
	Snapshot      string   `json:"snapshot" doc:"the source's next transaction when the snapshot was taken"`
	TakenAt       string   `json:"taken_at" doc:"when that was, by the source's clock (RFC 3339)"`
	Warnings      []string `json:"warnings,omitempty" doc:"what the target did not take"`
}

// Check implements step.Step.
func (c *Copy) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	if c.Jobs < 1 {
		return step.Plan{}, fault.New(fault.Invalid, fmt.Sprintf("jobs is %d, want 1 or more", c.Jobs), "")
	}
	o, err := c.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.CheckCopy(ctx, o)
	return c.plan(seen), err
}

// plan says what was seen, also of a copy that is refused.
func (c *Copy) plan(seen pg.CopySurvey) step.Plan {
	plan := step.Plan{
		Summary: fmt.Sprintf("copy %s (%s) to %s", c.From, humanize.IBytes(uint64(seen.Bytes)), c.To),
		Work:    step.Work{Unit: "bytes", Total: seen.Bytes},
	}
	plan.Action("roles", "every role that %s uses is on the target's server", c.From)
	plan.Action("database", "%s holds everything that %s holds", c.To, c.From)
	plan.Action("settings", "owner, comment, privileges and settings of %s are those of %s", c.To, c.From)
	surveyed(&plan, c.From, c.To, seen)
	switch {
	case seen.Finished:
		plan.Fact("state", "the copy is complete")
	case seen.Begun:
		plan.Fact("state", "the target holds an unfinished copy of this step, which goes on if the source was not written since")
	}
	for _, f := range seen.Facts {
		plan.Fact(f.Name, "%s", f.Value)
	}
	plan.Warnings = seen.Warnings
	return plan
}

// surveyed adds the facts that every survey begins with, as far as it came.
func surveyed(plan *step.Plan, from, to secret.DSN, seen pg.CopySurvey) {
	if seen.SourceVersion != "" {
		plan.Fact("source", "%s, PostgreSQL %s", from, seen.SourceVersion)
		plan.Fact("target", "%s, PostgreSQL %s", to, seen.TargetVersion)
	}
	if seen.Tables+seen.LargeObjects > 0 {
		plan.Fact("size", "%s without indexes, in %s, about %s, %s", humanize.IBytes(uint64(seen.Bytes)),
			counted(seen.Tables, "table"), counted(seen.Rows, "row"), counted(seen.LargeObjects, "large object"))
	}
	if seen.PgDump.Path != "" {
		plan.Fact("pg_dump", "%s (%s)", seen.PgDump.Path, seen.PgDump.Text)
	}
}

// options are those of the library for this step, with its saved state.
func (c *Copy) options(env *step.Env) (pg.CopyOptions, error) {
	o := pg.CopyOptions{
		From: c.From, To: c.To, Jobs: c.Jobs, PgDump: c.PgDump, Select: c.selection(), MaxRate: int64(c.MaxRate),
		Token: env.Token, Progress: env.Progress, Tuning: tuning(env, c.Tune),
		Hold: startHolder,
	}
	if strings.ContainsRune(c.PgDump, filepath.Separator) && !filepath.IsAbs(c.PgDump) {
		o.PgDump = filepath.Join(env.Dir, c.PgDump)
	}
	o.Save = func(ctx context.Context, s pg.CopyState) error { return env.Checkpoint.Save(ctx, s) }
	_, err := env.Checkpoint.Load(&o.State)
	return o, err
}

func (c *Copy) selection() pg.Selection {
	return pg.Selection{Schemas: c.Schemas, Tables: c.Tables, NotSchemas: c.NotSchemas, NotTables: c.NotTables}
}

// tuning keeps the account of changed settings in the journal.
func tuning(env *step.Env, wanted bool) pg.Tuning {
	t := pg.Tuning{
		Wanted: wanted,
		Change: func(ctx context.Context, s pg.ServerChange) error {
			return env.Settings.Change(ctx, step.Setting{ID: s.Setting, What: s.String(), Old: s.Old, New: s.New})
		},
		Restored: env.Settings.Restore,
	}
	for _, s := range env.Settings.Changed() {
		t.Changed = append(t.Changed, pg.ServerChange{Setting: s.ID, Old: s.Old, New: s.New})
	}
	return t
}

// Run implements step.Step.
func (c *Copy) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	o, err := c.options(env)
	if err != nil {
		return nil, err
	}
	r, err := pg.Copy(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, warning := range r.Warnings {
		env.Log.Warn(warning)
	}
	return CopyOutput{
		Rows: r.Rows, Bytes: r.Bytes, Tables: r.Tables, LargeObjects: r.LargeObjects,
		SourceVersion: r.SourceVersion, TargetVersion: r.TargetVersion,
		Snapshot: fmt.Sprint(r.Mark.Xmax), TakenAt: r.Mark.TakenAt.UTC().Format("2006-01-02T15:04:05.999999Z07:00"),
		Warnings: r.Warnings,
	}, nil
}

// Verify implements step.Step: rows are counted and names looked up. That each
// row is the same is for postgres_verify to prove.
func (c *Copy) Verify(ctx context.Context, _ *step.Env, _ step.Done) error {
	return pg.VerifyCopy(ctx, c.From, c.To, c.Jobs, c.selection())
}

// Undo implements step.Undoer.
func (c *Copy) Undo(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := c.options(env)
	if err != nil {
		return err
	}
	return pg.UndoCopy(ctx, o)
}
