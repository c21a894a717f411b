package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// SwitchPlan is what a switch would find now.
type SwitchPlan struct {
	// Follow is the name of the replication, "" if nothing follows yet.
	Follow                       string
	SourceVersion, TargetVersion string
	Lag                          Lag
	Warnings                     []string
}

// PlanSwitch reads what a switch would do, and refuses what cannot work, all
// that is wrong at once. A target that is not there yet, or does not follow yet,
// is no fault: the steps before see to that. Whether the servers reach each
// other for the way home is tried in transactions that are rolled back.
//
// Once the source is frozen every moment counts: then neither the way home is
// tried nor the schemas are compared. The switch itself does that, and if the
// way home cannot be built nobody has written, and undo follows again.
func PlanSwitch(ctx context.Context, o SwitchOptions) (plan SwitchPlan, err error) {
	s, err := openSwitcher(ctx, o)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	plan.SourceVersion, plan.TargetVersion = versionName(s.source.version), versionName(s.target.version)
	op := fmt.Sprintf("switch to %s", o.To)
	if o.State.Follow != "" {
		plan.Follow = o.State.Follow
		return plan, nil
	}
	frozen, err := s.frozen(ctx)
	if err != nil {
		return plan, err
	}
	if s.WayHome && !frozen {
		s.name(followPrefix)
		err := errors.Join(checkWay(ctx, s.target, s.source), s.source.needOwner(ctx))
		if err == nil {
			err = s.home.tryReach(ctx)
		}
		if err != nil {
			return plan, fault.Wrap(fault.KindOf(err), op+": the way home, on which the new primary is the source and the old one the target", err,
				"way_home = false goes without it; there is then no way back once users have written")
		}
	}
	if !s.WayHome {
		plan.Warnings = append(plan.Warnings, "there is no way home: once users have written to the new primary, going back would lose that")
	}
	plan.Follow, err = s.find(ctx)
	if err != nil && !errors.Is(err, errNoFollower) {
		return plan, fault.Wrap(fault.Failed, op, err, "")
	}
	if err != nil {
		plan.Warnings = append(plan.Warnings, "the target does not follow the source yet")
		return plan, nil
	}
	s.name(plan.Follow)
	return plan, fault.Wrap(fault.Failed, op, s.survey(ctx, &plan, frozen), "")
}

// frozen tells whether the source's settings are those of a freeze.
func (s *switcher) frozen(ctx context.Context) (bool, error) {
	z, err := s.source.freezer(ctx)
	if err != nil {
		return false, err
	}
	return z.settingsStand(ctx, FreezeOptions{}) == nil, ctx.Err()
}

func (s *switcher) survey(ctx context.Context, plan *SwitchPlan, frozen bool) error {
	watch := lagWatch{stream: &s.forward}
	var err error
	if plan.Lag, err = watch.look(ctx); err != nil {
		return err
	}
	r, err := s.source.rest(ctx)
	if err != nil {
		return err
	}
	note, err := s.forward.note(ctx)
	if err != nil {
		return err
	}
	refreshed, _, err := s.source.refreshedSince(ctx, r.Views, note.Schema.Views)
	if err != nil {
		return err
	}
	plan.Warnings = append(plan.Warnings, r.warnings(refreshed)...)
	if frozen {
		return nil
	}
	change, err := s.forward.changedSince(ctx, note.Schema)
	if err != nil {
		return err
	}
	plan.Warnings = append(plan.Warnings, change.Warnings...)
	return change.refusal(Source, Target)
}

// VerifySwitch proves from outside that the new primary takes writes, and that
// what is written there now comes home.
func VerifySwitch(ctx context.Context, o SwitchOptions) (err error) {
	s, err := openSwitcher(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	if err := writeTaken(ctx, o.To); err != nil {
		return err
	}
	there, err := s.forward.subscribed(ctx)
	if err == nil && there {
		err = fmt.Errorf("subscription %q still stands on the target", s.forward.name)
	}
	if err != nil || !s.State.Home {
		return err
	}
	if err := s.home.whole(ctx); err != nil {
		return err
	}
	_, err = s.home.drain(ctx, s.Drain)
	return err
}

// writeTaken tries to write, as a client with a session of its own would. What
// it wrote is rolled back.
func writeTaken(ctx context.Context, dsn secret.DSN) (err error) {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: followApplication, Side: Target})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "create schema evac_write_probe"); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return fmt.Errorf("try to write to the new primary: %w", err)
}

// count counts the rows of both sides.
func (s *switcher) count(ctx context.Context, from, to secret.DSN) error {
	s.Progress.Note("counting rows")
	return countBoth(ctx, from, to, s.Jobs)
}

// countBoth wants as many rows in every table of either side.
func countBoth(ctx context.Context, from, to secret.DSN, jobs int) (err error) {
	source, err := holdSnapshot(ctx, from, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.release(ctx)) }()
	wrong, err := compareCounts(ctx, source, to, max(jobs, 1), Filter{})
	if err == nil && len(wrong) > 0 {
		err = fault.New(fault.Different, fmt.Sprintf("the two sides differ in %d tables: %s", len(wrong), some(wrong)), "evac postgres verify names every row")
	}
	return err
}
