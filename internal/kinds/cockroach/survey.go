package cockroach

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

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
Reads the stores of a CockroachDB cluster whose servers need not run: which stores and nodes they are, in which versions and formats; which tables
there are and how many bytes each has; which ranges, who speaks for each and why; transactions that were under way; what is damaged; and which keys
no store has. Rows are not read, and nothing is written into the stores, not even a lock.

A store may be an archive, ` + "`.tar`, `.tar.gz` or `.tar.zst`" + `: it is unpacked first. In place of stores, the folder of a BACKUP says of which moments
and tables it is.

The work is short where the stores are whole: only MANIFEST, logs, the records of ranges and the schema are read.
`

// Survey is the kind cockroach_survey.
type Survey struct {
	Stores []string  `evac:"stores,required,args" doc:"store directories of one cluster, each node's, or archives of them; or the folder of a BACKUP"`
	AsOf   string    `evac:"as_of" doc:"moment of the schema, RFC 3339 or as AS OF SYSTEM TIME takes it; the newest by default"`
	Memory step.Size `evac:"memory" default:"2GiB" doc:"what the stores may take"`

	StoreKey []string `evac:"store_key" doc:"key files of encrypted stores, as the nodes were started with: one for all, or each node's"`
	Work     string   `evac:"work" doc:"folder in which archives are unpacked, and stay; by default one of the system's, which goes at the end"`
}

// SurveyOutput is what the stores hold.
type SurveyOutput struct {
	salvage.Survey
	Tables []SurveyedTable `json:"tables" doc:"tables, with their stored bytes"`
	Lines  []string        `json:"lines" doc:"the same for people to read"`
}

// SurveyedTable is one table.
type SurveyedTable struct {
	Name  string `json:"name"`
	ID    uint32 `json:"id"`
	State string `json:"state"`
	Bytes int64  `json:"bytes"` // stored, about, all indexes
}

// Check implements step.Step.
func (s *Survey) Check(context.Context, *step.Env) (step.Plan, error) {
	plan := step.Plan{Summary: fmt.Sprintf("survey %d stores", len(s.Stores))}
	plan.Action("survey", "the stores %s are read", strings.Join(s.Stores, ", "))
	_, err := salvage.ParseMoment(s.AsOf)
	return plan, err
}

// Run implements step.Step.
func (s *Survey) Run(ctx context.Context, env *step.Env, _ step.Plan) (_ step.Output, err error) {
	at, err := salvage.ParseMoment(s.AsOf)
	if err != nil {
		return nil, err
	}
	keys, err := keyFiles(env, s.StoreKey)
	if err != nil {
		return nil, err
	}
	opt := salvage.Options{AsOf: at, Memory: int64(s.Memory), StoreKeys: keys, Work: inDir(env, s.Work)}
	c, err := salvage.Open(ctx, paths(env, s.Stores), opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	found, err := c.Survey(ctx)
	if err != nil {
		return nil, err
	}
	out := SurveyOutput{Survey: *found, Tables: []SurveyedTable{}}
	for _, t := range c.Catalog.Tables {
		if t.HasRows() && !t.System() {
			out.Tables = append(out.Tables, SurveyedTable{Name: salvage.FullName(t), ID: t.ID, State: t.State.String(), Bytes: c.View().Size(t.TableSpan())})
		}
	}
	out.Lines = out.text()
	return out, nil
}

// text is the survey for people to read.
func (o *SurveyOutput) text() []string {
	list := []string{fmt.Sprintf("cluster %s: %d stores, %d ranges, %d tables, %d holes, %d damaged places, %d transactions under way",
		o.Cluster, len(o.Stores), len(o.Ranges), len(o.Tables), len(o.Holes), len(o.Damage), len(o.Transactions))}
	for _, l := range o.Layers {
		kind := "a full backup"
		if !l.Start.IsZero() {
			kind = "an incremental backup since " + l.Start.Format(time.RFC3339)
		}
		list = append(list, fmt.Sprintf("%s: %s, as of %s: %d files, %s of keys and values, written by %s", l.Dir, kind, l.End.Format(time.RFC3339), l.Files, humanize.IBytes(uint64(l.Bytes)), l.Build))
	}
	for _, s := range o.Stores {
		list = append(list, fmt.Sprintf("store %d of node %d: %s, %d tables, %s, format %d", s.Store, s.Node, s.Name, s.Facts.Tables, humanize.IBytes(uint64(s.Facts.Bytes)), s.Facts.FormatVersion))
	}
	for _, t := range o.Tables {
		list = append(list, fmt.Sprintf("table %s: about %s, %s", t.Name, humanize.IBytes(uint64(max(t.Bytes, 0))), t.State))
	}
	for _, h := range o.Holes {
		list = append(list, fmt.Sprintf("no store has the keys %s", h.Span))
	}
	for _, d := range o.Damage {
		list = append(list, fmt.Sprintf("damage: %s/%s at byte %d: %s, keys %s", d.Store, d.File, d.Offset, d.Why, d.Span))
	}
	return list
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
