package pg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// target is the session that leads a copy on the target, and what is known of
// that server.
type target struct {
	conn    *pgx.Conn
	dsn     secret.DSN
	version int
	super   bool
	token   string
	// settings are those of every session of the copy on the target.
	settings map[string]string
	// indexMemory is what the server gives one index build by itself, in kB.
	indexMemory int
}

// indexMemory is what each index build gets at least, in kB: its sort runs in
// memory for more tables then.
const indexMemory = 256 << 10

// copyLock is the advisory lock that a copy holds on its target.
const copyLock = 0x65766163 // "evac"

// leftoverBound is how long sessions of a killed copy may take to end.
const leftoverBound = time.Minute

// openTarget connects, ends the sessions that a killed copy with the same
// token has left behind (an index build goes on without its client), and keeps
// other copies out.
func openTarget(ctx context.Context, dsn secret.DSN, token string, settings map[string]string) (*target, error) {
	t := &target{dsn: dsn, token: token, settings: map[string]string{
		"check_function_bodies": "off", "client_min_messages": "warning", "default_transaction_read_only": "off",
		"default_transaction_isolation": "read committed", "default_tablespace": "", "synchronous_commit": "on",
	}}
	maps.Copy(t.settings, settings)
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	t.conn = conn
	if t.version, err = Version(ctx, conn); err == nil {
		err = conn.QueryRow(ctx, `
			select r.rolsuper, s.setting::int from pg_catalog.pg_roles r, pg_catalog.pg_settings s
			where r.rolname = current_user and s.name = 'maintenance_work_mem'`).Scan(&t.super, &t.indexMemory)
	}
	if err == nil {
		err = t.lock(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open target: %w", err), t.close(ctx))
	}
	return t, nil
}

// connect opens a session on the target.
func (t *target) connect(ctx context.Context) (*pgx.Conn, error) {
	return Connect(ctx, t.dsn, ConnOptions{Application: t.application(), Side: Target, Settings: t.settings})
}

// connectWorker opens a session whose commits need not wait for the disk: a
// crash of the target loses a chunk together with its line in the ledger, and
// the copy is not called complete before a commit that does wait.
func (t *target) connectWorker(ctx context.Context) (*pgx.Conn, error) {
	settings := maps.Clone(t.settings)
	settings["synchronous_commit"] = "off"
	if t.indexMemory < indexMemory {
		settings["maintenance_work_mem"] = fmt.Sprintf("%dkB", indexMemory)
	}
	return Connect(ctx, t.dsn, ConnOptions{Application: t.application(), Side: Target, Settings: settings})
}

// computeIn lets all further sessions compute in the users' time zone, if the
// server knows it: a CHECK may compare the day of a moment.
func (t *target) computeIn(ctx context.Context, zone string) error {
	err := setKnown(ctx, t.conn, map[string]string{timeZone: zone}, nil)
	if err == nil {
		err = t.conn.QueryRow(ctx, "select pg_catalog.current_setting($1)", timeZone).Scan(&zone)
	}
	if err != nil {
		return fmt.Errorf("open target: %w", err)
	}
	t.settings[timeZone] = zone
	return nil
}

// application marks the sessions of this copy, so that a later attempt knows
// them. The server cuts it at 63 bytes, so the token stands in it as a digest.
func (t *target) application() string {
	sum := sha256.Sum256([]byte(t.token))
	return applicationName + " " + hex.EncodeToString(sum[:8])
}

func (t *target) close(ctx context.Context) error { return hangUp(ctx, t.conn) }

// lock ends leftovers and takes the lock.
func (t *target) lock(ctx context.Context) error {
	bound := time.After(leftoverBound)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var left int
		err := t.conn.QueryRow(ctx, `
			select count(pg_terminate_backend(pid)) from pg_catalog.pg_stat_activity
			where datname = current_database() and application_name = $1 and pid <> pg_backend_pid()`, t.application()).Scan(&left)
		if err != nil {
			return fmt.Errorf("end sessions of the copy that was cut off: %w", err)
		}
		if left == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-bound:
			return fmt.Errorf("%d sessions of the copy that was cut off have not ended after %s", left, leftoverBound)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var got bool
	if err := t.conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", copyLock).Scan(&got); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if !got {
		return fault.New(fault.Busy, "another copy into this database is running", "see it with: select * from pg_stat_activity where application_name like 'evac copy%'")
	}
	return nil
}

// keptExtensions lists the extensions that stand in the target before a copy.
func (t *target) keptExtensions(ctx context.Context) ([]string, error) {
	kept, err := texts(ctx, t.conn, "select extname::text from pg_catalog.pg_extension order by 1")
	if err != nil {
		return nil, fmt.Errorf("list extensions of target: %w", err)
	}
	return kept, nil
}

// refuseFull refuses a target that holds anything but extensions.
func (t *target) refuseFull(ctx context.Context, kept []string) error {
	things, err := inventory(ctx, t.conn, kept)
	if err != nil || len(things) == 0 {
		return err
	}
	names := make([]string, len(things))
	for i, thing := range things {
		names[i] = thing.String()
	}
	return fault.New(fault.Failed, "target is not empty: "+some(names), "look that from and to are not exchanged; a copy needs an empty database: "+createCommand(t.dsn))
}

// publicUndo gives the statement block that puts the schema public back as it
// is now; none where it is another's, as before 15: then the copy cannot change
// it either.
func (t *target) publicUndo(ctx context.Context) ([]string, error) {
	var owner string
	var own bool
	var rights acl
	var comment *string
	err := t.conn.QueryRow(ctx, `
		select pg_get_userbyid(n.nspowner), pg_has_role(n.nspowner, 'usage'), `+explodeACL("coalesce(n.nspacl, acldefault('n', n.nspowner))")+`, obj_description(n.oid, 'pg_namespace')
		from pg_catalog.pg_namespace n where n.nspname = 'public'`).Scan(&owner, &own, &rights, &comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return []string{"drop schema if exists public"}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read schema \"public\" of target: %w", err)
	}
	if !own {
		return nil, nil
	}
	text := "null"
	if comment != nil {
		text = Literal(*comment)
	}
	sql := []string{"create schema if not exists public", "alter schema public owner to " + Quote(owner)}
	sql = append(sql, revokeAll("schema public", "select nspacl from pg_catalog.pg_namespace where nspname = 'public'"))
	sql = append(sql, rights.grants("schema public", owner)...)
	return []string{strings.Join(append(sql, "comment on schema public is "+text), "; ")}, nil
}
