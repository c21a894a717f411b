package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// decree is a statement on a role that stands outside of every database: a
// security label, or a right to a parameter.
type decree struct {
	Role string
	// SQL makes it, Undo takes it back.
	SQL, Undo string
}

// firstParameterRights is the first version in which a role may be let set or
// alter a parameter.
const firstParameterRights = 15_00_00

// readDecrees reads those of all roles.
func readDecrees(ctx context.Context, conn *pgx.Conn, version int) ([]decree, error) {
	query := `
		select r.rolname, format('security label for %I on role %I is %L', l.provider, r.rolname, l.label), format('security label for %I on role %I is null', l.provider, r.rolname)
		from pg_catalog.pg_shseclabel l join pg_catalog.pg_roles r on r.oid = l.objoid where l.classoid = 'pg_catalog.pg_authid'::regclass`
	if version >= firstParameterRights {
		query += `
		union all
		select r.rolname, format('grant %s on parameter %s to %I', x.privilege_type, p.name, r.rolname) || case when x.is_grantable then ' with grant option' else '' end,
			format('revoke %s on parameter %s from %I', x.privilege_type, p.name, r.rolname)
		from (select paracl, (select string_agg(quote_ident(part), '.') from unnest(string_to_array(parname, '.')) part) as name from pg_catalog.pg_parameter_acl) p
		cross join lateral aclexplode(p.paracl) x join pg_catalog.pg_roles r on r.oid = x.grantee where x.grantor <> x.grantee`
	}
	rows, err := conn.Query(ctx, query+" order by 1, 2")
	if err != nil {
		return nil, fmt.Errorf("read labels and parameters of roles: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d decree, err error) {
		return d, row.Scan(&d.Role, &d.SQL, &d.Undo)
	})
	if err != nil {
		return nil, fmt.Errorf("read labels and parameters of roles: %w", err)
	}
	return list, nil
}

// applyDecrees gives the roles what they lack of the source's.
func (t *target) applyDecrees(ctx context.Context, tx pgx.Tx, g globals) error {
	stand, err := readDecrees(ctx, t.conn, t.version)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	have, used := map[string]bool{}, map[string]bool{}
	for _, d := range stand {
		have[d.SQL] = true
	}
	for _, r := range g.Roles {
		used[r.Name] = true
	}
	for _, d := range g.Decrees {
		if have[d.SQL] || !used[d.Role] {
			continue
		}
		made, err := tolerate(ctx, t.conn, d.SQL, fmt.Sprintf("role %q", d.Role))
		if err == nil && made {
			err = noteUndo(ctx, tx, d.Undo)
		}
		if err != nil {
			return fmt.Errorf("make %q on target: %w", d.SQL, err)
		}
	}
	return nil
}
