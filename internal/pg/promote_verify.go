package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// VerifyPromote proves from outside that the database is the primary now: it
// is not in recovery, writes the timeline of the promotion or a later one of
// the same cluster, and takes a write; and that the old one takes none.
func VerifyPromote(ctx context.Context, o PromoteOptions, r PromoteResult) (err error) {
	conn, err := Connect(ctx, o.Database, ConnOptions{Application: promoteApplication, Side: Target})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, conn)) }()
	role, err := roleOf(ctx, conn)
	if err != nil {
		return err
	}
	if role == RoleStandby {
		return fault.New(fault.Failed, fmt.Sprintf("%s is a standby", o.Database), "")
	}
	system, timeline, err := primaryIdentity(ctx, conn)
	if err != nil {
		return err
	}
	if system != r.System || timeline < r.Timeline {
		return fault.New(fault.Failed, fmt.Sprintf("%s has system identifier %s and timeline %d, want %s and %d", o.Database, system, timeline, r.System, r.Timeline), "")
	}
	return errors.Join(takesWrite(ctx, conn), oldRefuses(ctx, o))
}

// takesWrite writes and rolls back. A user without the right to make schemas
// proves it as well, by the reason of the refusal.
func takesWrite(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadWrite})
	if err != nil {
		return fmt.Errorf("write to the new primary: %w", err)
	}
	_, tried := tx.Exec(ctx, "create schema evac_write_probe")
	if err := tx.Rollback(ctx); err != nil {
		return fmt.Errorf("roll the tried write back: %w", err)
	}
	if tried != nil && sqlState(tried) != insufficientPrivilege {
		return fmt.Errorf("write to the new primary: %w", tried)
	}
	return nil
}

// oldRefuses proves that the old primary lets nobody write: it turns clients
// away, has ended, or has become a standby.
func oldRefuses(ctx context.Context, o PromoteOptions) error {
	if o.Fence == FenceNone || o.From.Empty() {
		return nil
	}
	conn, err := Connect(ctx, o.From, ConnOptions{Application: promoteApplication, Side: Source})
	if err != nil {
		if strings.Contains(err.Error(), fenceLibrary) {
			return nil
		}
		return awaitPortsClosed(ctx, o.From)
	}
	role, err := roleOf(ctx, conn)
	if err == nil && role != RoleStandby {
		err = fault.New(fault.Failed, "the old primary takes connections, and is still a primary: there are two", "stop it: pg_ctl stop -m fast")
	}
	return errors.Join(err, hangUp(ctx, conn))
}

// wayBack explains how the old primary becomes a standby of the new one, with
// what can be known from here.
func (p *promotion) wayBack(ctx context.Context) ([]string, error) {
	var checksums, hints, pages string
	err := p.standby.QueryRow(ctx, "select current_setting('data_checksums'), current_setting('wal_log_hints'), current_setting('full_page_writes')").Scan(&checksums, &hints, &pages)
	if err != nil {
		return nil, fmt.Errorf("read settings of the standby: %w", err)
	}
	dir := p.oldDir
	if dir == "" {
		dir = "OLD_DATA_DIRECTORY"
	}
	lines := []string{"pg_ctl stop -m fast -D " + dir}
	if (checksums != "on" && hints != "on") || pages != "on" {
		return append(lines,
			"it must be copied anew: pg_rewind needs full_page_writes = on and either data checksums or wal_log_hints = on, before the promotion",
			"mv "+dir+" "+dir+".old",
			"evac postgres replica --from "+p.Database.String()+" --dir "+dir), nil
	}
	rewind := "pg_rewind --target-pgdata=" + dir + " --source-server='" + strings.TrimSpace(p.Database.WithoutPassword()) + "'"
	if p.version >= rewindWrites {
		rewind += " --write-recovery-conf"
	}
	lines = append(lines, rewind)
	if p.version < rewindWrites {
		lines = append(lines, "write standby.signal and primary_conninfo by hand (before version 12: recovery.conf)")
	}
	return append(lines, "pg_ctl start -D "+dir), nil
}

// rewindWrites is the first version whose pg_rewind writes the standby's
// configuration.
const rewindWrites = 13_00_00
