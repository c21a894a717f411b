package pg

import (
	"context"
	"fmt"
)

// oldPrimary is what is known of the old primary while it answers: its data
// directory, if the user may see it, and whether its settings let pg_rewind
// bring it back ("" is not known).
type oldPrimary struct{ dir, rewinds string }

// readOld reads both. pg_rewind needs every change of a page in the
// write-ahead log, hint bits too.
func (p *promotion) readOld(ctx context.Context) error {
	err := p.primary.QueryRow(ctx, `
		select case when current_setting('full_page_writes') = 'on' and 'on' in (current_setting('data_checksums'), current_setting('wal_log_hints')) then 'yes' else 'no' end`).Scan(&p.old.rewinds)
	if err != nil {
		return fmt.Errorf("read settings of the old primary: %w", err)
	}
	err = p.primary.QueryRow(ctx, "select current_setting('data_directory')").Scan(&p.old.dir)
	if err != nil && sqlState(err) != insufficientPrivilege {
		return fmt.Errorf("read settings of the old primary: %w", err)
	}
	return nil
}

// rewindWrites is the first version whose pg_rewind writes the standby's
// configuration.
const rewindWrites = 13_00_00

// wayBack explains how the old primary becomes a standby of the new one, in
// commands to type on its machine.
func (p *promotion) wayBack() []string {
	dir := p.old.dir
	if dir == "" {
		dir = "OLD_DATA_DIRECTORY"
	}
	lines := []string{"pg_ctl stop -m fast -D " + dir}
	anew := []string{"mv " + dir + " " + dir + ".old", "evac postgres replica --from DSN_OF_THE_NEW_PRIMARY --dir " + dir}
	if p.old.rewinds == "no" {
		return append(append(lines, "# pg_rewind cannot help: it had neither data checksums nor wal_log_hints, or no full_page_writes; copy it anew:"), anew...)
	}
	rewind := "pg_rewind --target-pgdata=" + dir + " --source-server='" + p.Database.WithoutPassword() + "'"
	if p.version >= rewindWrites {
		lines = append(lines, rewind+" --write-recovery-conf")
	} else {
		lines = append(lines, rewind, "# write by hand what makes it a standby: standby.signal and primary_conninfo (before version 12: recovery.conf)")
	}
	lines = append(lines, "pg_ctl start -D "+dir, "# if pg_rewind refuses, since it has no write-ahead log from before the promotion or no wal_log_hints, copy it anew:")
	return append(lines, anew...)
}
