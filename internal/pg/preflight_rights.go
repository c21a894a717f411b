package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// readable refuses a source of which the user may not read everything.
func (p *preflight) readable(ctx context.Context) error {
	denied, err := p.source.texts(ctx, "privileges", `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p', 'S', 'm') and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
			and not (has_schema_privilege(n.oid, 'usage') and case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'select') else has_table_privilege(c.oid, 'select') end)
			and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
			and `+p.filter.SQL("n.nspname", "c.relname")+" order by 1")
	if err != nil {
		return err
	}
	hint := "as a superuser: alter role " + Quote(p.source.user) + " superuser; or grant usage on their schemas and select on each of them"
	if p.source.version >= firstReadAll {
		hint = "grant pg_read_all_data to " + Quote(p.source.user)
	}
	objects, err := p.hiddenObjects(ctx)
	return errors.Join(err, refused(fault.Denied, denied, "source does not let the user read %s", hint),
		refused(fault.Denied, objects, "source does not let the user read large objects %s", "grant select on large object OID to "+Quote(p.source.user)+", for each of them"))
}

// firstReadAll is the first version with the role pg_read_all_data.
const firstReadAll = 14_00_00

// hiddenObjects lists large objects that the user may not read: no role's
// membership gives that, only each object's own privileges do.
func (p *preflight) hiddenObjects(ctx context.Context) ([]string, error) {
	if p.source.super || !p.filter.All() {
		return nil, nil
	}
	return p.source.texts(ctx, "large objects", `
		select m.oid::text from pg_catalog.pg_largeobject_metadata m
		where not pg_has_role(m.lomowner, 'usage') and not current_setting('lo_compat_privileges')::bool and not exists (
			select from aclexplode(m.lomacl) x where x.privilege_type = 'SELECT' and (x.grantee = 0 or pg_has_role(x.grantee, 'usage')))
		order by m.oid`)
}

// firstRowSecurity is the first version with row security.
const firstRowSecurity = 9_05_00

// rows refuses a source that hides rows from the user.
func (p *preflight) rows(ctx context.Context) error {
	if p.source.version < firstRowSecurity {
		return nil
	}
	hidden, err := p.source.texts(ctx, "row security", `
		select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and row_security_active(c.oid) and `+p.filter.SQL("n.nspname", "c.relname")+" order by 1")
	return errors.Join(err, refused(fault.Denied, hidden, "row security of source hides rows from the user in %s",
		"alter role "+Quote(p.source.user)+" bypassrls, or connect as the owner of the tables (and: alter table TABLE no force row level security)"))
}

// occupied refuses a target that holds anything else than this copy.
func (p *preflight) occupied(ctx context.Context) error {
	head, err := openLedger(ctx, p.target.conn, p.Token)
	if err != nil || p.survey.Finished {
		return err
	}
	if head != nil {
		p.survey.Begun = true
		return nil
	}
	t := target{conn: p.target.conn, dsn: p.To}
	kept, err := t.keptExtensions(ctx)
	if err != nil {
		return err
	}
	return t.refuseFull(ctx, kept)
}

// writable refuses a target in which the user may make nothing.
func (p *preflight) writable(ctx context.Context) error {
	var create bool
	if err := p.target.conn.QueryRow(ctx, "select has_database_privilege(current_database(), 'create')").Scan(&create); err != nil {
		return fmt.Errorf("read privileges on target: %w", err)
	}
	if !create {
		return fault.New(fault.Denied, "target does not let the user make schemas",
			fmt.Sprintf("alter database %s owner to %s", Quote(p.target.database), Quote(p.target.user)))
	}
	if !p.target.super {
		p.warn("the user of the target is no superuser: owners, event triggers and whatever else it may not set are left out, each with a warning")
	}
	if !p.source.super {
		p.warn("the user of the source is no superuser: passwords of roles and of user mappings, and subscriptions, are left out where it may not read them")
	}
	return nil
}

// sessions refuses servers that do not let the user open as many sessions as
// the jobs need: a leader and one for each on either side.
func (p *preflight) sessions(ctx context.Context) error {
	need := max(p.Jobs, 1) + 1
	var wrong []error
	for _, s := range []*place{p.source, p.target} {
		var role, database, free int
		err := s.conn.QueryRow(ctx, `
			select case when r.rolconnlimit < 0 then 1000000 else r.rolconnlimit - (select count(*) from pg_catalog.pg_stat_activity where usename = r.rolname) end,
				case when d.datconnlimit < 0 or r.rolsuper then 1000000 else d.datconnlimit - (select count(*) from pg_catalog.pg_stat_activity where datname = d.datname) end,
				current_setting('max_connections')::int - (select sum(numbackends) from pg_catalog.pg_stat_database)
					- case when r.rolsuper then 0 else current_setting('superuser_reserved_connections')::int end
			from pg_catalog.pg_roles r, pg_catalog.pg_database d where r.rolname = current_user and d.datname = current_database()`).Scan(&role, &database, &free)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("read sessions of %s: %w", s.side, err))
		}
		// This session's own place is among those taken, and comes free.
		for _, limit := range []struct {
			left       int
			what, hint string
		}{
			{role, fmt.Sprintf("user %q", s.user), fmt.Sprintf("alter role %s connection limit -1", Quote(s.user))},
			{database, fmt.Sprintf("database %q", s.database), fmt.Sprintf("alter database %s connection limit -1", Quote(s.database))},
			{free, "server", "end sessions that nobody needs, or: " + s.provider.set("max_connections", "MORE")},
		} {
			if err == nil && limit.left+1 < need {
				wrong = append(wrong, fault.New(fault.Failed, fmt.Sprintf("the %s's %s has room for %d more sessions, and %d are needed", s.side, limit.what, limit.left, need-1), limit.hint))
			}
		}
	}
	return errors.Join(wrong...)
}

// tunable warns if the target's server is to be tuned for the load by a user
// who may not do that.
func (p *preflight) tunable(ctx context.Context) error {
	if !p.Tuning.Wanted {
		return nil
	}
	may, err := (&target{conn: p.target.conn, super: p.target.super}).mayTune(ctx)
	if err != nil || may {
		return err
	}
	lines := make([]string, 0, len(tuned()))
	for _, s := range tuned() {
		lines = append(lines, s.Setting+" = "+s.New)
	}
	p.warn("the target's server will not be tuned for the load, for user %q may not ALTER SYSTEM: set %s in its parameter group before the copy, and back afterwards", p.target.user, strings.Join(lines, ", "))
	return nil
}
