package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

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
		p.warn("the source keeps all write-ahead log that is not yet followed (max_slot_wal_keep_size is -1): watch its disk as long as the target follows; alter system set max_slot_wal_keep_size = '…' bounds it")
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
	others, err := p.source.texts(ctx, "tables", "select c.oid::regclass::text"+tablesFrom+"c.relkind in ('r', 'p') and c.relpersistence = 'p' and not pg_has_role(c.relowner, 'usage') and "+ours("pg_class", "c.oid")+" order by 1")
	return errors.Join(append(wrong, err, refused(fault.Denied, others, "the source's user does not own, and so cannot publish, %s",
		fmt.Sprintf("grant OWNER to %s, for each owner of a table", Quote(p.source.user))))...)
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
		number{origins, "select count(*) from pg_catalog.pg_replication_origin_status", 1})
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

// followTables names the tables whose rows logical replication cannot tell
// apart.
func (p *preflight) followTables(ctx context.Context) (err error) {
	if p.source.version < firstPublication {
		return nil
	}
	p.survey.Keyless, err = p.source.texts(ctx, "tables", "select c.oid::regclass::text"+tablesFrom+`c.relkind = 'r' and c.relpersistence = 'p' and `+ours("pg_class", "c.oid")+`
		and (c.relreplident = 'n' or c.relreplident = 'd' and not exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary)) order by 1`)
	return err
}

// reachable tries whether the target's server can open a connection to the
// source, as a subscription would: without a password, inside a transaction
// that is taken back. An answer of the source proves the way there, also a
// refusal for lack of a password. Only a superuser may try so.
func (p *preflight) reachable(ctx context.Context) error {
	if !p.target.super || p.target.standby || p.source.version < firstPublication {
		p.warn("whether the target's server reaches the source cannot be tried before by a user that is no superuser: from the target's network, psql '%s' must get in", p.From)
		return nil
	}
	tx, err := p.target.conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("try the way from target to source: %w", err)
	}
	_, tried := tx.Exec(ctx, fmt.Sprintf("create subscription evac_way connection %s publication evac_way with (create_slot = false, enabled = false)", Literal(p.From.WithoutPassword())), pgx.QueryExecModeSimpleProtocol)
	if err := tx.Rollback(ctx); err != nil {
		return fmt.Errorf("try the way from target to source: %w", err)
	}
	return p.reached(tried)
}

// reached judges what the try to connect ended with.
func (p *preflight) reached(tried error) error {
	text := reasonOf(tried)
	says := func(word string) bool { return strings.Contains(text, word) }
	switch {
	case tried == nil, says("no password supplied"), says("password authentication failed"):
		p.fact("way to the source", "the target's server reaches %s", p.From)
		return nil
	case code(tried) == "42501":
		return fault.Wrap(fault.Denied, "try the way from target to source", tried, "")
	case says("FATAL"):
		return fault.New(fault.Denied, fmt.Sprintf("the source turns the target's server away: %s", firstLine(text)),
			"let the target's address in for databases and replication, in pg_hba.conf or the provider's firewall")
	}
	return fault.New(fault.Failed, fmt.Sprintf("the target's server does not reach %s: %s", p.From, firstLine(text)),
		"open the way in firewalls and security groups; name the source by an address that the target's network knows")
}
