package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// behaving are settings by which the same statement does something else.
func behaving() []string {
	return []string{
		"array_nulls", "backslash_quote", "bytea_output", "client_encoding", "DateStyle", "default_text_search_config", "default_toast_compression",
		"default_transaction_deferrable", "default_transaction_isolation", "default_transaction_read_only", "extra_float_digits", "idle_in_transaction_session_timeout",
		"idle_session_timeout", "IntervalStyle", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "lo_compat_privileges", "lock_timeout", "row_security",
		"search_path", "session_preload_libraries", "session_replication_role", "shared_preload_libraries", "standard_conforming_strings", "statement_timeout",
		"TimeZone", "timezone_abbreviations", "transaction_timeout", "transform_null_equals", "xmlbinary", "xmloption",
	}
}

// sizing are settings by which it does it faster, slower, or not at all.
func sizing() []string {
	return []string{
		"autovacuum", "autovacuum_max_workers", "autovacuum_naptime", "autovacuum_vacuum_cost_limit", "autovacuum_vacuum_scale_factor", "checkpoint_timeout",
		"default_statistics_target", "effective_cache_size", "effective_io_concurrency", "from_collapse_limit", "fsync", "full_page_writes", "geqo", "hash_mem_multiplier",
		"huge_pages", "jit", "join_collapse_limit", "maintenance_work_mem", "max_connections", "max_locks_per_transaction", "max_parallel_workers",
		"max_parallel_workers_per_gather", "max_prepared_transactions", "max_wal_size", "max_worker_processes", "plan_cache_mode", "random_page_cost", "seq_page_cost",
		"shared_buffers", "synchronous_commit", "synchronous_standby_names", "temp_buffers", "temp_file_limit", "track_activity_query_size", "wal_level", "work_mem",
	}
}

// setting is a server's setting without those of databases, roles and sessions.
type setting struct{ name, value, unit, boot string }

// settings warns of settings of the server that somebody chose, on either
// side, and that differ. What is set for the database or a role comes along.
func (p *preflight) settings(ctx context.Context) error {
	if p.together {
		return nil
	}
	here, err := p.source.settings(ctx)
	if err != nil {
		return err
	}
	there, err := p.target.settings(ctx)
	if err != nil {
		return err
	}
	for _, group := range []struct {
		names []string
		text  string
	}{
		{behaving(), "statements may behave differently, for settings of the servers differ: %s"},
		{sizing(), "the servers are set up differently: %s"},
	} {
		if differ := differing(group.names, here, there); len(differ) > 0 {
			p.warn(group.text, strings.Join(differ, ", "))
		}
	}
	return nil
}

func differing(names []string, here, there map[string]setting) []string {
	var differ []string
	for _, name := range names {
		a, known := here[name]
		b, also := there[name]
		if known && also && a.value != b.value && (a.value != a.boot || b.value != b.boot || a.unit != b.unit) {
			differ = append(differ, fmt.Sprintf("%s (source %s, target %s)", name, a, b))
		}
	}
	return differ
}

// settings reads what the server's files and command line say. Settings that
// a login changes for the database or the role of this session are left out.
func (s *place) settings(ctx context.Context) (map[string]setting, error) {
	rows, err := s.conn.Query(ctx, `
		select name, reset_val, coalesce(unit, ''), coalesce(boot_val, '') from pg_catalog.pg_settings
		where name = any($1::text[]) and reset_val is not null and not exists (
			select from pg_catalog.pg_db_role_setting r cross join lateral unnest(r.setconfig) c
			where lower(split_part(c, '=', 1)) = lower(name) and r.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
				and r.setrole in (0, (select oid from pg_catalog.pg_roles where rolname = current_user)))`, slices.Concat(behaving(), sizing()))
	if err != nil {
		return nil, fmt.Errorf("read settings of %s: %w", s.side, err)
	}
	settings := map[string]setting{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v setting, err error) {
		err = row.Scan(&v.name, &v.value, &v.unit, &v.boot)
		settings[v.name] = v
		return v, err
	})
	if err != nil {
		return nil, fmt.Errorf("read settings of %s: %w", s.side, err)
	}
	return settings, nil
}

// String writes a value with its unit: 16384 of 8kB is "128 MiB".
func (v setting) String() string {
	n, err := strconv.ParseInt(v.value, 10, 64)
	if err != nil || v.unit == "" || n <= 0 {
		return strconv.Quote(v.value)
	}
	if size, is := map[string]uint64{"B": 1, "kB": 1 << 10, "8kB": 8 << 10, "MB": 1 << 20, "16MB": 16 << 20}[v.unit]; is {
		return humanize.IBytes(uint64(n) * size)
	}
	unit := v.unit
	if unit == "min" {
		unit = "m"
	}
	if d, err := time.ParseDuration(v.value + unit); err == nil {
		return d.String()
	}
	return v.value + " " + v.unit
}

// removedSettings refuses functions, and warns of the database and roles, that
// set what the target does not know.
func (p *preflight) removedSettings(ctx context.Context) error {
	unknown := func(query string) ([]string, error) {
		return p.missing(ctx, query, "settings", `select u from unnest($1::text[]) u
			where split_part(u, ': ', 2) like '%.%' or lower(split_part(u, ': ', 2)) in ('force_parallel_mode', 'ssl_ecdh_curve') -- old names that servers take
			or lower(split_part(u, ': ', 2)) in (select lower(name) from pg_catalog.pg_settings)`)
	}
	functions, err := unknown(`select p.oid::regprocedure || ': ' || split_part(c, '=', 1) from pg_catalog.pg_proc p cross join lateral unnest(p.proconfig) c where ` + ours("pg_proc", "p.oid"))
	if err != nil {
		return err
	}
	roles, err := unknown(`select coalesce('role ' || r.rolname, 'database') || ': ' || split_part(c, '=', 1) from pg_catalog.pg_db_role_setting s
		cross join lateral unnest(s.setconfig) c left join pg_catalog.pg_roles r on r.oid = s.setrole
		where s.setdatabase = (select oid from pg_catalog.pg_database where datname = current_database())`)
	if len(roles) > 0 {
		p.warn("settings that the target does not know are left out: %s", some(roles))
	}
	return errors.Join(err, refused(fault.Failed, functions, "functions set what the target does not know: %s", "on the source: alter function NAME reset SETTING"))
}
