package pg

import (
	"context"
	"errors"
	"fmt"
)

// WarmPlan is what a warming would read.
type WarmPlan struct {
	Version string
	// Way says how pages would be read, Heat what the hot set rests on.
	Way, Heat string
	// Relations and Bytes are all that can be read, HotBytes the hot set.
	Relations       int
	Bytes, HotBytes int64
	// Hottest names the first relations that would be read, catalogs left out.
	Hottest []string
	// LeftOut says what cannot be read, and why; Warnings what would make it
	// better.
	LeftOut, Warnings []string
}

// hottestShown bounds how many relations a plan names.
const hottestShown = 5

// PlanWarm reads what there is to warm.
func PlanWarm(ctx context.Context, o WarmOptions) (plan WarmPlan, err error) {
	w, err := openWarmer(ctx, o)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, w.conn)) }()
	plan = WarmPlan{
		Version: w.conn.PgConn().ParameterStatus("server_version"), Way: w.way.String(), Heat: w.Heat,
		Relations: len(w.Relations), Bytes: w.Bytes, HotBytes: w.HotBytes, LeftOut: w.LeftOut, Warnings: w.Warnings,
	}
	if o.From.Empty() {
		plan.Warnings = append(plan.Warnings, "no source is named: a new copy's own statistics say little of what its users will read")
	}
	if !w.way.blocks() {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("pg_prewarm is not there: tables are read by scans, and of the indexes only B-trees; as an administrator of %s: create extension pg_prewarm", o.Database))
	}
	for _, r := range w.Relations {
		if !r.System && r.Fetched > 0 && len(plan.Hottest) < hottestShown {
			plan.Hottest = append(plan.Hottest, r.Name)
		}
	}
	return plan, nil
}
