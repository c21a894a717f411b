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

// VerifyPlan is what Verify would read.
type VerifyPlan struct {
	Source, Target VerifySide
	// Rows are those to compare, as the servers estimate them.
	Rows int64
}

// VerifySide is one side of a VerifyPlan.
type VerifySide struct {
	Version string
	Tables  int
	Bytes   int64
}

// PlanVerify reads what a comparison would, and refuses what cannot be read,
// all at once.
func PlanVerify(ctx context.Context, source, target secret.DSN, o VerifyOptions) (plan VerifyPlan, err error) {
	meant, err := o.Select.Filter()
	if err != nil {
		return plan, err
	}
	var sides [2]*reading
	defer func() { err = errors.Join(err, sides[0].close(ctx), sides[1].close(ctx)) }()
	var wrong error
	var rows [2]int64
	for i, side := range []struct {
		dsn  secret.DSN
		side Side
		plan *VerifySide
	}{{source, Source, &plan.Source}, {target, Target, &plan.Target}} {
		r, err := openReading(ctx, side.dsn, side.side)
		if err != nil {
			wrong = errors.Join(wrong, err)
			continue
		}
		sides[i] = r
		wrong = errors.Join(wrong, r.readable(ctx, meant))
		tables, err := r.tables(ctx, meant, false)
		wrong = errors.Join(wrong, err)
		side.plan.Version, side.plan.Tables = r.conn.PgConn().ParameterStatus("server_version"), len(tables)
		for _, t := range tables {
			side.plan.Bytes += t.bytes
			rows[i] += t.rows
		}
	}
	if sides[0] != nil && sides[1] != nil {
		wrong = errors.Join(wrong, refuseSame(ctx, sides[0], sides[1]))
	}
	plan.Rows = max(rows[0], rows[1])
	return plan, wrong
}

// namedAtMost bounds how many names an error lists.
const namedAtMost = 5

// readable refuses tables, sequences and large objects that are meant and that
// the user may not read, and rows that row security would hide.
func (r *reading) readable(ctx context.Context, meant Filter) error {
	if r.roach != nil {
		return nil // it says so when it reads
	}
	rows, err := r.conn.Query(ctx, fmt.Sprintf(fit(r.conn, `
		select format('%%I.%%I', n.nspname, c.relname), current_user::text
		from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'm', 'S') and c.relpersistence <> 't' and n.nspname not in ('information_schema', 'evac_ledger') and n.nspname !~ '^pg_'
			and (not has_schema_privilege(n.oid, 'usage') or not has_table_privilege(c.oid, 'select')
				or c.relrowsecurity and row_security_active(c.oid) --[9.5+]
			) and %s
		union all
		select 'large object ' || m.oid, current_user::text from pg_catalog.pg_largeobject_metadata m
		where %t and not pg_has_role(m.lomowner, 'usage') and not exists (
			select from aclexplode(m.lomacl) x where x.privilege_type = 'SELECT' and (x.grantee = 0 or pg_has_role(x.grantee, 'usage')))
		order by 1`), meant.SQL("n.nspname", "c.relname"), meant.Outside()))
	if err != nil {
		return fmt.Errorf("read rights on %s: %w", r.side, err)
	}
	var user string
	names, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (name string, err error) {
		return name, row.Scan(&name, &user)
	})
	switch {
	case err != nil:
		return fmt.Errorf("read rights on %s: %w", r.side, err)
	case len(names) == 0:
		return nil
	}
	list := strings.Join(names[:min(len(names), namedAtMost)], ", ")
	if more := len(names) - namedAtMost; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fault.New(fault.Denied, fmt.Sprintf("%s: user %q may not read all of %s", r.side, user, list),
		"connect as the owner or a superuser, or: grant pg_read_all_data to "+Quote(user))
}
