package postgres

import (
	"context"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func settleKind() step.Kind {
	return step.Kind{
		Name:    "postgres_settle",
		Effect:  step.Lasting,
		Summary: "ends the way home that postgres_switch has built: the new database is the only one from now on",
		Doc:     settleDoc,
		New:     func() step.Step { return &Settle{} },
		Output:  SettleOutput{},
		Example: `step "postgres_settle" "main" {
  database = var.new_db
  from     = var.old_db
}`,
	}
}

const settleDoc = `
Drops the subscription on the old database, and the slot and the publication on the new one. The new database then keeps no log for the old one any
more, and the old one may be switched off. Tables that were followed by whole rows (` + "`identity = \"full\"`" + `) get back the replica identity that they had;
the status of the run that changed it keeps listing it, for that run did not put it back.
Do it when you are sure, days later: **there is no way back then**.

Leave ` + "`from`" + ` out if the old database is gone already.
`

// Settle is the kind postgres_settle.
type Settle struct {
	Database secret.DSN `evac:"database,required,target" doc:"connection string of the new database"`
	From     secret.DSN `evac:"from,target" doc:"connection string of the old database, if it still runs"`
}

// SettleOutput is what was ended.
type SettleOutput struct {
	Ended []string `json:"ended,omitempty" doc:"names of the ways home that were ended"`
}

// Check implements step.Step.
func (s *Settle) Check(ctx context.Context, _ *step.Env) (step.Plan, error) {
	seen, err := pg.PlanSettle(ctx, s.Database)
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{Summary: "end the way home from " + s.Database.String()}
	plan.Action("settle", "nothing that is written to %s reaches the old database any more, and nobody can go back", s.Database)
	if len(seen.Home) == 0 {
		plan.Warn("no way home stands now")
	} else {
		plan.Fact("way home", "%s, for which %s of log are kept", strings.Join(seen.Home, ", "), humanize.IBytes(uint64(max(seen.Kept, 0))))
	}
	return plan, nil
}

// Run implements step.Step.
func (s *Settle) Run(ctx context.Context, _ *step.Env, _ step.Plan) (step.Output, error) {
	ended, err := pg.Settle(ctx, s.From, s.Database)
	if err != nil {
		return nil, err
	}
	return SettleOutput{Ended: ended}, nil
}

// Verify implements step.Step.
func (s *Settle) Verify(ctx context.Context, _ *step.Env, _ step.Done) error {
	return pg.VerifySettled(ctx, s.Database)
}
