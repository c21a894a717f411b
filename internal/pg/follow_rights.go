package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// subscriptionHint says what lets the end's user make a subscription.
func (e *end) subscriptionHint() string {
	user := Quote(e.conn.Config().User)
	if e.version >= firstSubscriber {
		return "grant pg_create_subscription to " + user
	}
	return "before PostgreSQL 16 this takes a superuser, or the provider's administrator: grant rds_superuser to " + user
}

// needOwner refuses a user that may not make the database read-only by
// default.
func (e *end) needOwner(ctx context.Context) error {
	var owner bool
	var name string
	err := e.conn.QueryRow(ctx, "select datname, pg_has_role(datdba, 'usage') from pg_catalog.pg_database where datname = current_database()").Scan(&name, &owner)
	if err != nil {
		return fmt.Errorf("read owner of %s: %w", e.side, err)
	}
	if owner {
		return nil
	}
	user := e.conn.Config().User
	return fault.New(fault.Denied, fmt.Sprintf("user %q does not own the %s's database, and may not make it read-only by default", user, e.side),
		fmt.Sprintf("connect as its owner, or: alter database %s owner to %s", Quote(name), Quote(user)))
}

// checkWay refuses a pair of servers between which no stream can run.
func checkWay(ctx context.Context, publisher, subscriber *end) error {
	p := preflight{follow: true}
	var err error
	if p.source, err = openPlace(ctx, publisher.dsn, publisher.side); err == nil {
		if p.target, err = openPlace(ctx, subscriber.dsn, subscriber.side); err == nil {
			err = errors.Join(p.followSource(ctx), p.followTarget(ctx))
		}
		err = errors.Join(err, p.target.close(ctx))
	}
	return errors.Join(err, p.source.close(ctx))
}

// needTables refuses tables whose changes a stream could not carry; full tells
// that whole rows may serve as identity.
func (e *end) needTables(ctx context.Context, full bool) []error {
	tables, err := e.tables(ctx)
	if err != nil {
		return []error{err}
	}
	var foreign, keyless, odd, triggers []string
	for _, t := range tables {
		switch {
		case !t.Owned && !t.Extension:
			foreign = append(foreign, t.String())
		case !t.Owned:
		case !t.Keyed && !full:
			keyless = append(keyless, t.String())
		case (t.Full || !t.Keyed) && len(t.Odd) > 0:
			odd = append(odd, fmt.Sprintf("%s (%s)", t, strings.Join(t.Odd, ", ")))
		}
		for _, name := range t.Triggers {
			triggers = append(triggers, fmt.Sprintf("%s on %s", name, t))
		}
	}
	var wrong []error
	refuse := func(list []string, kind fault.Kind, text, hint string) {
		if len(list) > 0 {
			wrong = append(wrong, fault.New(kind, text+some(list), hint))
		}
	}
	refuse(foreign, fault.Denied, "only the owner may publish a table: ", "connect as the owner, or: grant OWNER to USER")
	refuse(keyless, fault.Failed, "tables without a key cannot be followed, for no update or delete finds its row: ",
		`add a primary key; or: alter table TABLE replica identity using index INDEX; or identity = "full" lets evac take whole rows, which is slow for large tables`)
	refuse(odd, fault.Failed, "tables without a key have columns that cannot be compared: ", "add a primary key")
	refuse(triggers, fault.Failed, "triggers would fire again on the other side (ENABLE ALWAYS or REPLICA): ", "alter table TABLE enable trigger TRIGGER, until the move is over")
	return wrong
}
