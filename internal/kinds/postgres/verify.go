package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func verifyKind() step.Kind {
	return step.Kind{
		Name:    "postgres_verify",
		Effect:  step.Reads,
		Summary: "proves that every row and object of one PostgreSQL database is in another",
		Doc:     verifyDoc,
		New:     func() step.Step { return &Verify{} },
		Output:  VerifyOutput{},
		Example: `step "postgres_verify" "main" {
  from = var.old_db
  to   = var.new_db
}`,
	}
}

const verifyDoc = `
Compares two databases whole: every row of every table, partition and filled materialized view, by the text form of every column; every
sequence; every large object; and what the catalogs say of every object (columns, defaults, storage parameters, indexes, constraints, functions,
triggers, rules, policies, views, types, extensions, publications, statistics objects, owners, rights, settings of the database and of its roles,
comments and more). Any versions from 9.4 on, in either direction; collations and encodings of the two servers may differ. What servers of
different majors word differently in a definition (blanks, parentheses, ways to write a number, qualifiers in views) is no difference; nor is the
right MAINTAIN where one side is older than 17, or another version of an extension, which is noted.

Each side is read under one snapshot of its own. A first pass adds up keyed 128-bit hashes of all rows, in the order in which they lie; where
the sums of both sides agree, so do the rows (but for a chance of 1 in 2^128). Where they do not, the rows in question are read again and
named: ` + "`missing`" + ` (only in the source), ` + "`extra`" + ` (only in the target) or ` + "`different`" + `, with table, key and both values. All differences
are counted; the first ` + "`max_differences`" + ` are listed. Rows are told apart by the primary key, else by a unique index over columns that are never
null; in a table without either, equal rows are counted. Only if more rows differ than ` + "`memory`" + ` holds do the servers sort the table.

A materialized view is right if it holds what the source's holds, or what its definition gives on the source now: a copy fills it anew.
After postgres_switch the target's may hold a moment between these two: the switch names such views in its output, and ` + "`kept_views`" + ` leaves their rows
out, which a note says. Their definitions are compared all the same.

With differences the step fails with exit code 3. A database that is written to meanwhile shows them: freeze it first, or say ` + "`live`" + `. Then what
differs is only suspected, and those rows are read again by their keys, up to ` + "`rechecks`" + ` times with pauses that double from half a second on. A
row that is the same by then, or has on the target what it had on the source at an earlier look, does not count; what keeps differing does.
If the target follows by logical replication (postgres_follow, or the way home of postgres_switch), what that does not carry is left out, and a note
says so: sequences, unlogged tables, large objects, materialized views.

` + "`schemas`, `tables`, `not_schemas` and `not_tables`" + ` limit it to a part, as in a copy: with the first two, what is in no schema (large objects,
extensions, settings) is left out. ` + "`only`" + ` limits it to rows (with sequences and large objects) or to objects.

The user must be able to read every table, sequence and large object on both sides.

CockroachDB may be either side: its rows and sequences are compared with PostgreSQL's or its own, as of one system time; large objects and what
catalogs say are not. That is written from its documentation and was not tried on a server.
`

// Verify is the kind postgres_verify.
type Verify struct {
	From           secret.DSN `evac:"from,required" doc:"connection string of the source"`
	To             secret.DSN `evac:"to,required,target" doc:"connection string of the target"`
	Schemas        []string   `evac:"schemas" doc:"patterns of the schemas to compare, \"app*\"; all by default"`
	Tables         []string   `evac:"tables" doc:"patterns of single tables to compare, \"app.orders\""`
	NotSchemas     []string   `evac:"not_schemas" doc:"patterns of schemas to leave out"`
	NotTables      []string   `evac:"not_tables" doc:"patterns of tables to leave out"`
	KeptViews      []string   `evac:"kept_views" doc:"patterns of materialized views whose rows are not compared: kept_views of postgres_switch"`
	Only           string     `evac:"only" default:"all" enum:"all,rows,objects" doc:"what is compared"`
	Live           bool       `evac:"live" doc:"the source is written to, and the target follows: what differs is read again before it counts"`
	Rechecks       int        `evac:"rechecks" default:"6" doc:"how often, if live"`
	Jobs           int        `evac:"jobs" default:"4" doc:"how many tables, or parts of large ones, are read at once"`
	MaxDifferences int        `evac:"max_differences" default:"20" doc:"how many differences are listed; all are counted"`
	Memory         step.Size  `evac:"memory" default:"64MiB" doc:"what rows under comparison may take"`
}

// firstRecheck is the pause before suspects are read again for the first time.
const firstRecheck = 500 * time.Millisecond

