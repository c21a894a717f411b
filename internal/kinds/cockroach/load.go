package cockroach

import (
	"context"
	"fmt"
	"slices"
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
The folder is what a salvage leaves: ` + "`data/DATABASE/SCHEMA.TABLE/part-NNNNN.csv`" + ` and ` + "`schema.sql`" + `. The target must
be an empty database of PostgreSQL 12 or newer; one load fills it from one database of the folder.

First come the tables, without their keys; then the files, ` + "`jobs`" + ` at once, by COPY, in its binary form where the types have one. As soon as all files of a table are in, its primary key,
indexes, constraints and statistics are made, while others are still on their way; foreign keys follow when all tables are complete, then
the values of sequences, views and comments. The file of a table that has only one is loaded frozen, unless it is small, so that the server need not look at its rows again.

What a column holds is for PostgreSQL to read: another form of the same number or time is the same value. Columns that the server computes are not
loaded; they are compared.

A row that the server rejects, for a value that it does not know or a constraint of the table, does not stop the others: it is put aside into
` + "`rejected/DATABASE/SCHEMA.TABLE/part-NNNNN.csv`" + ` of the folder with the number of its record and the reason, and the step exits with 3. So it does in the end if the
salvage itself was not complete. A folder that a salvage has not finished, or whose files are not those of its report, is refused.

A key, index or constraint that the rows break is left out, and so is a view that PostgreSQL does not take: ` + "`left_out`" + ` and ` + "`notes`" + ` name them. The
dead database may have held such rows itself, so they decide nothing about the rows; but the step is not verified then, and exits with 3.

Verify compares every row of the target with the files, and the values of sequences. Both are summed up by keyed 128-bit hashes of whole rows, as many tables at once as there
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
	Rejected      []string `json:"rejected,omitempty" doc:"files of which the server did not take every row, with the first of them; all stand in the folder's rejected/"`
	Notes         []string `json:"notes,omitempty" doc:"what else the target did not take"`
}

// plan reads what the folder holds.
func (l *Load) plan(env *step.Env) (pg.LoadPlan, error) {
	if l.Jobs < 1 {
		return pg.LoadPlan{}, fault.New(fault.Invalid, fmt.Sprintf("jobs is %d, want 1 or more", l.Jobs), "")
	}
	dir := inDir(env, l.Dir)
	if err := whole(dir); err != nil {
		return pg.LoadPlan{}, err
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
	return l.output(env, folder, r), nil
}

// output is what a load did, and says aloud what it could not do.
func (l *Load) output(env *step.Env, folder pg.LoadPlan, r pg.LoadResult) LoadOutput {
	for _, text := range slices.Concat(r.Rejected, r.LeftOut, r.Notes) {
		env.Log.Warn(text)
	}
	return LoadOutput{
		Database: folder.Database, Tables: r.Tables, Rows: r.Rows, Bytes: r.Bytes, TargetVersion: r.TargetVersion,
		Rejected: r.Rejected, LeftOut: r.LeftOut, Notes: r.Notes,
	}
}

// Verify implements step.Step: every row is compared with the files.
func (l *Load) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var out LoadOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the load: %w", err)
	}
	if err := l.compare(ctx, env, out); err != nil {
		return err
	}
	return complete(inDir(env, l.Dir))
}

// compare reads every row back.
func (l *Load) compare(ctx context.Context, env *step.Env, out LoadOutput) error {
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
	if err := l.differ(r); err != nil {
		return err
	}
	return l.lacking(out)
}

// differ is the error of a load that is not all that was salvaged.
func (l *Load) differ(r pg.VerifyLoadResult) error {
	if r.Equal() {
		return nil
	}
	least := ""
	if r.AtLeast {
		least = "at least "
	}
	text := fmt.Sprintf("compare %s with %s: %s%d of %d rows missing, %d extra, %d different, %d sequences different",
		l.To, l.Dir, least, r.Missing, r.Rows, r.Extra, r.Different, r.Sequences)
	for _, d := range r.Differences {
		text += "; " + d.String()
	}
	return fault.New(fault.Different, text, "undo the load and load again: add --undo to its command")
}

// lacking is the error of a load in which every row is right that the server took,
// but not all stands.
func (l *Load) lacking(out LoadOutput) error {
	switch {
	case len(out.Rejected) > 0:
		return fault.New(fault.Different, fmt.Sprintf("%s does not take all rows: %s", l.To, strings.Join(out.Rejected, "; ")),
			"the rows stand with the reason in the folder's rejected/; change the schema or the rows there, and insert them by hand")
	case len(out.LeftOut) > 0:
		return fault.New(fault.Different, fmt.Sprintf("all rows of %s are the same, but not all of the schema stands: %s", l.To, strings.Join(out.LeftOut, "; ")),
			"look at the rows that break it, then make it by hand: schema.sql has the statement")
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
