package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/fault"
)

// Versions of logical replication.
const (
	firstPublication  = 10_00_00
	firstSlotLimit    = 13_00_00 // max_slot_wal_keep_size
	firstSubscriber   = 16_00_00 // the role pg_create_subscription
	firstOriginsLimit = 18_00_00 // max_active_replication_origins, before that max_replication_slots
)

// number is a setting with a lower bound.
type number struct {
	name string
	// used is SQL for how many are taken now.
	used string
	// need is how many more it takes.
	need int
}

// followSource refuses a source that cannot be followed.
func (p *preflight) followSource(ctx context.Context) error {
	if p.source.version < firstPublication {
		return fault.New(fault.Failed, fmt.Sprintf("the source is PostgreSQL %s: logical replication begins at 10", versionName(p.source.version)), "copy with the writes frozen: evac postgres copy")
	}
	var wrong []error
	level, err := p.source.texts(ctx, "settings", "select current_setting('wal_level')")
	if err == nil && level[0] != "logical" {
		err = fault.New(fault.Failed, fmt.Sprintf("the source's wal_level is %s, want logical", level[0]), p.source.provider.setLogical())
	}
	wrong = append(wrong, err)
	if p.source.standby && p.source.version < firstSubscriber {
		wrong = append(wrong, fault.New(fault.Failed, "the source is a standby, which cannot be followed before PostgreSQL 16", "give its primary as the source"))
	}
	if p.source.version >= firstSlotLimit {
		wrong = append(wrong, p.slotLimit(ctx))
	}
	return errors.Join(append(wrong, p.mayReplicate(ctx), p.room(ctx, p.source,
		number{"max_replication_slots", "select count(*) from pg_catalog.pg_replication_slots", 1},
		number{"max_wal_senders", "select count(*) from pg_catalog.pg_stat_replication", 1}))...)
}

// slotLimit says how much of the log a slot may hold back.
func (p *preflight) slotLimit(ctx context.Context) error {
	limit, err := p.source.texts(ctx, "settings", "select current_setting('max_slot_wal_keep_size')")
	if err != nil {
		return err
	}
	if limit[0] == "-1" {
		p.warn("the source keeps all write-ahead log that is not yet followed (max_slot_wal_keep_size is -1): watch its disk as long as the target follows, or bound it: %s", p.source.provider.change("max_slot_wal_keep_size", "SIZE"))
	} else {
		p.fact("slot", "the source keeps at most %s of write-ahead log for a slot; one that lags further is lost", limit[0])
	}
	return nil
}

// mayReplicate refuses a user of the source that may not take a slot or make
// a publication.
func (p *preflight) mayReplicate(ctx context.Context) error {
	if p.source.super {
		return nil
	}
	var replicates, creates bool
	err := p.source.conn.QueryRow(ctx, `
		select r.rolreplication or exists (select from pg_catalog.pg_roles g where g.rolname = 'rds_replication' and pg_has_role(g.oid, 'usage')),
			has_database_privilege(current_database(), 'create') from pg_catalog.pg_roles r where r.rolname = current_user`).Scan(&replicates, &creates)
	if err != nil {
		return fmt.Errorf("read privileges on source: %w", err)
	}
	var wrong []error
	if !replicates {
		wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q of the source may not replicate", p.source.user), p.source.provider.letReplicate(p.source.user)))
	}
	if !creates {
		wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q may not make a publication on the source", p.source.user),
			fmt.Sprintf("grant create on database %s to %s", Quote(p.source.database), Quote(p.source.user))))
	}
	return errors.Join(wrong...)
}

// room refuses a server on which less is free of something than is needed.
func (p *preflight) room(ctx context.Context, s *place, numbers ...number) error {
	var wrong []error
	for _, n := range numbers {
		var limit, used int
		err := s.conn.QueryRow(ctx, "select current_setting($1)::int, ("+n.used+")::int", n.name).Scan(&limit, &used)
		switch {
		case err != nil:
			err = fmt.Errorf("read settings of %s: %w", s.side, err)
		case limit-used < n.need:
			err = fault.New(fault.Failed, fmt.Sprintf("the %s's %s is %d, of which %d are taken, and %d more needed", s.side, n.name, limit, used, n.need), s.provider.set(n.name, fmt.Sprint(used+n.need)))
		}
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}

// followTarget refuses a target that cannot subscribe.
func (p *preflight) followTarget(ctx context.Context) error {
	if p.target.version < firstPublication {
		return nil // refused with the source, which is no newer
	}
	const workers = "select count(*) from pg_catalog.pg_stat_subscription where pid is not null"
	origins := "max_replication_slots"
	if p.target.version >= firstOriginsLimit {
		origins = "max_active_replication_origins"
	}
	err := p.room(ctx, p.target,
		number{"max_logical_replication_workers", workers, 1}, number{"max_worker_processes", workers, 2},
		number{origins, "select count(*) from pg_catalog.pg_replication_origin", 1})
	if p.target.super {
		return err
	}
	may, wrong := p.target.texts(ctx, "roles", `
		select rolname::text from pg_catalog.pg_roles where rolname = any($1::text[]) and pg_has_role(oid, 'usage')`, []string{"pg_create_subscription", p.target.provider.role})
	if len(may) == 0 && wrong == nil {
		hint := "connect to the target as a superuser"
		if p.target.version >= firstSubscriber {
			hint = "as a superuser: grant pg_create_subscription to " + Quote(p.target.user)
		}
		wrong = fault.New(fault.Denied, fmt.Sprintf("user %q may not subscribe on the target", p.target.user), hint)
	}
	return errors.Join(err, wrong)
}
