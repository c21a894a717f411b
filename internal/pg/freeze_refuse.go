package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// Roles are refused by a connection limit of 0. Revoking CONNECT would have to
// take it from PUBLIC and give it to everyone else, and a copy would carry the
// changed privileges to the target; a limit has one old value, and a copy of a
// frozen source leaves a limit of 0 out.

// limitRoles adds the connection limits of the roles to refuse.
func (f *freezer) limitRoles(ctx context.Context, changes []FreezeChange, refuse []string) ([]FreezeChange, error) {
	if len(refuse) == 0 {
		return changes, nil
	}
	rows, err := f.conn.Query(ctx, "select rolname::text, rolconnlimit from pg_catalog.pg_roles where rolname = any ($1) order by 1", refuse)
	if err != nil {
		return nil, fmt.Errorf("read connection limits of roles: %w", err)
	}
	limits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (FreezeChange, error) {
		var limit int
		c := FreezeChange{Setting: limitSetting, New: "0"}
		err := row.Scan(&c.Role, &limit)
		c.Old = strconv.Itoa(limit)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read connection limits of roles: %w", err)
	}
	return append(changes, limits...), nil
}

// refusable refuses roles that a connection limit does not keep out, or that
// the user may not limit.
func (f *freezer) refusable(ctx context.Context, r rights, refuse []string) error {
	if len(refuse) == 0 {
		return nil
	}
	rows, err := f.conn.Query(ctx, `
		select w.name, u.oid is not null, coalesce(u.rolsuper, false), coalesce(pg_has_role(u.oid, 'usage with admin option'), false)
		from unnest($1::text[]) w(name) left join pg_catalog.pg_roles u on u.rolname = w.name order by 1`, refuse)
	if err != nil {
		return fmt.Errorf("read roles to refuse: %w", err)
	}
	wrong, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (error, error) {
		var name string
		var exists, super, admin bool
		if err := row.Scan(&name, &exists, &super, &admin); err != nil {
			return nil, err
		}
		switch {
		case !exists:
			return fault.New(fault.Invalid, fmt.Sprintf("there is no role %q to refuse", name), ""), nil
		case super:
			return fault.New(fault.Invalid, fmt.Sprintf("role %q is a superuser, whom no limit keeps out", name), "stop its clients, or: alter role "+Quote(name)+" nologin"), nil
		case name == r.role:
			return fault.New(fault.Invalid, fmt.Sprintf("role %q is to be refused, and this step connects as it", name), "connect as another role"), nil
		case !r.super && (!r.roles || r.version >= firstMemberOptions && !admin):
			return fault.New(fault.Denied, fmt.Sprintf("user %q may not limit role %q", r.role, name),
				"as an administrator: alter role "+Quote(name)+" connection limit 0; and leave it out of refuse"), nil
		}
		return nil, nil
	})
	return errors.Join(append(wrong, err)...)
}
