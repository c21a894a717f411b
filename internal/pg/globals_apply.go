package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// rolesMade is the key of the ledger's entry that the roles stand.
const rolesMade = "roles made"

// applyGlobals makes on the target the roles that it lacks, and memberships
// and settings that are missing; what stands there already is left as it is.
// Undo statements, also of the schema public that the entries to come will
// change, and warnings go into the ledger.
func (t *target) applyGlobals(ctx context.Context, g globals) error {
	return pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		if err := t.hush(ctx, t.conn); err != nil {
			return err
		}
		there, members, err := t.rolesThere(ctx, tx)
		if err != nil {
			return err
		}
		made := map[string]bool{}
		for _, r := range g.Roles {
			old, exists := there[r.Name]
			if exists {
				err = t.fitRole(ctx, tx, r, old)
			} else {
				made[r.Name], err = t.makeRole(ctx, tx, r)
			}
			if err != nil {
				return fmt.Errorf("make role %q on target: %w", r.Name, err)
			}
		}
		for _, m := range g.Memberships {
			if slices.Contains(members, [2]string{m.Role, m.Member}) {
				continue
			}
			if !t.super {
				m.Grantor = "" // only a superuser grants in another's name
			}
			given, err := tolerate(ctx, t.conn, m.grant(t.version), fmt.Sprintf("role %q", m.Member))
			if err == nil && given && (m.granted(t.version) || !made[m.Role] && !made[m.Member]) { // else dropping the role revokes it
				err = noteUndo(ctx, tx, m.revoke(t.version))
			}
			if err != nil {
				return fmt.Errorf("grant role %q to %q on target: %w", m.Role, m.Member, err)
			}
		}
		if err := t.applyDecrees(ctx, tx, g); err != nil {
			return err
		}
		// Noted after the roles: it is put back before they are dropped.
		public, err := t.publicUndo(ctx)
		if err != nil {
			return err
		}
		if err := noteUndo(ctx, tx, public...); err != nil {
			return err
		}
		return markDone(ctx, tx, rolesMade)
	})
}

// rolesThere reads the target's roles and memberships.
func (t *target) rolesThere(ctx context.Context, tx pgx.Tx) (map[string]role, [][2]string, error) {
	rows, err := tx.Query(ctx, `
		select r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls,
			coalesce((select s.setconfig from pg_catalog.pg_db_role_setting s where s.setrole = r.oid and s.setdatabase = 0), '{}')
		from pg_catalog.pg_roles r`)
	if err != nil {
		return nil, nil, fmt.Errorf("read roles of target: %w", err)
	}
	there := map[string]role{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r role, err error) {
		err = row.Scan(&r.Name, &r.Super, &r.Inherit, &r.CreateRole, &r.CreateDB, &r.Login, &r.Replication, &r.BypassRLS, &r.Settings)
		there[r.Name] = r
		return r, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read roles of target: %w", err)
	}
	rows, err = tx.Query(ctx, "select pg_get_userbyid(roleid), pg_get_userbyid(member) from pg_catalog.pg_auth_members")
	if err != nil {
		return nil, nil, fmt.Errorf("read memberships of target: %w", err)
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m [2]string, err error) {
		return m, row.Scan(&m[0], &m[1])
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read memberships of target: %w", err)
	}
	return there, members, nil
}

// fitRole gives a role that stands already the settings that it lacks.
func (t *target) fitRole(ctx context.Context, tx pgx.Tx, r, old role) error {
	if !r.same(old) {
		if err := noteWarning(ctx, tx, fmt.Sprintf("role %q stands on the target with other attributes (%s there, %s here): left as it is", r.Name, old.rights(), r.rights())); err != nil {
			return err
		}
	}
	for _, config := range r.Settings {
		name, value, _ := strings.Cut(config, "=")
		at := slices.IndexFunc(old.Settings, func(have string) bool { return strings.HasPrefix(have, name+"=") })
		var err error
		switch {
		case at < 0:
			alter := "alter role " + Quote(r.Name)
			if err = soften(ctx, t.conn, setConfig(alter, config), fmt.Sprintf("role %q", r.Name)); err == nil {
				err = noteUndo(ctx, tx, resetConfig(alter, config))
			}
		case old.Settings[at] != config:
			_, have, _ := strings.Cut(old.Settings[at], "=")
			if strings.Contains(name, ".") {
				have, value = hidden, hidden+" (another)" // an application's own, and may be a secret
			}
			err = noteWarning(ctx, tx, fmt.Sprintf("role %q has %s = %q on the target, %q on the source: left as it is", r.Name, name, have, value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rights are the attributes without what is secret or a detail.
func (r role) rights() string {
	r.Password, r.Until, r.Limit = nil, nil, -1
	return r.attributes(true)
}

// makeRole creates a role, so that objects can be handed over to it.
func (t *target) makeRole(ctx context.Context, tx pgx.Tx, r role) (made bool, err error) {
	name := Quote(r.Name)
	if _, err := tx.Exec(ctx, "savepoint role"); err != nil {
		return false, err
	}
	if err := run(ctx, t.conn, "create role "+name+" "+r.attributes(t.super)); err != nil {
		reason, soft := softError(err)
		if !soft {
			return false, err
		}
		if _, err = tx.Exec(ctx, "rollback to role"); err != nil {
			return false, err
		}
		return false, noteWarning(ctx, tx, fmt.Sprintf("role %q could not be made: %s", r.Name, reason))
	}
	if err := noteUndo(ctx, tx, "drop role if exists "+name); err != nil {
		return false, err
	}
	if err := t.joinRole(ctx, tx, r); err != nil {
		return false, err
	}
	var more []string
	if r.Comment != nil {
		more = append(more, "comment on role "+name+" is "+Literal(*r.Comment))
	}
	for _, config := range r.Settings {
		more = append(more, setConfig("alter role "+name, config))
	}
	for _, sql := range more {
		if err := soften(ctx, t.conn, sql, fmt.Sprintf("role %q", r.Name)); err != nil {
			return false, err
		}
	}
	return true, nil
}

// joinRole makes a user that is no superuser a member of the role that it made,
// so that it can hand objects over to it, and verify and undo that; and says
// what the role could not be given.
func (t *target) joinRole(ctx context.Context, tx pgx.Tx, r role) error {
	if t.super {
		return nil
	}
	if powers := r.powers(); len(powers) > 0 {
		err := noteWarning(ctx, tx, fmt.Sprintf("role %q is made without %s: only a superuser can give that", r.Name, strings.Join(powers, ", ")))
		if err != nil {
			return err
		}
	}
	return run(ctx, t.conn, "grant "+Quote(r.Name)+" to current_user")
}

func resetConfig(alter, config string) string {
	name, _, _ := strings.Cut(config, "=")
	return alter + " reset " + Quote(strings.Split(name, ".")...)
}
