package pg

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// acl are the privileges on one object; nil means the default ones.
type acl []grant

// grant is one line of an ACL: a privilege that grantor gave to grantee.
type grant struct {
	Grantor   string  `json:"grantor"`
	Grantee   *string `json:"grantee"` // nil: PUBLIC
	Privilege string  `json:"privilege"`
	Option    bool    `json:"option"` // may be passed on
}

// explodeACL is the SQL of an aclitem[] column in the form that acl scans.
func explodeACL(column string) string {
	return fmt.Sprintf(`case when %[1]s is not null then coalesce((
		select json_agg(json_build_object('grantor', pg_get_userbyid(x.grantor),
			'grantee', case when x.grantee <> 0 then pg_get_userbyid(x.grantee) end,
			'privilege', x.privilege_type, 'option', x.is_grantable)) from aclexplode(%[1]s) x), '[]') end`, column)
}

// Scan reads what explodeACL gives.
func (a *acl) Scan(from any) error {
	switch text := from.(type) {
	case nil:
		*a = nil
		return nil
	case string:
		return json.Unmarshal([]byte(text), a)
	case []byte:
		return json.Unmarshal(text, a)
	}
	return fmt.Errorf("read privileges: unexpected %T", from)
}

// grants gives the statements after which the object (on: `database "x"`) has
// these privileges and no others. Each is run as the owner or a superuser.
func (a acl) grants(on, owner string) []string {
	sql := []string{
		"revoke all on " + on + " from public",
		"revoke all on " + on + " from " + Quote(owner),
	}
	for len(a) > 0 {
		var same, rest acl
		for _, g := range a {
			if g.Grantor == a[0].Grantor && g.Option == a[0].Option && g.grantee() == a[0].grantee() {
				same = append(same, g)
			} else {
				rest = append(rest, g)
			}
		}
		sql = append(sql, same.grant(on, owner))
		a = rest
	}
	return sql
}

// revokeAll is a statement that takes every privilege on an object from
// everyone; rights is a query for its ACL as it stands then.
func revokeAll(on, rights string) string {
	body := fmt.Sprintf(`declare who text; begin
	for who in select distinct case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end from aclexplode((%s)) x
	loop execute %s || who || ' cascade'; end loop; end`, rights, Literal("revoke all on "+on+" from "))
	return "do " + Literal(body)
}

// actAs begins a grant that somebody else than the owner gave.
const actAs = "set session authorization "

// grant writes one statement for lines that differ in the privilege only.
func (a acl) grant(on, owner string) string {
	var privileges []string
	for _, g := range a {
		privileges = append(privileges, strings.ToLower(g.Privilege))
	}
	slices.Sort(privileges)
	sql := "grant " + strings.Join(privileges, ", ") + " on " + on + " to " + a[0].grantee()
	if a[0].Option {
		sql += " with grant option"
	}
	if a[0].Grantor == owner {
		return sql
	}
	// Only the grantor itself leaves its name in the ACL.
	return actAs + Quote(a[0].Grantor) + "; " + sql + "; reset session authorization"
}

func (g grant) grantee() string {
	if g.Grantee == nil {
		return "public"
	}
	return Quote(*g.Grantee)
}

// softError tells whether a server refused a decoration for a reason that a
// copy can live with when it says so: no privilege, or a setting, role or
// object that this server does not know.
func softError(err error) (reason string, soft bool) {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return "", false
	}
	switch server.Code {
	case "42501", "42704", "42602", "22023", "0LP01", "55P02", "0A000":
		return server.Message, true
	}
	return "", false
}

// hidden stands for what an application keeps in a setting of its own, which
// is often a key.
const hidden = "…"

// ownValue is where the value of such a setting begins in a statement.
var ownValue = regexp.MustCompile(`(?s)( set "[^"]+"\."[^"]+" to ).*`)

// ownSetting is where it begins in a catalog.
var ownSetting = regexp.MustCompile(`(?s)(\w+\.[\w.]+=).*`)

// shorten keeps a statement fit for a message.
func shorten(sql string) string {
	const most = 160
	sql = strings.Join(strings.Fields(ownValue.ReplaceAllString(sql, "${1}"+hidden)), " ")
	if runes := []rune(sql); len(runes) > most {
		return string(runes[:most]) + " …"
	}
	return sql
}
