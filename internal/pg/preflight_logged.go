package pg

import (
	"context"
	"fmt"
	"strings"
)

// secretsQuery names what of a source may hold secrets and travels in
// statements, as far as the user may read it.
const secretsQuery = `
	select k.kind from (
		select 'password hashes of roles' as kind, case when has_table_privilege('pg_catalog.pg_authid', 'select') then 1 else 0 end as there
		union all select 'options of foreign servers', (select count(*) from pg_catalog.pg_foreign_server where srvoptions is not null)
		union all select 'user mappings', (select count(*) from pg_catalog.pg_user_mappings where umoptions is not null)
		union all select 'subscriptions', (select count(*) from pg_catalog.pg_roles where rolsuper and rolname = current_user and exists (select from pg_catalog.pg_subscription)) --[10+]
		union all select 'settings of applications', (select count(*) from pg_catalog.pg_db_role_setting, unnest(setconfig) c where split_part(c, '=', 1) like '%.%')
	) k where k.there > 0`

// logged warns of secrets that the target's server may write into its own log:
// only a superuser keeps statements out of it.
func (p *preflight) logged(ctx context.Context) error {
	if p.target.super {
		return nil
	}
	var all, failed bool
	err := p.target.conn.QueryRow(ctx, `
		select current_setting('log_statement') <> 'none' or current_setting('log_min_duration_statement') <> '-1',
			current_setting('log_min_error_statement') not in ('fatal', 'panic')`).Scan(&all, &failed)
	if err != nil {
		return fmt.Errorf("ask what the target's server logs: %w", err)
	}
	secrets, err := p.source.texts(ctx, "what may hold secrets", fit(p.source.conn, secretsQuery))
	if err != nil || len(secrets) == 0 || !all && !failed {
		return err
	}
	which := "statements that fail"
	if all {
		which = "statements"
	}
	p.warn("the target's server writes %s into its log, and some may hold secrets (%s); to keep them out, as a superuser: "+
		"alter role %[3]s in database %[4]s set log_statement = 'none'; alter role %[3]s in database %[4]s set log_min_duration_statement = -1; "+
		"alter role %[3]s in database %[4]s set log_min_error_statement = 'panic'",
		which, strings.Join(secrets, ", "), Quote(p.target.user), Quote(p.target.database))
	return nil
}
