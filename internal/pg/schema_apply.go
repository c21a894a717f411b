package pg

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
)

// entriesPerBatch bounds how many objects one transaction makes before the
// data: each takes locks, of which a server has a limited number.
const entriesPerBatch = 200

// applyBatches makes entries in their order, in batches that are each one
// transaction with their lines in the ledger.
func (t *target) applyBatches(ctx context.Context, conn *pgx.Conn, entries []entry) error {
	open, err := t.open(ctx, entries)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(open, entriesPerBatch) {
		if t.super && t.applyAtOnce(ctx, conn, batch) == nil {
			continue
		}
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, e := range batch {
				if err := t.apply(ctx, conn, e); err != nil {
					return err
				}
			}
			return markDone(ctx, tx, keysOf(batch)...)
		})
		if err != nil {
			return fmt.Errorf("make schema on target: %w", err)
		}
	}
	return nil
}

// applyAtOnce makes a batch in one round trip. Its error does not tell which
// entry was refused: then the batch is made again one by one.
func (t *target) applyAtOnce(ctx context.Context, conn *pgx.Conn, batch []entry) error {
	var all strings.Builder
	for _, e := range batch {
		if delicate[e.Type] {
			return errors.New("it may need another wording")
		}
		all.WriteString(e.SQL + "\n")
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if slices.ContainsFunc(batch, func(e entry) bool { return secretive[e.Type] }) {
			if err := t.hush(ctx, conn); err != nil {
				return err
			}
		}
		if err := run(ctx, conn, all.String()); err != nil {
			return err
		}
		return markDone(ctx, tx, keysOf(batch)...)
	})
}

// secretive are the entries whose statements can hold a password.
var secretive = map[string]bool{"SUBSCRIPTION": true, "USER MAPPING": true, "SERVER": true}

// hush keeps the statements of the session's transaction, which hold secrets,
// out of the server's log, where the user may.
func (t *target) hush(ctx context.Context, conn *pgx.Conn) error {
	if !t.super {
		return nil
	}
	if err := run(ctx, conn, silently); err != nil {
		return fmt.Errorf("keep secrets out of the target's log: %w", err)
	}
	return nil
}

// delicate are the entries of which parameters may be left out.
var delicate = map[string]bool{"SUBSCRIPTION": true, "PUBLICATION": true}

// open leaves out the entries that the ledger has.
func (t *target) open(ctx context.Context, entries []entry) ([]entry, error) {
	made, err := doneKeys(ctx, t.conn)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return made[e.Key] }), nil
}

func keysOf(entries []entry) []string {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}

// applyAlone makes one entry in a transaction of its own.
func (t *target) applyAlone(ctx context.Context, conn *pgx.Conn, e entry) error {
	for again := 0; ; again++ {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if err := t.apply(ctx, conn, e); err != nil {
				return err
			}
			return markDone(ctx, tx, e.Key)
		})
		if code(err) != deadlock || again == deadlockRetries {
			return err
		}
	}
}

// Two workers may come across each other's locks; the server ends one of them,
// whose entry is simply made again.
const (
	deadlock        = "40P01"
	deadlockRetries = 5
)

