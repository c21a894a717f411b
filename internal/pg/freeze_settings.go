package pg

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// FreezeChange is one setting that a freeze changes. Role is whose setting is
// meant; without a role it is the database's own. Old and New
// are SQL values; DEFAULT is none.
type FreezeChange struct {
	Setting string
	Role    string
	Old     string
	New     string
}

// What a freeze sets.
const (
	readOnlySetting = "default_transaction_read_only"
	limitSetting    = "connection limit"
	noValue         = "DEFAULT"
)

// changes lists what the freeze needs to stand, with what stands now as Old:
// the database's default, and that of every role that has one of its own, for
// a role's default beats the database's.
func (f *freezer) changes(ctx context.Context, o FreezeOptions) ([]FreezeChange, error) {
	rows, err := f.conn.Query(ctx, `
		select coalesce(r.rolname, ''), coalesce(max(c.value) filter (where s.setdatabase <> 0), '')
		from pg_catalog.pg_db_role_setting s
		join pg_catalog.pg_database d on d.datname = current_database() and s.setdatabase in (0, d.oid)
		left join pg_catalog.pg_roles r on r.oid = s.setrole
		cross join lateral (
			select substr(v, strpos(v, '=') + 1) as value from unnest(s.setconfig) v
			where split_part(v, '=', 1) = $1) c
		where s.setdatabase <> 0 or (s.setrole <> 0 and not c.value::boolean)
		group by 1 order by 1`, readOnlySetting)
	if err != nil {
		return nil, fmt.Errorf("read settings of database and roles: %w", err)
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (FreezeChange, error) {
		c := FreezeChange{Setting: readOnlySetting, New: "on"}
		return c, row.Scan(&c.Role, &c.Old)
	})
	if err != nil {
		return nil, fmt.Errorf("read settings of database and roles: %w", err)
	}
	for i := range changes {
		if changes[i].Old == "" {
			changes[i].Old = noValue
		}
	}
	if !slices.ContainsFunc(changes, func(c FreezeChange) bool { return c.Role == "" }) {
		changes = slices.Insert(changes, 0, FreezeChange{Setting: readOnlySetting, Old: noValue, New: "on"})
	}
	if changes, err = f.limitRoles(ctx, changes, o.Refuse); err != nil || !o.Strict {
		return changes, err
	}
	var limit int
	err = f.conn.QueryRow(ctx, "select datconnlimit from pg_catalog.pg_database where datname = current_database()").Scan(&limit)
	if err != nil {
		return nil, fmt.Errorf("read connection limit: %w", err)
	}
	return append(changes, FreezeChange{Setting: limitSetting, Old: strconv.Itoa(limit), New: "0"}), nil
}

// setReadOnly makes every change that does not stand yet, telling of it first.
func (f *freezer) setReadOnly(ctx context.Context, o FreezeOptions) (changed bool, err error) {
	changes, err := f.changes(ctx, o)
	if err != nil {
		return false, err
	}
	for _, c := range changes {
		if c.stands() {
			continue
		}
		if err := o.Change(ctx, c); err != nil {
			return changed, err
		}
		if err := f.alter(ctx, c, c.New); err != nil {
			return changed, err
		}
		changed = true
	}
	return changed, nil
}

// settingsStand refuses if a setting of the freeze was taken back.
func (f *freezer) settingsStand(ctx context.Context, o FreezeOptions) error {
	changes, err := f.changes(ctx, o)
	if err != nil {
		return err
	}
	for _, c := range changes {
		if !c.stands() {
			return fault.New(fault.Failed, fmt.Sprintf("%s is %s, want %s", c, c.Old, c.New), "freeze it again: evac postgres freeze")
		}
	}
	return nil
}

// stands tells whether the change is already there, however it is spelled.
func (c FreezeChange) stands() bool {
	if c.Setting == readOnlySetting {
		return slices.Contains([]string{"on", "true", "yes", "1"}, c.Old)
	}
	return c.Old == c.New
}

// alter sets the setting to a value. The session itself may already be
// read-only by default.
func (f *freezer) alter(ctx context.Context, c FreezeChange, value string) error {
	if value != noValue && c.Setting == readOnlySetting {
		value = Literal(value)
	}
	sql := "alter database " + Quote(f.database) + " set " + readOnlySetting + " = " + value
	switch {
	case c.Setting == limitSetting && c.Role != "":
		sql = "alter role " + Quote(c.Role) + " connection limit " + value
	case c.Setting == limitSetting:
		sql = "alter database " + Quote(f.database) + " connection limit " + value
	case c.Role != "":
		sql = "alter role " + Quote(c.Role) + " in database " + Quote(f.database) + " set " + readOnlySetting + " = " + value
	}
	err := pgx.BeginTxFunc(ctx, f.conn, pgx.TxOptions{AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
	if err != nil {
		return fmt.Errorf("change %s: %w", c, err)
	}
	return nil
}

// String names the setting: `default_transaction_read_only of role "app"`.
func (c FreezeChange) String() string {
	switch {
	case c.Role == "":
		return c.Setting + " of the database"
	case c.Setting == limitSetting:
		return fmt.Sprintf("%s of role %q", c.Setting, c.Role)
	}
	return fmt.Sprintf("%s of role %q in the database", c.Setting, c.Role)
}

// ID names the change uniquely: the setting, and after a slash the role.
func (c FreezeChange) ID() string {
	if c.Role == "" {
		return c.Setting
	}
	return c.Setting + "/" + c.Role
}
