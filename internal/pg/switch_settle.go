package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/secret"
)

// SettlePlan is what Settle would end.
type SettlePlan struct {
	// Home names the replications of a way home on the new primary.
	Home []string
	// Kept is how much log the new primary keeps for them, in bytes.
	Kept int64
}

// PlanSettle reads which ways home stand.
func PlanSettle(ctx context.Context, to secret.DSN) (plan SettlePlan, err error) {
	target, err := openEnd(ctx, to, Target)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, target.close(ctx)) }()
	if plan.Home, err = target.homes(ctx); err != nil {
		return plan, err
	}
	for _, name := range plan.Home {
		s := replication{name: name, publisher: target}
		if slot, err := s.slot(ctx, ""); err == nil { // else there is nothing kept
			plan.Kept = max(plan.Kept, slot.kept)
		}
	}
	return plan, nil
}

// homes names the ways home of which something stands on this end.
func (e *end) homes(ctx context.Context) ([]string, error) {
	names, err := texts(ctx, e.conn, `
		select slot_name::text from pg_catalog.pg_replication_slots where database = current_database() and left(slot_name, length($1::text)) = $1
		union select pubname::text from pg_catalog.pg_publication where left(pubname, length($1::text)) = $1
		union select s.subname::text from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
			where d.datname = current_database() and left(s.subname, length($1::text)) = $1 order by 1`, homePrefix)
	if err != nil {
		return nil, fmt.Errorf("list ways home of %s: %w", e.side, err)
	}
	return names, nil
}

// Settle ends every way home of the new primary: there is no going back then.
// from may be empty, if the old primary is gone.
func Settle(ctx context.Context, from, to secret.DSN) (ended []string, err error) {
	target, err := openEnd(ctx, to, Target)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, target.close(ctx)) }()
	if ended, err = target.homes(ctx); err != nil {
		return nil, err
	}
	var changed []IdentityChange
	for _, name := range ended {
		s := replication{name: name, publisher: target}
		changes, err := s.remembered(ctx)
		if err != nil {
			return nil, err
		}
		changed = append(changed, changes...)
	}
	if !from.Empty() {
		if err := settleOld(ctx, from, changed); err != nil {
			return nil, err
		}
	}
	if err := target.putBack(ctx, changed); err != nil {
		return nil, err
	}
	for _, name := range ended {
		s := replication{name: name, publisher: target}
		if err := s.dropSlot(ctx); err != nil {
			return nil, err
		}
		if err := s.unpublish(ctx); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

// settleOld drops the old primary's subscriptions, and gives its tables the
// identities that they had.
func settleOld(ctx context.Context, from secret.DSN, changed []IdentityChange) (err error) {
	source, err := openEnd(ctx, from, Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close(ctx)) }()
	names, err := source.homes(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		s := replication{name: name, subscriber: source}
		if err := s.unsubscribe(ctx); err != nil {
			return err
		}
	}
	return source.putBack(ctx, changed)
}

// VerifySettled wants no way home left.
func VerifySettled(ctx context.Context, to secret.DSN) error {
	plan, err := PlanSettle(ctx, to)
	if err == nil && len(plan.Home) > 0 {
		err = fmt.Errorf("the way home %s still stands", strings.Join(plan.Home, ", "))
	}
	return err
}
