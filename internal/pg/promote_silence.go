package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// silenceLimit bounds how long a fenced primary may take to fall silent.
const silenceLimit = time.Minute

// silence ends every session of the old primary, replication left out, again
// and again until for as long as Settle none was there and no transaction that
// writes began or was under way.
func (p *promotion) silence(ctx context.Context) error {
	var last int64
	since, bound := time.Now(), time.After(silenceLimit)
	for {
		var xmin, xmax int64
		var who []string
		err := p.primary.QueryRow(ctx, `
			select txid_snapshot_xmin(s.now), txid_snapshot_xmax(s.now), coalesce((
				select array_agg(format('user "%s" of database "%s", %s', a.usename, a.datname, a.backend_type) order by a.pid) from (
					select *, case when backend_type = 'client backend' then pg_terminate_backend(pid) end as told
					from pg_catalog.pg_stat_activity
					where pid <> pg_backend_pid() and (backend_type = 'client backend' or backend_xid is not null) offset 0) a), '{}')
			from (select txid_current_snapshot() as now offset 0) s`).Scan(&xmin, &xmax, &who)
		if err != nil {
			return fmt.Errorf("end sessions of the old primary: %w", err)
		}
		if len(who) > 0 || xmax != last || xmin != xmax {
			since, last = time.Now(), xmax
		} else if time.Since(since) >= p.Settle {
			return nil
		}
		select {
		case <-bound:
			return fault.New(fault.Failed, fmt.Sprintf("the old primary is still written after %s, by one of: %s", silenceLimit, strings.Join(who, "; ")),
				"stop what writes (a subscription, a scheduler in the server), and try again")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(sessionsPause):
		}
	}
}

// refusesLogins proves that a client that comes now is turned away.
func refusesLogins(ctx context.Context, dsn secret.DSN) error {
	conn, err := Connect(ctx, dsn, ConnOptions{Application: promoteApplication, Side: Source})
	if err == nil {
		return errors.Join(fault.New(fault.Failed, "the old primary lets clients in", "its database or its user has session_preload_libraries of its own: alter database … reset session_preload_libraries"), hangUp(ctx, conn))
	}
	if strings.Contains(err.Error(), fenceLibrary) {
		return nil
	}
	return fmt.Errorf("prove that the old primary turns clients away: %w", err)
}
