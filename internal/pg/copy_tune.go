package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// Tuning keeps account of settings that a copy changes for its time, so that
// they are put back also after a kill.
type Tuning struct {
	// Wanted tells whether to tune at all.
	Wanted bool
	// Change notes a setting before it is changed, Restored after the old value
	// stands again; both return when that is safe on disk.
	Change   func(context.Context, ServerChange) error
	Restored func(ctx context.Context, name string) error
	// Changed are those that stand changed from an earlier call.
	Changed []ServerChange
}

// tuned are the settings that a load wants: few checkpoints, for each writes
// all pages anew, and nobody who looks at tables that are only half there.
func tuned() []ServerChange {
	return []ServerChange{
		{Setting: "autovacuum", New: "off"},
		{Setting: "checkpoint_timeout", New: "1h"},
		{Setting: "max_wal_size", New: "16GB"},
	}
}

// tune changes the server's settings. Who may not is only warned: a managed
// server's settings are changed in its provider's parameter group.
func (c *copier) tune(ctx context.Context) error {
	if !c.Tuning.Wanted {
		return nil
	}
	may, err := c.target.mayTune(ctx)
	if err != nil {
		return err
	}
	if !may {
		return noteWarning(ctx, c.target.conn, "the target's server was not tuned for the load: ALTER SYSTEM is not allowed; set in its parameter group: autovacuum = off, checkpoint_timeout = 1h, max_wal_size = 16GB")
	}
	for _, s := range tuned() {
		if slices.ContainsFunc(c.Tuning.Changed, func(was ServerChange) bool { return was.Setting == s.Setting }) {
			continue // an earlier call was cut off; what stands now is not what was
		}
		if s.Old, err = systemSetting(ctx, c.target.conn, s); err != nil {
			return err
		}
		if err := c.Tuning.Change(ctx, s); err != nil {
			return fmt.Errorf("note %s: %w", s, err)
		}
		c.Tuning.Changed = append(c.Tuning.Changed, s)
	}
	return alterServer(ctx, c.target.conn, c.Tuning.Changed, func(s ServerChange) string { return s.New })
}

// mayTune asks whether the session may change the server's settings.
func (t *target) mayTune(ctx context.Context) (may bool, err error) {
	if t.super {
		return true, nil
	}
	err = t.conn.QueryRow(ctx, fit(t.conn, `
		select false --[<15]
		select bool_and(pg_catalog.has_parameter_privilege(name, 'ALTER SYSTEM')) --[15+]
			and pg_catalog.has_function_privilege('pg_catalog.pg_reload_conf()', 'execute') --[15+]
		from (values ('autovacuum'), ('checkpoint_timeout'), ('max_wal_size')) s(name) --[15+]
		`)).Scan(&may)
	if err != nil {
		return false, fmt.Errorf("ask for the right to tune the target's server: %w", err)
	}
	return may, nil
}

// untune puts the settings back that a copy, or an earlier call of it, changed.
func untune(ctx context.Context, conn *pgx.Conn, t *Tuning) error {
	if len(t.Changed) == 0 {
		return nil
	}
	if err := alterServer(ctx, conn, t.Changed, func(s ServerChange) string { return s.Old }); err != nil {
		return err
	}
	for len(t.Changed) > 0 {
		if err := t.Restored(ctx, t.Changed[0].Setting); err != nil {
			return fmt.Errorf("note that %s stands as before: %w", t.Changed[0], err)
		}
		t.Changed = t.Changed[1:]
	}
	return nil
}

// untuneAfter puts the settings back after a failure, whatever has become of
// the session that made the copy.
func untuneAfter(ctx context.Context, dsn secret.DSN, t *Tuning) error {
	if len(t.Changed) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), untuneLimit)
	defer cancel()
	conn, err := Connect(ctx, dsn, ConnOptions{Application: applicationName, Side: Target})
	if err != nil {
		return fmt.Errorf("put the target's settings back: %w", err)
	}
	return errors.Join(untune(ctx, conn, t), hangUp(ctx, conn))
}

// untuneLimit bounds putting the settings back after a failure; what is not put
// back then is put back by the next call, or by undo.
const untuneLimit = 10 * time.Second
