package cockroach

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

func loadKind() step.Kind {
	return step.Kind{
		Name:    "cockroach_load",
		Effect:  step.Undoable,
		Summary: "loads salvaged tables into a PostgreSQL database and proves that every row is there",
		Doc:     loadDoc,
		New:     func() step.Step { return &Load{} },
		Output:  LoadOutput{},
		Example: `step "cockroach_load" "main" {
  dir = "/salvage/out"
  to  = var.new_db
}`,
	}
}

const loadDoc = `
The folder is what a salvage leaves: ` + "`data/DATABASE/SCHEMA.TABLE/part-NNNNN.csv`" + ` and ` + "`schema.postgres.sql`" + `. The target must
be an empty database of PostgreSQL 12 or newer; one load fills it from one database of the folder.

First come the tables, without their keys; then the files, ` + "`jobs`" + ` at once, by COPY. As soon as all files of a table are in, its primary key,
indexes, constraints and statistics are made, while others are still on their way; foreign keys follow when all tables are complete, then
the values of sequences, views and comments. The file of a table that has only one is loaded frozen, so that the server need not look at its rows again.

What a column holds is for PostgreSQL to read: another form of the same number or time is the same value. Columns that the server computes are not
loaded; they are compared.

A key, index or constraint that the rows break is left out, and so is a view that PostgreSQL does not take: ` + "`left_out`" + ` and ` + "`notes`" + ` name them. The
dead database may have held such rows itself, so they decide nothing about the rows; but the step is not verified then, and exits with 3.

Verify compares every row of the target with the files. Both are summed up by keyed 128-bit hashes of whole rows, as many tables at once as there
are jobs. Where the sums differ, the server reads that table's files once more, each into a temporary table, so that its own text of the
values is compared. Rows that are still not the same are named, ` + "`missing`, `extra` or `different`" + `, with key and both values, and the step exits with
3. ` + "`memory`" + ` bounds what rows under comparison take; where more differ, the counts say "at least".

Cut off at any instant, the same step goes on where it was: a file and its line in a ledger in the target commit together. If the
folder's files or schema have changed meanwhile, the load starts over. Undo empties the target again, also halfway. It refuses if rows were
written there after the load.
`

// Load is the kind cockroach_load.
type Load struct {
	Dir            string     `evac:"dir,required,args" doc:"the folder of the salvage"`
	To             secret.DSN `evac:"to,required,target" doc:"connection string of the target, an empty PostgreSQL database"`
	Database       string     `evac:"database" doc:"which of the salvaged databases to load, if there are more than one"`
	Null           string     `evac:"null" doc:"the text that stands for NULL in the files, as the salvage was told; by default an empty field without quotes"`
	Jobs           int        `evac:"jobs" default:"2" doc:"how many files are loaded at once, and how many indexes are built"`
	Memory         step.Size  `evac:"memory" default:"64MiB" doc:"what rows under comparison may take"`
	MaxDifferences int        `evac:"max_differences" default:"20" doc:"how many differences are named; all are counted"`
}

// LoadOutput is what a load did.
type LoadOutput struct {
	Database      string   `json:"database" doc:"the database of the folder that was loaded"`
	Tables        int64    `json:"tables" doc:"tables made"`
	Rows          int64    `json:"rows" doc:"rows loaded"`
	Bytes         int64    `json:"bytes" doc:"bytes of the files"`
	TargetVersion string   `json:"target_version" doc:"version of the target's server"`
	LeftOut       []string `json:"left_out,omitempty" doc:"keys, indexes and constraints that the rows break"`
	Notes         []string `json:"notes,omitempty" doc:"what else the target did not take"`
}

// plan reads what the folder holds.
func (l *Load) plan(env *step.Env) (pg.LoadPlan, error) {
	if l.Jobs < 1 {
		return pg.LoadPlan{}, fault.New(fault.Invalid, fmt.Sprintf("jobs is %d, want 1 or more", l.Jobs), "")
	}
	dir := l.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Dir, dir)
	}
	return pg.ReadLoadPlan(dir, l.Database, l.Null)
}

