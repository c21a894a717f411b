package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// ReplicaPlan is what Replica would make now.
type ReplicaPlan struct {
	Version string
	System  string
	// Bytes is about what the base backup brings, as far as the user may see
	// it, Free what the directory's disk has.
	Bytes, Free int64
	// Bin is where the server's programs stand, "" with a start command.
	Bin string
	// Slot is the replication slot's name, "" if it is not known yet.
	Slot     string
	Warnings []string
}

// PlanReplica reads what would be made, and refuses what cannot work, all that
// is wrong at once.
func PlanReplica(ctx context.Context, o ReplicaOptions) (plan ReplicaPlan, err error) {
	r, err := openReplica(ctx, o)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	op := fmt.Sprintf("make replica %q", o.Local.Dir)
	if o.State.Base == nil {
		if err := r.refuse(ctx); err != nil {
			return plan, fault.Wrap(fault.KindOf(err), op, err, "")
		}
	}
	plan = ReplicaPlan{Version: r.primary.PgConn().ParameterStatus("server_version"), System: r.system}
	if o.Token != "" || o.Slot != "" {
		plan.Slot = r.Slot
	}
	if plan.Bytes, err = r.size(ctx); err != nil {
		return plan, fault.Wrap(fault.Failed, op, err, "")
	}
	if plan.Free, err = room(o.Local.Dir); err != nil {
		return plan, fault.Wrap(fault.Failed, op, err, "")
	}
	if o.Local.Start == "" {
		plan.Bin, err = o.Local.find(ctx, r.version/100_00)
	}
	plan.Warnings = r.warnings()
	return plan, err
}

func (r *replica) warnings() []string {
	var list []string
	if r.login.Password != "" {
		list = append(list, fmt.Sprintf("the password of %q will stand in %s, which only the server's account may read", r.login.User, filepath.Join(r.Local.Dir, passFile)))
	}
	return list
}

// refuse says everything that keeps the replica from being made.
func (r *replica) refuse(ctx context.Context) error {
	role, err := roleOf(ctx, r.primary)
	if err != nil {
		return err
	}
	if role == RoleStandby {
		return fault.New(fault.Invalid, "the source is a standby itself", "give the primary's connection string")
	}
	return errors.Join(r.refuseFields(), r.refuseUser(ctx), r.refusePrimary(ctx), r.refusePlace(ctx))
}

var slotText = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

func (r *replica) refuseFields() error {
	var wrong []error
	if !slotText.MatchString(r.Slot) {
		wrong = append(wrong, fault.New(fault.Invalid, fmt.Sprintf("slot name %q is not one", r.Slot), "small letters, digits and underscores, 63 at most"))
	}
	if r.Port < 1 || r.Port > 65535 {
		wrong = append(wrong, fault.New(fault.Invalid, fmt.Sprintf("port is %d, want 1 to 65535", r.Port), ""))
	}
	for _, dir := range r.directories() {
		if !filepath.IsAbs(dir) {
			wrong = append(wrong, fault.New(fault.Invalid, fmt.Sprintf("directory %q does not begin at the root", dir), "write the whole path"))
		}
	}
	if (r.Local.Start == "") != (r.Local.Stop == "") {
		wrong = append(wrong, fault.New(fault.Invalid, "start and stop go together", "give both, or neither"))
	}
	return errors.Join(wrong...)
}

