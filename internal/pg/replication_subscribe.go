package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// followNote stands as the comment of a subscription: what whoever takes the
// stream down must know of the database that follows.
type followNote struct {
	// Opens are the settings by which the follower was closed to writers, with
	// their old values.
	Opens []FreezeChange `json:"opens,omitempty"`
	// Schema is the publisher's when the two were the same.
	Schema schemaPrint `json:"schema,omitzero"`
	// Identities are those that the tables had before they were followed by
	// whole rows; their copies came with the whole row too.
	Identities []IdentityChange `json:"identities,omitempty"`
}

// subscribe makes the subscription, which goes on from where the slot stands.
// One that stands stays.
func (s *replication) subscribe(ctx context.Context, note followNote) error {
	there, err := s.subscribed(ctx)
	if err != nil || there {
		return err
	}
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return s.transact(ctx, func() error {
		return run(ctx, s.subscriber.conn, fmt.Sprintf(
			"create subscription %[1]s connection %[2]s publication %[1]s with (create_slot = false, copy_data = false, slot_name = %[3]s); comment on subscription %[1]s is %[4]s",
			Quote(s.name), Literal(s.reach.Reveal()), Literal(s.name), Literal(string(text))))
	})
}

// transact keeps a statement that holds a password out of the server's logs,
// where the user may, and the password out of the error.
func (s *replication) transact(ctx context.Context, do func() error) error {
	op := fmt.Sprintf("subscribe %s to %s", s.subscriber.side, s.publisher.side)
	err := pgx.BeginFunc(ctx, s.subscriber.conn, func(pgx.Tx) error {
		if s.subscriber.super {
			if err := run(ctx, s.subscriber.conn, silently); err != nil {
				return err
			}
		}
		return do()
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, context.Cause(ctx))
	}
	var redact secret.Redactor
	redact.AddDSN(s.reach)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == insufficientPrivilege {
		return fault.Wrap(fault.Denied, op, errors.New(redact.Text(err.Error())), s.subscriber.subscriptionHint())
	}
	return fault.Wrap(fault.Failed, op, errors.New(redact.Text(err.Error())),
		fmt.Sprintf("the server of the %s itself must reach %s: check network, pg_hba.conf and password from there, or give the connection string that it needs", s.subscriber.side, s.reach))
}

// silently keeps the transaction's statements out of logs and statistics.
const silently = "set local log_statement = 'none'; set local log_min_error_statement = 'panic'; set local log_min_duration_statement = -1; set local pg_stat_statements.track_utility = 'off'"

// errTried ends a transaction that was only a trial.
var errTried = errors.New("tried")

// tryReach proves that the subscriber's server reaches the publisher as a
// subscription would, and that the user may make one: it makes one, of
// nothing, and rolls it back.
func (s *replication) tryReach(ctx context.Context) error {
	tried := false
	err := s.transact(ctx, func() error {
		err := run(ctx, s.subscriber.conn, fmt.Sprintf(
			"create subscription evac_trial connection %s publication evac_trial with (create_slot = false, copy_data = false, enabled = false, slot_name = none)", Literal(s.reach.Reveal())))
		if err == nil {
			tried, err = true, errTried
		}
		return err
	})
	if tried && ctx.Err() == nil {
		return nil
	}
	return err
}

// subscribed tells whether the subscription is there.
func (s *replication) subscribed(ctx context.Context) (is bool, err error) {
	err = s.subscriber.conn.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
			where d.datname = current_database() and s.subname = $1)`, s.name).Scan(&is)
	if err != nil {
		return false, fmt.Errorf("look for subscription %q on %s: %w", s.name, s.subscriber.side, err)
	}
	return is, nil
}

// unsubscribe drops the subscription, if it is there, and leaves the slot. Its
// comment would stay: the server forgets to drop that of a subscription.
func (s *replication) unsubscribe(ctx context.Context) error {
	there, err := s.subscribed(ctx)
	if err != nil || !there {
		return err
	}
	err = run(ctx, s.subscriber.conn, fmt.Sprintf(
		"alter subscription %[1]s disable; alter subscription %[1]s set (slot_name = none); comment on subscription %[1]s is null; drop subscription %[1]s", Quote(s.name)))
	if err != nil {
		return fmt.Errorf("drop subscription %q on %s: %w", s.name, s.subscriber.side, err)
	}
	return nil
}

// note reads the subscription's comment.
func (s *replication) note(ctx context.Context) (n followNote, err error) {
	var text string
	err = s.subscriber.conn.QueryRow(ctx, `
		select coalesce(obj_description(s.oid, 'pg_subscription'), '{}')
		from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid
		where d.datname = current_database() and s.subname = $1`, s.name).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &n)
	}
	if err != nil {
		return n, fmt.Errorf("read comment of subscription %q on %s: %w", s.name, s.subscriber.side, err)
	}
	return n, nil
}

// dismantle takes all of the stream down, whatever of it is there.
func (s *replication) dismantle(ctx context.Context) error {
	if err := s.unsubscribe(ctx); err != nil {
		return err
	}
	if err := s.dropSlot(ctx); err != nil {
		return err
	}
	return s.unpublish(ctx)
}

// whole refuses a stream of which something is missing.
func (s *replication) whole(ctx context.Context) error {
	there, err := s.subscribed(ctx)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("subscription %q is not on the %s", s.name, s.subscriber.side)
	}
	_, err = s.slot(ctx, "")
	return err
}
