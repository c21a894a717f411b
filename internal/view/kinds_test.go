package view

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// ferry is a kind with a field of every sort.
type ferry struct {
	From  secret.DSN        `evac:"from,required" doc:"connection string of the source"`
	To    secret.DSN        `evac:"to,required,target" doc:"connection string of the target"`
	Mode  string            `evac:"mode" default:"fast" enum:"fast,safe" doc:"how careful it is"`
	Stop  time.Duration     `evac:"stop_after" default:"90s" doc:"how long it tries"`
	Skip  []string          `evac:"skip" doc:"tables | views to leave out"`
	Env   map[string]string `evac:"env,required" doc:"environment of the crew"`
	Quiet bool              `evac:"quiet" doc:"say nothing"`
}

type ferried struct {
	Rows int64  `json:"rows" doc:"rows that arrived"`
	Port string `json:"port" doc:"where they arrived"`
}

func (*ferry) Check(context.Context, *step.Env) (step.Plan, error) { return step.Plan{}, nil }
func (*ferry) Run(context.Context, *step.Env, step.Plan) (step.Output, error) {
	return ferried{}, nil
}
func (*ferry) Verify(context.Context, *step.Env, step.Done) error { return nil }
func (*ferry) Undo(context.Context, *step.Env, step.Done) error   { return nil }
func (*ferry) Effect() step.Effect                                { return step.Undoable }

func TestKind(t *testing.T) {
	kind := step.Kind{
		Name: "river_ferry_across", Effect: step.Undoable, Summary: "carry rows across a river",
		Doc: "\nOne paragraph with `code`.\n\nAnother, which is long enough that it has to be wrapped over more than one line of a terminal.\n",
		New: func() step.Step { return &ferry{} }, Output: ferried{},
		Example: "step \"river_ferry_across\" \"x\" {\n  from = var.old\n}\n",
	}
	registry, err := step.NewRegistry(kind)
	if err != nil {
		t.Fatal(err)
	}
	k, schema, _ := registry.Kind(kind.Name)
	page := KindOf(k, schema)
	golden(t, "kind.txt", printed(page))
	golden(t, "kind.md", page.Markdown())
	text, err := json.MarshalIndent(page, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "kind.json", string(text)+"\n")
	golden(t, "kinds.txt", printed(Kinds(registry, "*")))
}
