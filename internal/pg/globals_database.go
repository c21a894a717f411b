package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// databaseSet is the key of the ledger's entry that the target database has
// what stands around a database.
const databaseSet = "database set"

// database is what belongs to a database itself and a dump of its contents
// leaves behind. Its connection limit is left out, and so is
// default_transaction_read_only: by these a frozen source refuses writes, and a
// target that is being made to follow.
type database struct {
	Name    string
	Owner   string
	Comment *string
	// ACL is what holds; Granted tells whether it was ever changed.
	ACL      acl
	Granted  bool
	Settings []roleConfig
	Labels   []label
}

// label is what a provider of security labels says of the database.
type label struct{ Provider, Text string }

// is makes the statement that sets the label on an object; text is an SQL constant.
func (l label) is(on, text string) string {
	return fmt.Sprintf("security label for %s on %s is %s", Quote(l.Provider), on, text)
}

// roleConfig is a setting, "name=value", of the database ("") or of a role in it.
type roleConfig struct{ Role, Config string }

// alter begins the statement that sets or resets it in the named database.
func (c roleConfig) alter(database string) string {
	if c.Role == "" {
		return "alter database " + Quote(database)
	}
	return "alter role " + Quote(c.Role) + " in database " + Quote(database)
}

func readDatabase(ctx context.Context, conn *pgx.Conn) (database, error) {
	var d database
	err := conn.QueryRow(ctx, `
		select d.datname, pg_get_userbyid(d.datdba), shobj_description(d.oid, 'pg_database'), `+explodeACL("coalesce(d.datacl, acldefault('d', d.datdba))")+`, d.datacl is not null
		from pg_catalog.pg_database d where d.datname = current_database()`).Scan(&d.Name, &d.Owner, &d.Comment, &d.ACL, &d.Granted)
	if err != nil {
		return d, err
	}
	rows, err := conn.Query(ctx, `
		select coalesce(r.rolname, ''), c.config
		from pg_catalog.pg_db_role_setting s join pg_catalog.pg_database d on d.oid = s.setdatabase
		cross join lateral unnest(s.setconfig) with ordinality c(config, place)
		left join pg_catalog.pg_roles r on r.oid = s.setrole
		where d.datname = current_database() order by 1, c.place`)
	if err != nil {
		return d, err
	}
	d.Settings, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c roleConfig, err error) {
		return c, row.Scan(&c.Role, &c.Config)
	})
	if err != nil {
		return d, err
	}
	d.Settings = slices.DeleteFunc(d.Settings, roleConfig.ofFreeze)
	rows, err = conn.Query(ctx, "select l.provider, l.label from pg_catalog.pg_shseclabel l join pg_catalog.pg_database d on d.oid = l.objoid where l.classoid = 'pg_catalog.pg_database'::regclass and d.datname = current_database() order by 1")
	if err != nil {
		return d, err
	}
	d.Labels, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l label, err error) { return l, row.Scan(&l.Provider, &l.Text) })
	return d, err
}

// applyDatabase gives the target database the source's owner, comment,
// privileges and settings. What it changes it can undo.
func (t *target) applyDatabase(ctx context.Context, from database) error {
	return pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		if err := t.hush(ctx, t.conn); err != nil { // applications keep keys in settings
			return err
		}
		old, err := readDatabase(ctx, t.conn)
		if err != nil {
			return fmt.Errorf("read database of target: %w", err)
		}
		if from.Settings, err = t.knownRoles(ctx, tx, from.Settings); err != nil {
			return err
		}
		err = noteUndo(ctx, tx, undoDatabase(old, from))
		for _, sql := range setDatabase(old, from) {
			if err == nil {
				err = soften(ctx, t.conn, sql, fmt.Sprintf("database %q", old.Name))
			}
		}
		if err != nil {
			return fmt.Errorf("set database %q of target: %w", old.Name, err)
		}
		return markDone(ctx, tx, databaseSet)
	})
}

// knownRoles leaves out, with a warning, the settings of roles that the target
// does not have.
func (t *target) knownRoles(ctx context.Context, tx pgx.Tx, settings []roleConfig) ([]roleConfig, error) {
	known, err := texts(ctx, tx, "select rolname::text from pg_catalog.pg_roles")
	if err != nil {
		return nil, fmt.Errorf("read roles of target: %w", err)
	}
	var keep []roleConfig
	for _, c := range settings {
		if c.Role == "" || slices.Contains(known, c.Role) {
			keep = append(keep, c)
		} else {
			err = errors.Join(err, noteWarning(ctx, tx, fmt.Sprintf("left out for role %q, which the target lacks: %s", c.Role, c.Config)))
		}
	}
	return keep, err
}

// setDatabase gives the statements that make the database old like from.
func setDatabase(old, from database) []string {
	on := "database " + Quote(old.Name)
	var sql []string
	if from.Owner != old.Owner {
		sql = append(sql, "alter "+on+" owner to "+Quote(from.Owner))
	}
	if from.Comment != nil {
		sql = append(sql, "comment on "+on+" is "+Literal(*from.Comment))
	}
	if from.Granted {
		var own, others []string
		for _, grant := range from.ACL.grants(on, from.Owner) {
			if strings.HasPrefix(grant, actAs) {
				others = append(others, grant) // refused alone, where it is
			} else {
				own = append(own, grant)
			}
		}
		sql = append(append(sql, strings.Join(own, "; ")), others...)
	}
	for _, l := range from.Labels {
		sql = append(sql, l.is(on, Literal(l.Text)))
	}
	for _, c := range from.Settings {
		sql = append(sql, setConfig(c.alter(old.Name), c.Config))
	}
	return sql
}

// undoDatabase gives the statement block that takes setDatabase back.
func undoDatabase(old, from database) string {
	on := "database " + Quote(old.Name)
	sql := []string{"alter " + on + " owner to " + Quote(old.Owner)}
	if from.Granted {
		sql = append(sql, revokeAll(on, "select datacl from pg_catalog.pg_database where datname = current_database()"))
		sql = append(sql, old.ACL.grants(on, old.Owner)...)
	}
	comment := "null"
	if old.Comment != nil {
		comment = Literal(*old.Comment)
	}
	sql = append(sql, "comment on "+on+" is "+comment)
	for _, c := range from.Settings {
		sql = append(sql, resetConfig(c.alter(old.Name), c.Config))
	}
	for _, c := range old.Settings {
		sql = append(sql, setConfig(c.alter(old.Name), c.Config))
	}
	for _, l := range from.Labels {
		text := "null"
		if at := slices.IndexFunc(old.Labels, func(have label) bool { return have.Provider == l.Provider }); at >= 0 {
			text = Literal(old.Labels[at].Text)
		}
		// Without its provider the target never took it.
		sql = append(sql, "do "+Literal("begin "+l.is(on, text)+"; exception when invalid_parameter_value then null; end"))
	}
	return strings.Join(sql, "; ")
}

// ofFreeze tells whether a freeze uses the setting.
func (c roleConfig) ofFreeze() bool { return strings.HasPrefix(c.Config, readOnlySetting+"=") }
