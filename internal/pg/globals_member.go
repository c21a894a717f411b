package pg

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// membership is a grant of a role to another.
type membership struct {
	Role, Member string
	Admin        bool
	Inherit, Set bool // since 16; before that as the member inherits, and true
	// Grantor is who granted it, since 16; "" is the first superuser, who
	// grants what superusers grant.
	Grantor string
}

// firstMemberOptions is the first version whose memberships have options, and
// of which one role may hold several of the same, each from another grantor.
const firstMemberOptions = 16_00_00

// readMemberships reads those of the roles that the source's database uses, in
// an order in which each grantor has the right to grant before it does.
func readMemberships(ctx context.Context, conn *pgx.Conn, version int) ([]membership, error) {
	options := "member.rolinherit, true, ''::text"
	if version >= firstMemberOptions {
		options = "m.inherit_option, m.set_option, case when m.grantor <> 10 then pg_get_userbyid(m.grantor)::text else '' end"
	}
	rows, err := conn.Query(ctx, usedRoles+`
		select distinct on (1, 2, 6) granted.rolname, member.rolname, m.admin_option, `+options+`
		from pg_catalog.pg_auth_members m
		join used on used.oid = m.member
		join pg_catalog.pg_roles granted on granted.oid = m.roleid join pg_catalog.pg_roles member on member.oid = m.member
		where member.rolname !~ '^pg_' order by 1, 2, 6, m.admin_option desc`)
	if err != nil {
		return nil, fmt.Errorf("read memberships of source: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m membership, err error) {
		return m, row.Scan(&m.Role, &m.Member, &m.Admin, &m.Inherit, &m.Set, &m.Grantor)
	})
	if err != nil {
		return nil, fmt.Errorf("read memberships of source: %w", err)
	}
	return grantable(list), nil
}

// grantable sorts memberships so that each comes after the one that lets its
// grantor grant it. One whose grantor is not among them has the first
// superuser for it.
func grantable(list []membership) []membership {
	var ordered []membership
	for rest := list; len(rest) > 0; {
		var later []membership
		for _, m := range rest {
			may := m.Grantor == "" || slices.ContainsFunc(ordered, func(by membership) bool { return by.Admin && by.Role == m.Role && by.Member == m.Grantor })
			if may {
				ordered = append(ordered, m)
			} else {
				later = append(later, m)
			}
		}
		if len(later) == len(rest) {
			later[0].Grantor = ""
		}
		rest = later
	}
	return ordered
}

// grant writes the membership as a statement for a server of that version.
func (m membership) grant(version int) string {
	sql := "grant " + Quote(m.Role) + " to " + Quote(m.Member)
	switch {
	case version >= firstMemberOptions:
		sql += fmt.Sprintf(" with admin %t, inherit %t, set %t", m.Admin, m.Inherit, m.Set)
	case m.Admin:
		sql += " with admin option"
	}
	if m.granted(version) {
		sql += " granted by " + Quote(m.Grantor)
	}
	return sql
}

// granted tells whether the grantor is named.
func (m membership) granted(version int) bool {
	return m.Grantor != "" && version >= firstMemberOptions
}

// revoke takes the membership back.
func (m membership) revoke(version int) string {
	sql := "revoke " + Quote(m.Role) + " from " + Quote(m.Member)
	if m.granted(version) {
		sql += " granted by " + Quote(m.Grantor)
	}
	return sql
}
