package pg

import (
	"context"
	"fmt"

	"github.com/evac-io/evac/internal/fault"
)

// surroundings warns of what around the database will not be the same.
func (p *preflight) surroundings(ctx context.Context) error {
	missing, err := missingTablespaces(ctx, p.source.conn, p.target.conn)
	if err == nil && len(missing) > 0 {
		p.warn("the target lacks tablespaces: everything of %s goes to the default one", some(missing))
	}
	return err
}

// longTransaction is from when on an open transaction is named.
const longTransaction = "5 minutes"

// activity warns of transactions that are open for long: what they write is
// not in the copy, and replication cannot begin before they have ended.
func (p *preflight) activity(ctx context.Context) error {
	prepared, err := p.source.texts(ctx, "prepared transactions", `
		select format('%s of %s since %s', quote_literal(gid), owner, to_char(prepared, 'YYYY-MM-DD HH24:MI')) from pg_catalog.pg_prepared_xacts where database = current_database() order by prepared`)
	if err != nil {
		return err
	}
	long, err := p.source.texts(ctx, "transactions", fmt.Sprintf(`
		select format('process %%s of %%s, application %%s, since %%s', pid, usename, quote_literal(application_name), to_char(xact_start, 'YYYY-MM-DD HH24:MI:SS')) from pg_catalog.pg_stat_activity
		where datname = current_database() and pid <> pg_backend_pid() and xact_start < now() - interval '%s' order by xact_start`, longTransaction))
	if err != nil {
		return err
	}
	if len(long) > 0 {
		p.warn("transactions are open on the source for longer than %s: %s; what they write is not in a copy that begins now, and a replication slot waits for their end", longTransaction, some(long))
	}
	if p.follow {
		return refused(fault.Failed, prepared, "prepared transactions on the source, for whose end a replication slot would wait: %s", "commit prepared 'NAME', or rollback prepared 'NAME'")
	}
	if len(prepared) > 0 {
		p.warn("prepared transactions on the source: %s; what they wrote is not in a copy, and a freeze refuses them (commit prepared 'NAME', or rollback prepared 'NAME')", some(prepared))
	}
	return nil
}

// libraries refuses C functions whose library the target cannot load. Only a
// superuser may try, and only one may make them.
func (p *preflight) libraries(ctx context.Context) error {
	if !p.target.super {
		return nil
	}
	used, err := p.source.texts(ctx, "libraries", "select distinct p.probin from pg_catalog.pg_proc p where p.probin is not null and "+ours("pg_proc", "p.oid")+" order by 1")
	if err != nil {
		return err
	}
	var missing []string
	for _, library := range used {
		err := run(ctx, p.target.conn, "load "+Literal(library))
		if err != nil && code(err) == "" { // not the server's answer: the session is lost
			return fmt.Errorf("load library %q on target: %w", library, err)
		}
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s (%s)", library, reasonOf(err)))
		}
	}
	return refused(fault.Failed, missing, "the target's host lacks libraries of functions written in C: %s", "build and install them for the target's version, or drop their functions on the source")
}
