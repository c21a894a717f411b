package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/fault"
)

// roles refuses a target on which roles are missing that the user may not make.
func (p *preflight) roles(ctx context.Context) error {
	if p.target.super || p.together {
		return nil
	}
	var may bool
	if err := p.target.conn.QueryRow(ctx, "select rolcreaterole from pg_catalog.pg_roles where rolname = current_user").Scan(&may); err != nil || may {
		return err
	}
	missing, err := p.missing(ctx, usedRoles+"select r.rolname::text from pg_catalog.pg_roles r join used using (oid) where r.rolname !~ '^pg_' order by 1",
		"roles", "select rolname from pg_catalog.pg_roles")
	return errors.Join(err, refused(fault.Denied, missing, "the target lacks roles that the user may not make: %s",
		fmt.Sprintf("on the target, as one who may: alter role %s createrole; or create those roles", Quote(p.target.user))))
}

// missing lists what the query gives on the source and there does not on the
// target.
func (p *preflight) missing(ctx context.Context, query, what, there string) ([]string, error) {
	used, err := p.source.texts(ctx, what, query)
	if err != nil || len(used) == 0 {
		return nil, err
	}
	return p.target.texts(ctx, what, "select u from unnest($1::text[]) u where u not in ("+there+") order by 1", used)
}

// owners warns of objects that will not be handed over to whom they belong on
// the source.
func (p *preflight) owners(ctx context.Context) error {
	if p.target.super {
		return nil
	}
	owners, err := p.source.texts(ctx, "owners", `
		select distinct pg_get_userbyid(o.owner)::text from (
			select relowner as owner from pg_catalog.pg_class where oid >= 16384 union all select proowner from pg_catalog.pg_proc where oid >= 16384
			union all select nspowner from pg_catalog.pg_namespace where oid >= 16384 union all select datdba from pg_catalog.pg_database where datname = current_database()) o order by 1`)
	if err != nil {
		return err
	}
	others, err := p.target.texts(ctx, "owners", "select rolname::text from pg_catalog.pg_roles where rolname = any($1::text[]) and not pg_has_role(oid, 'member') order by 1", owners)
	if err == nil && len(others) > 0 {
		p.warn("on the target, user %q is no member of %s: what these own goes to %[1]q instead (on the target: grant %[3]s to %[4]s)", p.target.user, some(others), quoteEach(others), Quote(p.target.user))
	}
	return err
}

// makers refuses objects that only a superuser can make, where the target's
// user is none.
func (p *preflight) makers(ctx context.Context) error {
	if p.target.super {
		return nil
	}
	only := superusersOnly()
	if p.source.version >= firstGenerated {
		only += " union all select 'function with support ' || p.oid::regprocedure from pg_catalog.pg_proc p where p.prosupport <> 0 and " + ours("pg_proc", "p.oid")
	}
	objects, err := p.source.texts(ctx, "objects", only+" order by 1")
	if err != nil {
		return err
	}
	named, err := p.source.texts(ctx, "function settings", `
		select p.oid::regprocedure || ' sets ' || split_part(c, '=', 1) from pg_catalog.pg_proc p cross join lateral unnest(p.proconfig) c where `+ours("pg_proc", "p.oid")+` order by 1`)
	if err != nil {
		return err
	}
	barred, err := p.target.texts(ctx, "settings", `
		select 'function ' || n from unnest($1::text[]) n join pg_catalog.pg_settings s on n like '% sets ' || s.name where s.context = 'superuser' order by 1`, named)
	return errors.Join(err, refused(fault.Denied, append(objects, barred...), "only a superuser of the target could make: %s",
		"connect to the target as a superuser; or drop them on the source, or take the extension that brings them"))
}

// superusersOnly lists what CREATE refuses to others (the manual's page of each
// command), but for what a copy leaves out with a warning.
func superusersOnly() string {
	return `
	select 'function ' || p.oid::regprocedure || ' (' || l.lanname || ')' from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
		where not l.lanpltrusted and p.prorettype <> 'event_trigger'::regtype and not exists (select from pg_catalog.pg_aggregate a where a.aggfnoid = p.oid) and ` + ours("pg_proc", "p.oid") + `
	union all select 'leakproof function ' || p.oid::regprocedure from pg_catalog.pg_proc p where p.proleakproof and ` + ours("pg_proc", "p.oid") + `
	union all select 'aggregate ' || a.aggfnoid::regprocedure || ' (of type internal)' from pg_catalog.pg_aggregate a where a.aggtranstype = 'internal'::regtype and ` + ours("pg_proc", "a.aggfnoid::oid") + `
	union all select 'base type ' || t.oid::regtype from pg_catalog.pg_type t where t.typtype = 'b' and t.typisdefined
		and not exists (select from pg_catalog.pg_type e where e.typarray = t.oid) and ` + ours("pg_type", "t.oid") + `
	union all select format('operator class %I', o.opcname) from pg_catalog.pg_opclass o where ` + ours("pg_opclass", "o.oid") + `
	union all select format('operator family %I', f.opfname) from pg_catalog.pg_opfamily f where ` + ours("pg_opfamily", "f.oid") + `
	union all select format('cast (%s as %s)', castsource::regtype, casttarget::regtype) from pg_catalog.pg_cast c where c.castmethod = 'b' and ` + ours("pg_cast", "c.oid") + `
	union all select format('access method %I', a.amname) from pg_catalog.pg_am a where ` + ours("pg_am", "a.oid") + `
	union all select format('language %I', l.lanname) from pg_catalog.pg_language l where not l.lanpltrusted and ` + ours("pg_language", "l.oid") + `
	union all select format('foreign-data wrapper %I', w.fdwname) from pg_catalog.pg_foreign_data_wrapper w where ` + ours("pg_foreign_data_wrapper", "w.oid") + `
	union all select format('text search parser %I', t.prsname) from pg_catalog.pg_ts_parser t where ` + ours("pg_ts_parser", "t.oid") + `
	union all select format('text search template %I', t.tmplname) from pg_catalog.pg_ts_template t where ` + ours("pg_ts_template", "t.oid")
}
