package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// PromotePlan is what Promote would find now.
type PromotePlan struct {
	Version  string
	System   string
	Timeline int64
	// Received and Replayed are positions of the standby, LastCommit the newest
	// that it has replayed, Delay by how much it holds back.
	Received, Replayed string
	LastCommit         time.Time
	Delay              time.Duration
	// Primary is the position of the old primary and Behind by how many bytes
	// the standby is behind; Silent says why the old primary does not answer.
	Primary string
	Behind  int64
	Silent  error
	// Sessions counts the clients of the old primary, Standbys names the others
	// that follow it.
	Sessions int64
	Standbys []string
	// WayBack explains how the old primary becomes a standby of the new one.
	WayBack  []string
	Warnings []string
}

// PlanPromote reads what a promotion would find, and refuses what cannot work,
// all that is wrong at once. A promotion that is under way is not refused.
func PlanPromote(ctx context.Context, o PromoteOptions) (plan PromotePlan, err error) {
	p := &promotion{PromoteOptions: o}
	defer func() { err = errors.Join(err, p.close(ctx)) }()
	err = p.openStandby(ctx)
	if err != nil && o.State.Restarting != 0 {
		return plan, nil // a call that was cut off left it down; Promote starts it
	}
	if err := errors.Join(err, p.openOld(ctx)); err != nil {
		return plan, err
	}
	plan.Version, plan.Silent = p.standby.PgConn().ParameterStatus("server_version"), p.silent
	role, err := roleOf(ctx, p.standby)
	if err != nil {
		return plan, err
	}
	if role != RoleStandby && o.State.Reached != nil {
		return plan, nil
	}
	op := fmt.Sprintf("promote %s", o.Database)
	if err := p.refuse(ctx); err != nil {
		return plan, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	err = errors.Join(p.seeStandby(ctx, &plan), p.seePrimary(ctx, &plan))
	return plan, fault.Wrap(fault.Failed, op, err, "")
}

func (p *promotion) seeStandby(ctx context.Context, plan *PromotePlan) (err error) {
	if plan.System, plan.Timeline, err = identity(ctx, p.standby); err != nil {
		return err
	}
	s, err := replayed(ctx, p.standby, "")
	if err != nil {
		return err
	}
	plan.Received, plan.Replayed, plan.LastCommit = s.received, s.replayed, s.lastCommit
	if plan.Delay, err = p.delay(ctx); err != nil {
		return err
	}
	plan.WayBack = p.wayBack()
	var synchronous string
	var readOnly bool
	err = p.standby.QueryRow(ctx, `
		select current_setting('synchronous_standby_names'), exists (select from pg_catalog.pg_db_role_setting s join pg_catalog.pg_database d on d.oid = s.setdatabase
			where d.datname = current_database() and s.setrole = 0 and s.setconfig && '{default_transaction_read_only=on,default_transaction_read_only=true}')`).Scan(&synchronous, &readOnly)
	if err != nil {
		return fmt.Errorf("read settings of the standby: %w", err)
	}
	if readOnly {
		plan.Warnings = append(plan.Warnings, "the database is frozen (default_transaction_read_only = on), and will be so on the new primary: undo the freeze before, or afterwards alter database … reset default_transaction_read_only")
	}
	if synchronous != "" {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("the standby has synchronous_standby_names = %s: once it is the primary, every commit waits for such a standby", Literal(synchronous)))
	}
	return nil
}

func (p *promotion) seePrimary(ctx context.Context, plan *PromotePlan) error {
	if p.primary == nil {
		return nil
	}
	err := p.primary.QueryRow(ctx, `
		select pg_current_wal_lsn()::text, greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), $1::text::pg_lsn), 0)::bigint,
			(select count(*) from pg_catalog.pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid())`, plan.Replayed).
		Scan(&plan.Primary, &plan.Behind, &plan.Sessions)
	if err != nil {
		return fmt.Errorf("read how far the old primary is: %w", err)
	}
	rows, err := p.primary.Query(ctx, `
		select format('%s at %s', coalesce(nullif(application_name, ''), 'unnamed'), coalesce(host(client_addr), 'local')) from pg_catalog.pg_stat_replication order by 1`)
	if err != nil {
		return fmt.Errorf("list the standbys of the old primary: %w", err)
	}
	plan.Standbys, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list the standbys of the old primary: %w", err)
	}
	return nil
}

