package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files of a data directory.
const (
	autoConf     = "postgresql.auto.conf"
	mainConf     = "postgresql.conf"
	hbaConf      = "pg_hba.conf"
	identConf    = "pg_ident.conf"
	signalFile   = "standby.signal" // from version 12 on
	recoveryConf = "recovery.conf"  // before
	passFile     = "evac-replica.pgpass"
	replicaLog   = "evac-replica.log"
)

// configure writes what makes the copied files a standby of the primary. The
// password stands in a file of its own that only the server's account reads.
func (r *replica) configure(ctx context.Context) error {
	settings, err := r.settings(ctx)
	if err != nil {
		return err
	}
	follow := map[string]string{
		"primary_conninfo": r.conninfo(), "primary_slot_name": r.Slot,
		"recovery_min_apply_delay": fmt.Sprintf("%dms", r.Delay.Milliseconds()), "recovery_target_timeline": "latest",
	}
	if r.version < sqlPromote {
		follow["standby_mode"] = "on"
		err = r.write(recoveryConf, os.O_TRUNC, lines(follow))
	} else {
		maps.Copy(settings, follow)
		err = r.write(signalFile, os.O_TRUNC, "")
	}
	if err != nil {
		return err
	}
	if pw := r.login.Password; pw != "" {
		if err := r.write(passFile, os.O_TRUNC, "*:*:*:*:"+strings.NewReplacer(`\`, `\\`, `:`, `\:`).Replace(pw)+"\n"); err != nil {
			return err
		}
	}
	if err := r.outside(ctx); err != nil {
		return err
	}
	return r.write(autoConf, os.O_APPEND, "\n# the replica's own, by evac\n"+lines(settings))
}

// settings are the server settings of the replica: those that a standby must
// have at least as large as its primary, its port, and the operator's.
func (r *replica) settings(ctx context.Context) (map[string]string, error) {
	settings, err := r.read(ctx, `name in ('max_connections', 'max_prepared_transactions', 'max_locks_per_transaction', 'max_worker_processes', 'max_wal_senders')`)
	if err != nil {
		return nil, err
	}
	settings["hot_standby"] = "on"
	settings["port"] = fmt.Sprint(r.Port)
	maps.Copy(settings, r.Settings)
	return settings, nil
}

// read reads settings that the primary runs with.
func (r *replica) read(ctx context.Context, condition string) (map[string]string, error) {
	rows, err := r.primary.Query(ctx, "select name, current_setting(name) from pg_catalog.pg_settings where "+condition)
	if err != nil {
		return nil, fmt.Errorf("read settings of the primary: %w", err)
	}
	defer rows.Close()
	settings := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read settings of the primary: %w", err)
		}
		settings[name] = value
	}
	return settings, rows.Err()
}

// conninfo is how the replica reaches the primary: as evac does, with the
// password in a file.
func (r *replica) conninfo() string {
	more := map[string]string{"application_name": r.Slot}
	if r.login.Password != "" {
		more["passfile"] = filepath.Join(r.Local.Dir, passFile)
	}
	text := r.From.WithoutPassword()
	if u, err := url.Parse(text); err == nil && u.Scheme != "" {
		q := u.Query()
		for name, value := range more {
			q.Set(name, value)
		}
		u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // libpq knows no + for a blank
		return u.String()
	}
	for _, name := range slices.Sorted(maps.Keys(more)) { // the last of a name counts
		text += " " + name + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(more[name]) + "'"
	}
	return text
}

// outside writes the files that some systems keep outside the data directory,
// so that no backup brings them: the settings that the primary runs with, and
// rules that let this machine alone in.
func (r *replica) outside(ctx context.Context) error {
	if there, err := exists(filepath.Join(r.Local.Dir, mainConf)); there || err != nil {
		return err
	}
	settings, err := r.read(ctx, `source in ('configuration file', 'command line') and context <> 'internal'
		and name !~ '(_file|_directory|_directories|_command|_library|^port|^cluster_name|^config_file)$' and name not like 'recovery_%' and name not like 'primary_%'`)
	if err != nil {
		return err
	}
	hba := "local all all peer\nhost all all 127.0.0.1/32 " + hbaMethod(settings) + "\nhost all all ::1/128 " + hbaMethod(settings) + "\n"
	return errors.Join(r.write(mainConf, os.O_TRUNC, lines(settings)), r.write(hbaConf, os.O_TRUNC, hba), r.write(identConf, os.O_TRUNC, ""))
}

// hbaMethod fits how the primary keeps passwords.
func hbaMethod(settings map[string]string) string {
	if settings["password_encryption"] == "scram-sha-256" {
		return "scram-sha-256"
	}
	return "md5" // takes scram passwords too
}

// write writes a file that only the server's account may read.
func (r *replica) write(name string, flag int, text string) (err error) {
	path := filepath.Join(r.Local.Dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteString(text)
	return errors.Join(err, r.account.own(path))
}

// lines writes settings as a configuration file has them, in which backslash
// and quote are escaped.
func lines(settings map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `''`)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, escape.Replace(settings[name]))
	}
	return b.String()
}
