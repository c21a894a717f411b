package runbook

import (
	"context"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// The kinds of these tests do nothing: they stand for the real ones, which
// other packages have, and show their fields.

type still struct{}

func (still) Check(context.Context, *step.Env) (step.Plan, error) { return step.Plan{}, nil }
func (still) Run(context.Context, *step.Env, step.Plan) (step.Output, error) {
	return nil, nil
}
func (still) Verify(context.Context, *step.Env, step.Done) error { return nil }

type fakeShell struct {
	still
	Command string                   `evac:"run,required" doc:"the command"`
	Look    string                   `evac:"check" doc:"says whether run can work"`
	Prove   string                   `evac:"verify" doc:"0 means done"`
	Back    string                   `evac:"undo" doc:"takes it back"`
	Drill   string                   `evac:"drill" doc:"runs in place of run in a drill"`
	Dir     string                   `evac:"dir" doc:"where it runs"`
	Env     map[string]secret.String `evac:"env" doc:"its environment"`
	Final   bool                     `evac:"irreversible" doc:"asks before it runs"`
}

type shellOutput struct {
	Stdout string `json:"stdout" doc:"what it wrote"`
	Code   int    `json:"exit_code" doc:"its exit code"`
}

type fakeCopy struct {
	still
	From   secret.DSN    `evac:"from,required" doc:"the source"`
	To     secret.DSN    `evac:"to,required,target" doc:"the target"`
	Jobs   int           `evac:"jobs" default:"4" doc:"tables at a time"`
	Memory step.Size     `evac:"memory" default:"64MB" doc:"memory for each"`
	Pause  time.Duration `evac:"pause" doc:"between tables"`
	Skip   []string      `evac:"skip" doc:"tables left out"`
	Mode   string        `evac:"mode" enum:"fast,gentle" default:"fast" doc:"how hard it pulls"`
}

type copyOutput struct {
	Rows   int64   `json:"rows" doc:"rows copied"`
	Report string  `json:"report" doc:"where the report is"`
	Same   bool    `json:"same" doc:"nothing was to do"`
	Rate   float64 `json:"rate" doc:"rows a second"`
}

type fakeVerify struct {
	still
	From secret.DSN `evac:"from,required" doc:"the source"`
	To   secret.DSN `evac:"to,required" doc:"the target"`
}

type fakeFreeze struct {
	still
	Database secret.DSN `evac:"database,required,target" doc:"the database"`
}

type fakeSync struct {
	still
	From string `evac:"from,required" doc:"the source"`
	To   string `evac:"to,required,target" doc:"the target"`
}

type fakePage struct {
	still
	To     string            `evac:"to,required,target" doc:"the folder"`
	Labels map[string]string `evac:"labels" doc:"texts"`
}

type fakeDNS struct {
	still
	Name string `evac:"name,required,target" doc:"the name"`
	To   string `evac:"to,required" doc:"the address"`
}

type fakeAnnounce struct {
	still
	Webhook secret.String `evac:"webhook,required" doc:"where to"`
	Text    string        `evac:"text,required" doc:"what"`
}

func testKinds(t testing.TB) *step.Registry {
	t.Helper()
	kinds, err := step.NewRegistry(
		step.Kind{Name: "shell", Effect: step.Passing, New: func() step.Step { return &fakeShell{} }, Output: shellOutput{}},
		step.Kind{Name: "postgres_copy", Effect: step.Lasting, New: func() step.Step { return &fakeCopy{} }, Output: copyOutput{}},
		step.Kind{Name: "postgres_verify", Effect: step.Reads, New: func() step.Step { return &fakeVerify{} }, Output: copyOutput{}},
		step.Kind{Name: "postgres_freeze", Effect: step.Lasting, New: func() step.Step { return &fakeFreeze{} }},
		step.Kind{Name: "objects_sync", Effect: step.Lasting, New: func() step.Step { return &fakeSync{} }},
		step.Kind{Name: "objects_verify", Effect: step.Reads, New: func() step.Step { return &fakeSync{} }},
		step.Kind{Name: "page_publish", Effect: step.Lasting, New: func() step.Step { return &fakePage{} }},
		step.Kind{Name: "dns_switch", Effect: step.Lasting, New: func() step.Step { return &fakeDNS{} }},
		step.Kind{Name: "announce", Effect: step.Passing, New: func() step.Step { return &fakeAnnounce{} }},
	)
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}