// delay is how long the standby holds commits back.
func (p *promotion) delay(ctx context.Context) (time.Duration, error) {
	if p.version < sqlPromote {
		return 0, nil // it stands in a file that SQL does not show
	}
	var ms int64
	err := p.standby.QueryRow(ctx, "select setting::bigint from pg_catalog.pg_settings where name = 'recovery_min_apply_delay'").Scan(&ms)
	if err != nil {
		return 0, fmt.Errorf("read the standby's delay: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// firstPromoted is the first version whose standbys are promoted.
const firstPromoted = 10_00_00

// refuse says everything that keeps the promotion from working.
func (p *promotion) refuse(ctx context.Context) error {
	if p.version < firstPromoted {
		return fault.New(fault.Invalid, fmt.Sprintf("server version %s is too old, want %s or later", versionName(p.version), majorName(firstPromoted)), "")
	}
	role, err := roleOf(ctx, p.standby)
	if err != nil {
		return err
	}
	if role != RoleStandby {
		return fault.New(fault.Invalid, "it is a primary already, no standby", "give the connection string of the standby; a database that follows by postgres_follow takes over by postgres_switch")
	}
	return errors.Join(p.refuseFields(), p.refuseStandby(ctx), p.refusePrimary(ctx))
}

func (p *promotion) refuseFields() error {
	var wrong []error
	invalid := func(is bool, text, hint string) {
		if is {
			wrong = append(wrong, fault.New(fault.Invalid, text, hint))
		}
	}
	invalid(p.Fence == FenceCommand && p.Command == "", `fence = "command" needs the command`, `fence_command = "ssh old-host systemctl stop postgresql"`)
	invalid(p.Fence == FenceConnections && p.From.Empty(), `fence = "connections" needs the old primary`, "give its connection string (from)")
	local := p.Local.Dir != "" || p.Local.Restart != ""
	invalid(!p.StopAt.Zero() && !local, "a stop point needs the standby to be restarted", "give its data directory on this machine (dir), or a command (restart)")
	invalid(!p.StopAt.Zero() && p.version < sqlPromote, "a stop point needs version 12 or later", "")
	invalid(p.version < sqlPromote && p.Local.Dir == "", "before version 12 only pg_ctl promotes", "run evac on the standby's host, and give its data directory (dir)")
	return errors.Join(wrong...)
}

// refuseStandby looks at the standby's state and at what the user may do there.
func (p *promotion) refuseStandby(ctx context.Context) error {
	var wrong []error
	s, err := replayed(ctx, p.standby, "")
	if err != nil {
		return err
	}
	delay, err := p.delay(ctx)
	if err != nil {
		return err
	}
	if p.StopAt.Zero() {
		if delay > 0 {
			wrong = append(wrong, fault.New(fault.Failed, fmt.Sprintf("the standby is held back by %s", delay),
				`say where to stop (stop_at), or let it catch up first: alter system set recovery_min_apply_delay = 0; select pg_reload_conf()`))
		}
		if s.paused {
			wrong = append(wrong, fault.New(fault.Failed, "replay on the standby is paused", "select pg_wal_replay_resume()"))
		}
	} else {
		wrong = append(wrong, p.notPast(s))
	}
	return errors.Join(append(wrong, p.refuseRights(ctx))...)
}

func (p *promotion) refuseRights(ctx context.Context) error {
	if p.version < sqlPromote {
		return nil // pg_ctl asks nobody
	}
	var user string
	var super, may bool
	err := p.standby.QueryRow(ctx, `
		select current_user, rolsuper, has_function_privilege('pg_promote(boolean, integer)', 'execute')
		from pg_catalog.pg_roles where rolname = current_user`).Scan(&user, &super, &may)
	if err != nil {
		return fmt.Errorf("read rights: %w", err)
	}
	var wrong []error
	if !may {
		wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q may not promote", user), "on the primary: grant execute on function pg_promote to "+Quote(user)))
	}
	if !p.StopAt.Zero() && !super {
		wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q is no superuser, and may not set a stop point", user), "connect as a superuser"))
	}
	return errors.Join(wrong...)
}

// refusePrimary looks whether the old primary is one, of the same cluster, and
// can be fenced as asked.
func (p *promotion) refusePrimary(ctx context.Context) error {
	if p.primary == nil {
		if p.Fence == FenceConnections {
			return fault.Wrap(fault.Failed, "the old primary does not answer, and cannot be told to turn clients away", p.silent,
				`it may come back: stop it for good by a command (fence = "command", fence_command = …), or say fence = "none"`)
		}
		return nil
	}
	var wrong []error
	system, _, err := identity(ctx, p.primary)
	if err != nil {
		return err
	}
	own, _, err := identity(ctx, p.standby)
	if err != nil {
		return err
	}
	if system != own {
		wrong = append(wrong, fault.New(fault.Invalid, fmt.Sprintf("the old primary is of another cluster: its system identifier is %s, the standby's %s", system, own), "check both connection strings"))
	}
	role, err := roleOf(ctx, p.primary)
	if err != nil {
		return err
	}
	if role == RoleStandby {
		wrong = append(wrong, fault.New(fault.Invalid, "the old primary is a standby itself", "give the connection string of the primary (from)"))
	}
	if p.Fence == FenceConnections {
		wrong = append(wrong, p.refuseFence(ctx))
	}
	return errors.Join(wrong...)
}

// refuseFence looks for what could get past a fence of connections.
func (p *promotion) refuseFence(ctx context.Context) error {
	var user string
	var super bool
	var own, subscriptions []string
	err := p.primary.QueryRow(ctx, `
		select current_user, rolsuper,
			(select coalesce(array_agg(subname::text order by 1), '{}') from pg_catalog.pg_subscription where subenabled and rolsuper),
			(select coalesce(array_agg(concat_ws(' in ', 'role ' || nullif(s.setrole, 0)::regrole, 'database ' || d.datname) order by 1), '{}')
				from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_database d on d.oid = s.setdatabase
				where exists (select from unnest(s.setconfig) v where v like $1 || '=%'))
		from pg_catalog.pg_roles where rolname = current_user`, fenceSetting).Scan(&user, &super, &subscriptions, &own)
	if err != nil {
		return fmt.Errorf("read rights on the old primary: %w", err)
	}
	var wrong []error
	if !super {
		wrong = append(wrong, fault.New(fault.Denied, fmt.Sprintf("user %q is no superuser of the old primary, and cannot turn everybody away", user),
			`connect as a superuser, or stop it by a command (fence = "command", fence_command = …)`))
	}
	for _, name := range subscriptions {
		wrong = append(wrong, fault.New(fault.Failed, fmt.Sprintf("subscription %q writes into the old primary", name), "alter subscription "+Quote(name)+" disable"))
	}
	for _, whose := range own {
		wrong = append(wrong, fault.New(fault.Failed, fmt.Sprintf("the %s has %s of its own, and would get past the fence", whose, fenceSetting), "reset it, or fence by a command"))
	}
	return errors.Join(wrong...)
}