// refuseUser asks whether the user may replicate, by trying.
func (r *replica) refuseUser(ctx context.Context) error {
	var user string
	var may bool
	if err := r.primary.QueryRow(ctx, "select current_user, rolreplication or rolsuper from pg_catalog.pg_roles where rolname = current_user").Scan(&user, &may); err != nil {
		return fmt.Errorf("read rights: %w", err)
	}
	if !may {
		return fault.New(fault.Denied, fmt.Sprintf("user %q may not replicate", user), "alter role "+Quote(user)+" replication")
	}
	conn, err := connectReplication(ctx, r.From)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// refusePrimary looks at what the primary has to offer.
func (r *replica) refusePrimary(ctx context.Context) error {
	var level, listen string
	var senders, slots, takenSlots int
	var taken bool
	err := r.primary.QueryRow(ctx, `
		select current_setting('wal_level'), current_setting('listen_addresses'), current_setting('max_wal_senders')::int, current_setting('max_replication_slots')::int,
			count(*)::int, coalesce(bool_or(slot_name = $1), false) from pg_catalog.pg_replication_slots`, r.Slot).
		Scan(&level, &listen, &senders, &slots, &takenSlots, &taken)
	if err != nil {
		return fmt.Errorf("read settings of the primary: %w", err)
	}
	var wrong []error
	failed := func(is bool, text, hint string) {
		if is {
			wrong = append(wrong, fault.New(fault.Failed, text, hint))
		}
	}
	const restart = " and restart the primary"
	failed(level == "minimal", "the primary has wal_level = minimal", "alter system set wal_level = replica;"+restart)
	failed(senders == 0, "the primary has max_wal_senders = 0", "alter system set max_wal_senders = 10;"+restart)
	failed(takenSlots >= slots && !taken, fmt.Sprintf("the primary has no free replication slot (max_replication_slots = %d)", slots), fmt.Sprintf("alter system set max_replication_slots = %d;%s", slots+4, restart))
	failed(taken && r.State.Slot == "", fmt.Sprintf("the primary has a replication slot %q already", r.Slot), `name another: slot = "…"`)
	_, chosen := r.Settings["listen_addresses"]
	failed(!chosen && !anywhere(listen), fmt.Sprintf("the primary listens on %q, which this machine may not have", listen), `settings = { listen_addresses = "*" }`)
	return errors.Join(append(wrong, r.refuseTablespaces(ctx))...)
}

// anywhere tells whether every machine has those addresses.
func anywhere(listen string) bool {
	for _, address := range strings.Split(listen, ",") {
		if !slices.Contains([]string{"", "*", "localhost", "0.0.0.0", "::", "127.0.0.1", "::1"}, strings.TrimSpace(address)) {
			return false
		}
	}
	return true
}

func (r *replica) refuseTablespaces(ctx context.Context) error {
	rows, err := r.primary.Query(ctx, "select spcname, pg_tablespace_location(oid) from pg_catalog.pg_tablespace where spcname not in ('pg_default', 'pg_global') order by 1")
	if err != nil {
		return fmt.Errorf("list tablespaces: %w", err)
	}
	defer rows.Close()
	var wrong []error
	for rows.Next() {
		var name, location string
		if err := rows.Scan(&name, &location); err != nil {
			return fmt.Errorf("list tablespaces: %w", err)
		}
		if r.Tablespaces[location] == "" {
			wrong = append(wrong, fault.New(fault.Invalid, fmt.Sprintf("tablespace %q in %q has no directory here", name, location), fmt.Sprintf("tablespaces = { %q = \"/path/here\" }", location)))
		}
	}
	return errors.Join(append(wrong, rows.Err())...)
}

// refusePlace looks at this machine.
func (r *replica) refusePlace(ctx context.Context) error {
	var wrong []error
	for _, dir := range r.directories() {
		wrong = append(wrong, r.free(dir), r.reachable(dir))
	}
	if r.Local.Start == "" {
		_, err := r.Local.find(ctx, r.version/100_00)
		wrong = append(wrong, err)
	}
	wrong = append(wrong, r.refusePort(ctx))
	size, err := r.size(ctx)
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	free, err := room(r.Local.Dir)
	if err == nil && r.State.Slot == "" && free >= 0 && free < size {
		err = fault.New(fault.Failed, fmt.Sprintf("the primary holds %d MB, and the disk of %q has room for %d MB", size>>20, r.Local.Dir, free>>20), "take another disk")
	}
	return errors.Join(append(wrong, err)...)
}

// refusePort refuses one that somebody listens on.
func (r *replica) refusePort(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)))
	if err != nil {
		return nil //nolint:nilerr // nobody answers: it is free
	}
	return errors.Join(fault.New(fault.Failed, fmt.Sprintf("somebody listens on port %d already", r.Port), "name another: port = 5433"), conn.Close())
}

// reachable refuses a directory whose parents the server's account may not
// enter.
func (r *replica) reachable(dir string) error {
	if r.account == nil {
		return nil
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err == nil && !r.account.enters(info) {
			return fault.New(fault.Denied, fmt.Sprintf("account %q may not enter %q", r.Local.User, d), "chmod o+x "+d+", or name another directory")
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

// size is about what a base backup brings: databases that the user may not
// connect to are not counted.
func (r *replica) size(ctx context.Context) (bytes int64, err error) {
	err = r.primary.QueryRow(ctx, `
		select coalesce(sum(pg_database_size(oid)) filter (where has_database_privilege(oid, 'connect')), 0)::bigint from pg_catalog.pg_database`).Scan(&bytes)
	if err != nil {
		return 0, fmt.Errorf("read the size of the primary: %w", err)
	}
	return bytes, nil
}

// room is what the disk has that the directory is, or will be, on; -1 is not
// known.
func room(dir string) (int64, error) {
	for {
		there, err := exists(dir)
		if err != nil {
			return 0, err
		}
		if there || dir == filepath.Dir(dir) {
			return freeBytes(dir)
		}
		dir = filepath.Dir(dir)
	}
}