// Check implements step.Step.
func (l *Load) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	folder, err := l.plan(env)
	if err != nil {
		return step.Plan{}, err
	}
	o, err := l.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.CheckLoad(ctx, o)
	if err != nil {
		return step.Plan{}, err
	}
	bytes := folder.Bytes()
	plan := step.Plan{
		Summary: fmt.Sprintf("load database %q of %s (%s) into %s", folder.Database, l.Dir, humanize.IBytes(uint64(bytes)), l.To),
		Work:    step.Work{Unit: "bytes", Total: bytes},
	}
	plan.Action("schema", "%s has the tables, types and sequences of %q", l.To, folder.Database)
	plan.Action("rows", "%s holds every row of %d tables' files", l.To, len(folder.Tables))
	plan.Fact("target", "%s, PostgreSQL %s", l.To, seen.TargetVersion)
	switch {
	case seen.Finished:
		plan.Fact("state", "the load is complete")
	case seen.Begun:
		plan.Fact("state", "the target holds an unfinished load of this step, which goes on")
	}
	return plan, nil
}

// options are those of the library for this step, with its saved state.
func (l *Load) options(env *step.Env) (pg.LoadOptions, error) {
	o := pg.LoadOptions{To: l.To, Jobs: l.Jobs, Token: env.Token, Progress: env.Progress}
	o.Save = func(ctx context.Context, s pg.LoadState) error { return env.Checkpoint.Save(ctx, s) }
	_, err := env.Checkpoint.Load(&o.State)
	return o, err
}

// Run implements step.Step.
func (l *Load) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	folder, err := l.plan(env)
	if err != nil {
		return nil, err
	}
	o, err := l.options(env)
	if err != nil {
		return nil, err
	}
	r, err := pg.Load(ctx, folder, o)
	if err != nil {
		return nil, err
	}
	for _, text := range append(r.LeftOut, r.Notes...) {
		env.Log.Warn(text)
	}
	return LoadOutput{
		Database: folder.Database, Tables: r.Tables, Rows: r.Rows, Bytes: r.Bytes, TargetVersion: r.TargetVersion,
		LeftOut: r.LeftOut, Notes: r.Notes,
	}, nil
}

// Verify implements step.Step: every row is compared with the files.
func (l *Load) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var out LoadOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the load: %w", err)
	}
	folder, err := l.plan(env)
	if err != nil {
		return err
	}
	env.Progress.Note("comparing every row with the files")
	r, err := pg.VerifyLoad(ctx, folder, pg.VerifyLoadOptions{
		To: l.To, Jobs: l.Jobs, MaxDifferences: l.MaxDifferences, Memory: int64(l.Memory), Read: func(int64) {},
	})
	if err != nil {
		return err
	}
	return l.differ(r, out)
}

// differ is the error of a load that is not all that was salvaged.
func (l *Load) differ(r pg.VerifyLoadResult, out LoadOutput) error {
	if !r.Equal() {
		least := ""
		if r.AtLeast {
			least = "at least "
		}
		text := fmt.Sprintf("compare %s with %s: %s%d of %d rows missing, %d extra, %d different", l.To, l.Dir, least, r.Missing, r.Rows, r.Extra, r.Different)
		for _, d := range r.Differences {
			text += "; " + d.String()
		}
		return fault.New(fault.Different, text, "undo the load and load again: add --undo to its command")
	}
	if len(out.LeftOut) > 0 {
		return fault.New(fault.Different, fmt.Sprintf("all %d rows of %s are the same, but not all of the schema stands: %s", r.Rows, l.To, strings.Join(out.LeftOut, "; ")),
			"look at the rows that break it, then make it by hand: schema.postgres.sql has the statement")
	}
	return nil
}

// Undo implements step.Undoer.
func (l *Load) Undo(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := l.options(env)
	if err != nil {
		return err
	}
	return pg.UndoLoad(ctx, o)
}
