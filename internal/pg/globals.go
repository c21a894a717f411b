package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// globals are the roles that a database needs and that live outside of it.
type globals struct {
	Roles       []role
	Memberships []membership
	Decrees     []decree
}

// role is a role with all that it is; predefined roles (pg_…) are left out.
type role struct {
	Name                                 string
	Super, Inherit, CreateRole, CreateDB bool
	Login, Replication, BypassRLS        bool
	Limit                                int
	Until                                *time.Time
	Password                             *string // hash; nil: none, or not readable
	Comment                              *string
	Settings                             []string // name=value
}

// usedRoles names by OID all roles that the database refers to (owners,
// grantees, policies, default privileges, settings, user mappings: see
// pg_shdepend), their members, for whom privileges were granted to them, and
// the groups that any of those belong to.
const usedRoles = `
	with recursive here as (select oid, datdba from pg_catalog.pg_database where datname = current_database()),
	referred as (
		select refobjid as oid from pg_catalog.pg_shdepend, here
		where refclassid = 'pg_catalog.pg_authid'::regclass
			and (dbid = here.oid or dbid = 0 and classid = 'pg_catalog.pg_database'::regclass and objid = here.oid)
		union select setrole from pg_catalog.pg_db_role_setting, here where setdatabase = here.oid and setrole <> 0
		union select datdba from here
		union select oid from pg_catalog.pg_roles where oid = 10), -- the first superuser: pg_shdepend leaves it out
	members as (
		select oid from referred
		union select m.member from members u join pg_catalog.pg_auth_members m on m.roleid = u.oid
			join pg_catalog.pg_roles r on r.oid = u.oid and r.rolname !~ '^pg_'),
	used as (
		select oid from members
		union select m.roleid from used u join pg_catalog.pg_auth_members m on m.member = u.oid)`

// readGlobals reads the roles that the source's database uses.
func readGlobals(ctx context.Context, conn *pgx.Conn, version int) (globals, error) {
	var g globals
	var hashes bool
	err := conn.QueryRow(ctx, "select has_table_privilege('pg_catalog.pg_authid', 'select')").Scan(&hashes)
	if err != nil {
		return g, fmt.Errorf("read roles of source: %w", err)
	}
	password := "null::text"
	if hashes {
		password = "(select a.rolpassword from pg_catalog.pg_authid a where a.oid = r.oid)"
	}
	rows, err := conn.Query(ctx, usedRoles+fit(conn, `
		select r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
			r.rolbypassrls, --[9.5+]
			r.rolsuper, --[<9.5]
			case when r.rolconnlimit = 0 and exists ( -- a frozen source refuses roles by a limit of 0
				select from pg_catalog.pg_db_role_setting s join pg_catalog.pg_database d on d.oid = s.setdatabase
				where d.datname = current_database() and s.setrole = 0 and 'default_transaction_read_only=on' = any (s.setconfig)) then -1 else r.rolconnlimit end,
			case when isfinite(r.rolvaliduntil) then r.rolvaliduntil end, `+password+`, shobj_description(r.oid, 'pg_authid'),
			coalesce((select s.setconfig from pg_catalog.pg_db_role_setting s where s.setrole = r.oid and s.setdatabase = 0), '{}')
		from pg_catalog.pg_roles r join used using (oid) where r.rolname !~ '^pg_' order by r.rolname`))
	if err != nil {
		return g, fmt.Errorf("read roles of source: %w", err)
	}
	g.Roles, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r role, err error) {
		return r, row.Scan(&r.Name, &r.Super, &r.Inherit, &r.CreateRole, &r.CreateDB, &r.Login, &r.Replication, &r.BypassRLS,
			&r.Limit, &r.Until, &r.Password, &r.Comment, &r.Settings)
	})
	if err != nil {
		return g, fmt.Errorf("read roles of source: %w", err)
	}
	if g.Memberships, err = readMemberships(ctx, conn, version); err != nil {
		return g, err
	}
	if g.Decrees, err = readDecrees(ctx, conn, version); err != nil {
		return g, fmt.Errorf("source: %w", err)
	}
	return g, nil
}

// attributes writes what CREATE ROLE says after the name. Without a
// superuser's rights those are left out that only one may give.
func (r role) attributes(super bool) string {
	options := []string{
		flag(r.Inherit, "inherit"), flag(r.CreateRole, "createrole"), flag(r.CreateDB, "createdb"), flag(r.Login, "login"),
	}
	if super {
		options = append(options, flag(r.Super, "superuser"), flag(r.Replication, "replication"), flag(r.BypassRLS, "bypassrls"))
	}
	if r.Limit != -1 {
		options = append(options, fmt.Sprintf("connection limit %d", r.Limit))
	}
	if r.Until != nil {
		options = append(options, "valid until "+Literal(r.Until.UTC().Format("2006-01-02 15:04:05.999999-07")))
	}
	if r.Password != nil {
		options = append(options, "password "+Literal(*r.Password))
	}
	return strings.Join(options, " ")
}

func flag(on bool, name string) string {
	if on {
		return name
	}
	return "no" + name
}

// powers lists what of the role only a superuser can give.
func (r role) powers() []string {
	var names []string
	for name, has := range map[string]bool{"superuser": r.Super, "replication": r.Replication, "bypassrls": r.BypassRLS} {
		if has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// same tells whether two roles have the same rights; password, comment and
// settings aside.
func (r role) same(o role) bool {
	return r.Super == o.Super && r.Inherit == o.Inherit && r.CreateRole == o.CreateRole && r.CreateDB == o.CreateDB &&
		r.Login == o.Login && r.Replication == o.Replication && r.BypassRLS == o.BypassRLS
}

// setConfig writes a setting as it stands in pg_db_role_setting, "name=value",
// as ALTER … SET: the values of some settings are lists of names, and each
// name must be quoted by itself.
func setConfig(alter, config string) string {
	name, value, _ := strings.Cut(config, "=")
	values := []string{Literal(value)}
	if listSettings[strings.ToLower(name)] {
		values = nil
		for _, item := range splitNames(value) {
			values = append(values, Literal(item))
		}
	}
	return alter + " set " + Quote(strings.Split(name, ".")...) + " to " + strings.Join(values, ", ")
}

// listSettings are those that the server flags GUC_LIST_QUOTE (guc_tables.c).
var listSettings = map[string]bool{
	"search_path": true, "temp_tablespaces": true, "local_preload_libraries": true, "session_preload_libraries": true,
	"shared_preload_libraries": true, "unix_socket_directories": true,
}

// splitNames reads a list of names as SplitIdentifierString of the server does.
func splitNames(list string) []string {
	var names []string
	var name strings.Builder
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"' && quoted && i+1 < len(list) && list[i+1] == '"':
			name.WriteByte('"')
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			names = append(names, name.String())
			name.Reset()
		case c == ' ' && !quoted:
		default:
			name.WriteByte(c)
		}
	}
	return append(names, name.String())
}
