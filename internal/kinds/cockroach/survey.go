package cockroach

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/crdb/salvage"
	"github.com/evac-io/evac/internal/step"
)

func surveyKind() step.Kind {
	return step.Kind{
		Name:    "cockroach_survey",
		Effect:  step.Reads,
		Summary: "says what the raw stores of a dead CockroachDB cluster hold",
		Doc:     surveyDoc,
		New:     func() step.Step { return &Survey{} },
		Output:  SurveyOutput{},
		Example: `step "cockroach_survey" "look" {
  stores = ["/evidence/n1", "/evidence/n2", "/evidence/n3"]
}`,
	}
}

const surveyDoc = `
Reads the stores of a CockroachDB cluster whose servers need not run, and says what a night needs to know first: which stores and nodes they are, in
which versions and formats, encrypted or not; how the key space stands, from the first key to the last; which tables there are and how many bytes each
has; transactions that were under way; what is damaged; which keys no store has; and how much a salvage would give, in what time. Nothing is written
into the stores, not even a lock.

A store may be an archive, ` + "`.tar`, `.tar.gz` or `.tar.zst`" + `: it is unpacked first. In place of stores, the folder of a BACKUP says of which moments
and tables it is.

The map of the key space says of each stretch: ` + "`complete`" + ` (a whole replica has its newest state), ` + "`log`" + ` (its newest writes are only in the Raft log, and
a salvage takes them from there), ` + "`damaged`" + ` (a replica is damaged, another one stands in), ` + "`in_doubt`" + ` (it may not be all, or not the newest), ` + "`missing`" + ` (no store
given here has it). More stores can only make it better.

Only MANIFEST, logs, the records of ranges and the schema are read, and a sample of the rows, a few seconds long, for what a salvage would give: its
rate on this machine, other replicas compared, is told with it. The lists of the result have their first 100 entries and their lengths; the whole goes
into the file ` + "`out`" + `.

"Just restore the backup": with ` + "`backup_at`" + `, the moment of the backup, all rows are read, and it says of each table how many of them would be lost, because
they were written or deleted since. What a schema change wrote anew counts as written. Where the garbage collector has been there since that moment,
or the state is in doubt, the figure is only the least, and it says why.

` + "`bundle`" + ` writes a file that others may see, a vendor or a colleague: versions, configuration, ranges and replicas, sizes, damage. No row is in it, no key of a
row, no name of a table: tables and indexes are numbers, and ranges are counted within them.
`

// Survey is the kind cockroach_survey.
type Survey struct {
	Stores []string  `evac:"stores,required,args" doc:"store directories of one cluster, each node's, or archives of them; or the folder of a BACKUP"`
	AsOf   string    `evac:"as_of" doc:"moment of the schema, RFC 3339 or as AS OF SYSTEM TIME takes it; the newest by default"`
	Memory step.Size `evac:"memory" default:"2GiB" doc:"what logs that are replayed may take; more goes to files without a name in work"`

	StoreKey []string `evac:"store_key" doc:"key files of encrypted stores, as the nodes were started with: one for all, or each node's"`
	Work     string   `evac:"work" doc:"folder in which archives are unpacked, and stay; by default one of the system's, which goes at the end"`

	BackupAt string `evac:"backup_at" doc:"moment of a backup, written as as_of is: how many rows of each table restoring it would lose; it reads all rows"`
	Bundle   string `evac:"bundle" doc:"file to write for others to see, without rows, keys and names"`
	Out      string `evac:"out" doc:"file for the whole survey, as one JSON object; by default there is none"`
}

// SurveyOutput is what the stores hold.
type SurveyOutput struct {
	salvage.Overview
	Loss  []salvage.Loss `json:"loss,omitempty" doc:"with backup_at: what restoring that backup would lose, by table"`
	Lines []string       `json:"lines" doc:"the same for people to read"`
}

// Check implements step.Step.
func (s *Survey) Check(_ context.Context, env *step.Env) (step.Plan, error) {
	plan := step.Plan{Summary: fmt.Sprintf("survey %d stores", len(s.Stores))}
	plan.Action("survey", "the stores %s are read", strings.Join(s.Stores, ", "))
	_, err := salvage.ParseMoment(s.AsOf)
	_, wrong := salvage.ParseMoment(s.BackupAt)
	return plan, errors.Join(err, wrong, s.outside(env))
}

// Run implements step.Step.
func (s *Survey) Run(ctx context.Context, env *step.Env, _ step.Plan) (_ step.Output, err error) {
	at, err := salvage.ParseMoment(s.AsOf)
	if err != nil {
		return nil, err
	}
	if err := s.outside(env); err != nil {
		return nil, err
	}
	keys, err := keyFiles(env, s.StoreKey)
	if err != nil {
		return nil, err
	}
	memory, err := enough(s.Memory)
	if err != nil {
		return nil, err
	}
	opt := salvage.Options{AsOf: at, Memory: memory, StoreKeys: keys, Work: inDir(env, s.Work), Note: env.Progress.Note}
	c, err := salvage.Open(ctx, paths(env, s.Stores), opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	found, err := c.Survey(ctx)
	if err != nil {
		return nil, err
	}
	over, err := c.Overview(ctx, found)
	if err != nil {
		return nil, err
	}
	if err := s.write(ctx, env, c, found); err != nil {
		return nil, err
	}
	env.Progress.Note("reading a sample of the rows")
	if over.Output, err = c.Expect(ctx); err != nil {
		return nil, err
	}
	out := SurveyOutput{Overview: *over}
	if s.BackupAt != "" {
		env.Progress.Note("reading all rows for what was written since the backup")
		since, err := salvage.ParseMoment(s.BackupAt)
		if err != nil {
			return nil, err
		}
		if out.Loss, err = c.LossSince(ctx, since); err != nil {
			return nil, err
		}
	}
	out.Lines = append(over.Text(), salvage.LossText(out.Loss, s.BackupAt)...)
	return out, nil
}

// outside refuses to write into the evidence.
func (s *Survey) outside(env *step.Env) error {
	for _, f := range []string{s.Out, s.Bundle} {
		if f == "" {
			continue
		}
		if err := salvage.Outside(paths(env, s.Stores), inDir(env, f)); err != nil {
			return err
		}
	}
	return nil
}

// write writes the files that were asked for.
func (s *Survey) write(ctx context.Context, env *step.Env, c *salvage.Cluster, found *salvage.Survey) error {
	if s.Out != "" {
		if err := found.WriteFile(inDir(env, s.Out)); err != nil {
			return err
		}
	}
	if s.Bundle == "" {
		return nil
	}
	b, err := c.Bundle(ctx, found)
	if err != nil {
		return err
	}
	return b.WriteFile(inDir(env, s.Bundle))
}

// Verify implements step.Step: a survey has no effect that could be proved.
func (s *Survey) Verify(_ context.Context, _ *step.Env, done step.Done) error {
	var out SurveyOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the survey: %w", err)
	}
	if len(out.Stores)+len(out.Layers) == 0 {
		return errors.New("the survey saw no store at all")
	}
	return nil
}
