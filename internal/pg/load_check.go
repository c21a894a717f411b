package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/fault"
)

// LoadSurvey is what a look at the target of a load says.
type LoadSurvey struct {
	TargetVersion string
	// Begun tells that the target holds an unfinished load with the same token,
	// Finished that the load is complete.
	Begun, Finished bool
}

// CheckLoad looks whether the target can be loaded; it only reads.
func CheckLoad(ctx context.Context, o LoadOptions) (survey LoadSurvey, err error) {
	conn, err := Connect(ctx, o.To, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return survey, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	version := versionOf(conn)
	survey.TargetVersion, survey.Finished = versionName(version), o.State.Finished != nil
	if err := refuseOld(version); err != nil {
		return survey, err
	}
	head, err := openLedger(ctx, conn, o.Token)
	survey.Begun = head != nil
	if err != nil || survey.Begun || survey.Finished {
		return survey, err
	}
	t := &target{conn: conn}
	kept, err := t.keptExtensions(ctx)
	if err != nil {
		return survey, err
	}
	return survey, t.refuseFull(ctx, kept)
}

// oldestLoad is the first version with computed columns.
const oldestLoad = 12_00_00

func refuseOld(version int) error {
	if version >= oldestLoad {
		return nil
	}
	return fault.New(fault.Failed, fmt.Sprintf("the target is PostgreSQL %s; loads go to %s or newer", versionName(version), majorName(oldestLoad)), "")
}