// options are those of the library, without progress.
func (v *Verify) options() pg.VerifyOptions {
	o := pg.VerifyOptions{
		Jobs: v.Jobs, MaxDifferences: v.MaxDifferences, Memory: int64(v.Memory),
		Select:    pg.Selection{Schemas: v.Schemas, Tables: v.Tables, NotSchemas: v.NotSchemas, NotTables: v.NotTables},
		KeptViews: v.KeptViews, Wait: firstRecheck,
	}
	if v.Only != "all" {
		o.Only = v.Only
	}
	if v.Live {
		o.Rechecks = v.Rechecks
	}
	return o
}

// VerifyOutput is the headcount.
type VerifyOutput struct {
	Tables           int             `json:"tables" doc:"tables compared"`
	Rows             int64           `json:"rows" doc:"rows in the tables of the source"`
	Others           int64           `json:"others" doc:"rows of materialized views, sequences and 64 KiB pieces of large objects"`
	Missing          int64           `json:"missing" doc:"how many of both are only in the source"`
	Extra            int64           `json:"extra" doc:"how many of both are only in the target"`
	Different        int64           `json:"different" doc:"how many of both are on both sides and not the same"`
	Objects          int64           `json:"objects" doc:"objects compared: columns, indexes, rights …"`
	ObjectsDifferent int64           `json:"objects_different" doc:"objects that are not the same, or on one side only"`
	Differing        []pg.Tally      `json:"differing,omitempty" doc:"the tables that differ, with their counts"`
	Notes            []string        `json:"notes,omitempty" doc:"what is not the same and no difference, or was not compared"`
	Differences      []pg.Difference `json:"differences" doc:"the first differences"`
}

// Check implements step.Step.
func (v *Verify) Check(ctx context.Context, _ *step.Env) (step.Plan, error) {
	seen, err := pg.PlanVerify(ctx, v.From, v.To, v.options())
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{
		Summary: fmt.Sprintf("compare every row and object of %s with %s", v.To, v.From),
		Work:    step.Work{Unit: "rows", Total: seen.Rows},
	}
	plan.Action("compare", "every row and object of %s is compared with %s", v.To, v.From)
	if len(v.KeptViews) > 0 {
		plan.Action("kept views", "rows of materialized views %s are not compared", strings.Join(v.KeptViews, ", "))
	}
	plan.Fact("source", "%s, PostgreSQL %s, %d tables, %s", v.From, seen.Source.Version, seen.Source.Tables, humanize.IBytes(uint64(seen.Source.Bytes)))
	plan.Fact("target", "%s, PostgreSQL %s, %d tables, %s", v.To, seen.Target.Version, seen.Target.Tables, humanize.IBytes(uint64(seen.Target.Bytes)))
	return plan, nil
}

// Run implements step.Step.
func (v *Verify) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	o := v.options()
	o.Total = func(rows int64) { env.Progress.Total("rows", rows) }
	o.Read = env.Progress.Add
	o.Found = func(d pg.Difference) { env.Progress.Note(d.String()) }
	result, err := pg.Verify(ctx, v.From, v.To, o)
	if err != nil {
		return nil, err
	}
	out := VerifyOutput{
		Missing: result.Data.Missing, Extra: result.Data.Extra, Different: result.Data.Different,
		Objects: result.Objects.Rows, ObjectsDifferent: result.Objects.Missing + result.Objects.Extra + result.Objects.Different,
		Differences: result.Differences, Notes: result.Notes,
	}
	for _, t := range result.Tables {
		if t.Class == pg.ClassRow {
			out.Tables++
			out.Rows += t.Rows
		} else {
			out.Others += t.Rows
		}
		if !t.Equal() && len(out.Differing) < v.MaxDifferences {
			out.Differing = append(out.Differing, t)
		}
	}
	return out, differ(out, v)
}

// differ is the error of a headcount that does not come out even.
func differ(out VerifyOutput, v *Verify) error {
	if out.Missing+out.Extra+out.Different+out.ObjectsDifferent == 0 {
		return nil
	}
	text := fmt.Sprintf("compare %s with %s: %d of %d rows missing, %d extra, %d different; %d of %d objects not the same",
		v.To, v.From, out.Missing, out.Rows+out.Others, out.Extra, out.Different, out.ObjectsDifferent, out.Objects)
	if len(out.Differences) > 0 {
		text += "; first: " + out.Differences[0].String()
	}
	hint := "if the source is still written to, freeze it (evac postgres freeze) and verify again, or verify with --live"
	if v.Live {
		hint = "if the target lags behind, wait until it has caught up, or raise rechecks, and verify again"
	}
	return fault.New(fault.Different, text, hint)
}

// Verify implements step.Step: the proof is that Run found no difference, and
// a comparison that was not made proves nothing.
func (v *Verify) Verify(_ context.Context, _ *step.Env, done step.Done) error {
	var out VerifyOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the comparison: %w", err)
	}
	if out.Objects+int64(out.Tables) == 0 {
		return errors.New("the comparison saw no table and no object at all")
	}
	return differ(out, v)
}