// code is the server's SQLSTATE, "" if err is not from a server.
func code(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// notPermitted is the SQLSTATE insufficient_privilege.
const notPermitted = "42501"

// apply makes one entry inside the session's transaction. Who is no superuser
// may be refused the owner, a privilege or a comment: that is left out, and
// the ledger warns of it. Anything else refused is an error.
func (t *target) apply(ctx context.Context, conn *pgx.Conn, e entry) error {
	if secretive[e.Type] {
		if err := t.hush(ctx, conn); err != nil {
			return applyError(e, err)
		}
	}
	if delicate[e.Type] {
		var err error
		if e, err = t.withoutNews(ctx, conn, e); err != nil {
			return applyError(e, err)
		}
	}
	if e.Type == "SECURITY LABEL" { // its provider is a library that the target may not have loaded
		return applyError(e, soften(ctx, conn, e.SQL, e.String()))
	}
	if t.super {
		return applyError(e, run(ctx, conn, e.SQL))
	}
	if err := run(ctx, conn, "savepoint entry"); err != nil {
		return applyError(e, err)
	}
	err := run(ctx, conn, e.SQL)
	if err == nil {
		return applyError(e, run(ctx, conn, "release entry"))
	}
	if code(err) != notPermitted {
		return applyError(e, err)
	}
	refused := err
	if err := run(ctx, conn, "rollback to entry"); err != nil {
		return applyError(e, err)
	}
	if unowned := ownerLine.ReplaceAllString(e.SQL, ""); unowned != e.SQL {
		if err := run(ctx, conn, unowned); err != nil {
			return applyError(e, err)
		}
		return noteWarning(ctx, conn, fmt.Sprintf("owner of %s could not be set: %s", e, reasonOf(refused)))
	}
	if decorations[e.Type] {
		return noteWarning(ctx, conn, fmt.Sprintf("left out %s: %s", e, reasonOf(refused)))
	}
	return applyError(e, refused)
}

// withoutNews tries the entry and leaves out the parameters that the target
// does not know: a pg_dump newer than the target writes them for a source that
// does not know them either.
func (t *target) withoutNews(ctx context.Context, conn *pgx.Conn, e entry) (entry, error) {
	for {
		if err := run(ctx, conn, "savepoint news"); err != nil {
			return e, err
		}
		trial := run(ctx, conn, e.SQL)
		if err := run(ctx, conn, "rollback to news; release news"); err != nil {
			return e, err
		}
		name := unknownParameter.FindStringSubmatch(reasonOf(trial))
		if code(trial) != syntaxError || name == nil {
			return e, nil
		}
		older := regexp.MustCompile(`, `+name[1]+` = [^,)]*`).ReplaceAllString(e.SQL, "")
		if older == e.SQL {
			return e, nil
		}
		e.SQL = older
	}
}

// syntaxError is the SQLSTATE of a parameter that is not known; its message
// has the name in quotes in every language.
const syntaxError = "42601"

var unknownParameter = regexp.MustCompile(`"([a-z_]+)"`)

// ownerLine is how pg_dump hands an object over, as the entry's last statement.
var ownerLine = regexp.MustCompile(`\n+ALTER [^\n]* OWNER TO [^\n]*;\s*$`)

// decorations are the entries without which the data is whole and works.
var decorations = map[string]bool{
	"ACL": true, "COMMENT": true, "SECURITY LABEL": true, "DEFAULT ACL": true, "EVENT TRIGGER": true, "PUBLICATION": true,
	"PUBLICATION TABLE": true, "PUBLICATION TABLES IN SCHEMA": true, "SUBSCRIPTION": true, "USER MAPPING": true,
}

// permitted tries an entry and takes it back. One that the session has not the
// right to make is left out with a warning.
func (t *target) permitted(ctx context.Context, tx pgx.Tx, e entry) (bool, error) {
	if t.super {
		return true, nil
	}
	if err := run(ctx, t.conn, "savepoint trial"); err != nil {
		return false, err
	}
	trial := run(ctx, t.conn, e.SQL)
	if err := run(ctx, t.conn, "rollback to trial; release trial"); err != nil {
		return false, err
	}
	if code(trial) == notPermitted {
		return false, noteWarning(ctx, tx, fmt.Sprintf("left out %s: %s", e, reasonOf(trial)))
	}
	return trial == nil, applyError(e, trial)
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Message
	}
	return err.Error()
}

// brokenHint says what to do when the source's own rows or functions do not
// hold to what its schema says: the work goes on from there.
func brokenHint(err error) string {
	switch code(err) {
	case "23502", "23503", "23505", "23514", "23P01":
		return "the source's own rows break it: put them right there and begin again; or put them right on the target, where the constraint is made, and run the same again"
	case "42P01", "42883", "42704", "3F000":
		return "a function that it calls finds its objects by search_path only, which a dump empties: on the target, alter function NAME set search_path = SCHEMA, …; then run the same again"
	}
	return ""
}

// applyError says what could not be made, and why, without the statement: it
// can hold passwords.
func applyError(e entry, err error) error {
	if err == nil {
		return nil
	}
	hint := brokenHint(err)
	switch code(err) {
	case notPermitted:
		hint = "connect to the target as a superuser, or as the owner of the database"
	case "53200":
		hint = "raise max_locks_per_transaction on the target"
	case "0A000", "58P01":
		if e.Type == "EXTENSION" {
			hint = "install the extension's package on the target's host"
		}
	}
	return fault.Wrap(fault.Failed, fmt.Sprintf("make %s: write target", e), err, hint)
}
