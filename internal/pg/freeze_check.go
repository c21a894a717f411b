package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// FreezePlan is what Freeze would do now.
type FreezePlan struct {
	Database string
	Version  string
	// Changes are all settings of the freeze, those that already stand too.
	Changes []FreezeChange
	// Sessions are the clients that would be ended.
	Sessions []Session
}

// PlanFreeze reads what a freeze would do, and refuses what cannot work, all
// that is wrong at once.
func PlanFreeze(ctx context.Context, dsn secret.DSN, o FreezeOptions) (plan FreezePlan, err error) {
	f, err := openFreezer(ctx, dsn)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, f.conn)) }()
	op := fmt.Sprintf("freeze database %q", f.database)
	plan = FreezePlan{Database: f.database, Version: f.conn.PgConn().ParameterStatus("server_version")}
	if err := f.refuse(ctx, o); err != nil {
		return plan, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	if plan.Changes, err = f.changes(ctx, o); err != nil {
		return plan, fault.Wrap(fault.Failed, op, err, "")
	}
	plan.Sessions, err = f.sessions(ctx, "")
	return plan, fault.Wrap(fault.Failed, op, err, "")
}

// rights are what the connected role may do.
type rights struct {
	role                                        string
	version                                     int
	standby, super, owner, roles, stats, signal bool
	counting                                    bool // of rows, track_counts
	// strangers are the roles that may connect and that the user is no member
	// of (before 9.5, where that is of no avail: all others): without stats it does not see what their sessions do, and without
	// signal it may not end them.
	strangers []string
}

func (f *freezer) rights(ctx context.Context) (r rights, err error) {
	if r.version, err = Version(ctx, f.conn); err != nil {
		return r, err
	}
	if r.version < oldestSource {
		return r, fault.New(fault.Invalid, fmt.Sprintf("server version %s is too old, want %s or later", versionName(r.version), majorName(oldestSource)), "")
	}
	err = f.conn.QueryRow(ctx, fit(f.conn, `
		select current_user, pg_is_in_recovery(), u.rolsuper, pg_has_role(d.datdba, 'usage'), u.rolcreaterole,
			pg_has_role('pg_read_all_stats', 'usage'), --[10+]
			false, --[<10]
			pg_has_role('pg_signal_backend', 'usage'), --[9.6+]
			false, --[<9.6]
			current_setting('track_counts')::boolean,
			array(select r.rolname::text from pg_catalog.pg_roles r where r.rolcanlogin and not r.rolsuper
				and not pg_has_role(r.oid, 'usage') --[9.5+]
				and r.rolname <> current_user --[<9.5]
				and has_database_privilege(r.oid, d.oid, 'connect') order by 1)
		from pg_catalog.pg_database d, pg_catalog.pg_roles u
		where d.datname = current_database() and u.rolname = current_user`)).
		Scan(&r.role, &r.standby, &r.super, &r.owner, &r.roles, &r.stats, &r.signal, &r.counting, &r.strangers)
	if err != nil {
		return r, fmt.Errorf("read rights: %w", err)
	}
	return r, nil
}

// seeing is what gives the user a right over other users' sessions: a
// predefined role; before there was one, membership in the roles that connect;
// before 9.5 nothing.
func (r rights) seeing(predefined string, since int) string {
	switch {
	case r.version >= since:
		return "grant " + predefined + " to " + Quote(r.role)
	case r.version >= firstMembersSee:
		return "grant " + quoteEach(r.strangers) + " to " + Quote(r.role)
	}
	return "connect as a superuser"
}

// firstMembersSee is the first version where members of a role see and end its
// sessions.
const firstMembersSee = 9_05_00

// quoteEach lists names as SQL does.
func quoteEach(names []string) string {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, Quote(name))
	}
	return strings.Join(quoted, ", ")
}

// refuse says everything that would keep a freeze from working.
func (f *freezer) refuse(ctx context.Context, o FreezeOptions) error {
	r, err := f.rights(ctx)
	if err != nil {
		return err
	}
	if r.standby {
		return fault.New(fault.Invalid, "the server is a standby", "give the primary's connection string: the standby follows it")
	}
	role := Quote(r.role)
	var wrong []error
	need := func(ok bool, text, hint string) {
		if !ok && !r.super {
			wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q %s", r.role, text), hint))
		}
	}
	need(r.owner, "does not own the database", fmt.Sprintf("connect as its owner, or: alter database %s owner to %s", Quote(f.database), role))
	foreign := " the sessions of " + quoteEach(r.strangers)
	need(r.stats || len(r.strangers) == 0, "may not see"+foreign, r.seeing("pg_read_all_stats", 10_00_00))
	need(r.signal || len(r.strangers) == 0, "may not end"+foreign, r.seeing("pg_signal_backend", 9_06_00))
	need(!o.Strict, "is no superuser, and would be shut out itself by strict", "connect as a superuser, or leave strict out")
	if !r.counting {
		wrong = append(wrong, fault.New(fault.Invalid, "the server does not count rows (track_counts is off)", "alter system set track_counts = on; select pg_reload_conf()"))
	}
	if !r.super {
		wrong = append(wrong, f.refuseForeign(ctx, r))
	}
	return errors.Join(append(wrong, f.prepared(ctx), f.subscriptions(ctx), f.refusable(ctx, r, o.Refuse))...)
}

// refuseForeign refuses what only a superuser could change or end.
func (f *freezer) refuseForeign(ctx context.Context, r rights) error {
	var wrong []error
	changes, err := f.changes(ctx, FreezeOptions{})
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Role != "" && c.Role != r.role && !c.stands() && !r.roles {
			wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("role %q has %s = off of its own, which user %q may not change", c.Role, readOnlySetting, r.role),
				fmt.Sprintf("as a superuser: alter role %s in database %s set %s = on", Quote(c.Role), Quote(f.database), readOnlySetting)))
		}
	}
	super, err := f.sessions(ctx, " and (select r.rolsuper from pg_catalog.pg_roles r where r.oid = a.usesysid)")
	if err != nil {
		return err
	}
	for _, s := range super {
		wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q may not end the session of the superuser: %s", r.role, s), "close it, or connect as a superuser"))
	}
	return errors.Join(wrong...)
}

// firstSubscriptions is the first version with logical replication of its own.
const firstSubscriptions = 10_00_00

// subscriptions refuses logical replication into the database: its workers
// write whatever the sessions' defaults are.
func (f *freezer) subscriptions(ctx context.Context) error {
	if versionOf(f.conn) < firstSubscriptions {
		return nil
	}
	rows, err := f.conn.Query(ctx, `
		select s.subname from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
		where d.datname = current_database() and s.subenabled order by 1`)
	if err != nil {
		return fmt.Errorf("list subscriptions: %w", err)
	}
	refused, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (error, error) {
		var name string
		err := row.Scan(&name)
		return fault.New(fault.Failed, fmt.Sprintf("subscription %q writes into the database", name), "alter subscription "+Quote(name)+" disable"), err
	})
	return errors.Join(append(refused, err)...)
}
