package pg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A replica is a physical standby on this machine: a replication slot on the
// primary keeps the write-ahead log from then on, a base backup brings the
// files, and the server that is started on them follows. The slot comes first,
// so that nothing that is written during the backup can be missing.

// replicaApplication is how the making of a replica shows in pg_stat_activity.
const replicaApplication = "evac replica"

// ReplicaOptions say what to make, and where.
type ReplicaOptions struct {
	// From is any database of the primary; the user may replicate.
	From secret.DSN
	// Local is the replica's place; Dir is absent or empty.
	Local Local
	Port  int
	// Slot is the name of the replication slot on the primary.
	Slot string
	// Delay is by how much the replica holds commits back.
	Delay time.Duration
	// MaxRate bounds the base backup, in bytes a second; 0 is no bound.
	MaxRate int64
	// Settings are server settings of the replica.
	Settings map[string]string
	// Tablespaces gives each tablespace's directory on the primary one here.
	Tablespaces map[string]string
	// Token names this replica: a later call with the same goes on with it.
	Token    string
	Progress Progress
	// State is what an earlier call saved last, Save keeps it.
	State ReplicaState
	Save  func(context.Context, ReplicaState) error
}

// ReplicaState is what making a replica must not forget.
type ReplicaState struct {
	// Slot is set before anything is made; Kept are the directories that were
	// there before.
	Slot string   `json:"slot,omitempty"`
	Kept []string `json:"kept,omitempty"`
	// Base is the complete base backup.
	Base *BaseBackup `json:"base,omitempty"`
}

// BaseBackup is what a base backup brought.
type BaseBackup struct {
	// Start and End are positions in the write-ahead log: the files are
	// consistent once it is replayed from the one to the other.
	Start string `json:"start"`
	End   string `json:"end"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
	// Checked counts the files whose checksum the server's manifest confirmed;
	// servers before 13 send none.
	Checked int64 `json:"checked"`
}

// ReplicaResult is what was made.
type ReplicaResult struct {
	BaseBackup
	System string
	Slot   string
	Lag    ReplicaLag
}

// ReplicaLag is how far a replica is behind.
type ReplicaLag struct {
	// Bytes of write-ahead log that are not replayed, and Received not received.
	Bytes, Received int64
	// Behind is the age of the newest commit that is replayed, if more have
	// come since.
	Behind time.Duration
}

// slotName makes a name from a token.
func slotName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "evac_" + hex.EncodeToString(sum[:8])
}

// Replica makes a replica and waits until it follows. It goes on from what is
// already done; a base backup that was cut off is taken again.
func Replica(ctx context.Context, o ReplicaOptions) (result ReplicaResult, err error) {
	op := fmt.Sprintf("make replica %q", o.Local.Dir)
	r, err := openReplica(ctx, o)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	if r.State.Base == nil {
		if err := r.copy(ctx); err != nil {
			return result, fault.Wrap(fault.KindOf(err), op, err, "")
		}
	}
	r.Progress.Note("starting the replica")
	if err := r.start(ctx); err != nil {
		return result, fault.Wrap(fault.KindOf(err), op, err, "")
	}
	r.Progress.Note("waiting until the replica follows")
	result = ReplicaResult{BaseBackup: *r.State.Base, Slot: r.Slot, System: r.system}
	result.Lag, err = r.awaitFollowing(ctx)
	return result, fault.Wrap(fault.KindOf(err), op, err, "")
}

// copy makes the slot, and with it the files of the replica.
func (r *replica) copy(ctx context.Context) error {
	if err := r.refuse(ctx); err != nil {
		return err
	}
	if r.State.Slot == "" {
		state := ReplicaState{Slot: r.Slot}
		for _, dir := range r.directories() {
			there, err := exists(dir)
			if err != nil {
				return err
			}
			if there {
				state.Kept = append(state.Kept, dir)
			}
		}
		if err := r.save(ctx, state); err != nil {
			return err
		}
	}
	if err := r.makeSlot(ctx); err != nil {
		return err
	}
	if err := r.claim(); err != nil {
		return err
	}
	r.Progress.Note("copying the files of the primary")
	base, err := r.baseBackup(ctx)
	if err != nil {
		return err
	}
	r.Progress.Note("writing the replica's configuration")
	if err := r.configure(ctx); err != nil {
		return err
	}
	if err := r.sync(ctx); err != nil {
		return fmt.Errorf("bring the files to disk: %w", err)
	}
	state := r.State
	state.Base = &base
	return r.save(ctx, state)
}

func (r *replica) save(ctx context.Context, s ReplicaState) error {
	if err := r.Save(ctx, s); err != nil {
		return err
	}
	r.State = s
	return nil
}

// makeSlot makes the slot, which keeps the write-ahead log from now on, unless
// an earlier call has.
func (r *replica) makeSlot(ctx context.Context) error {
	_, err := r.primary.Exec(ctx, `
		select pg_create_physical_replication_slot($1, true)
		where not exists (select from pg_catalog.pg_replication_slots where slot_name = $1)`, r.Slot)
	if err != nil {
		return fmt.Errorf("make replication slot %q: %w", r.Slot, err)
	}
	return nil
}

// connectReplication opens a session that speaks the replication protocol, as
// the replica itself will.
func connectReplication(ctx context.Context, dsn secret.DSN) (*pgconn.PgConn, error) {
	op := fmt.Sprintf("connect to source %s for replication", dsn)
	config, err := pgconn.ParseConfig(dsn.Reveal())
	if err != nil {
		return nil, fault.New(fault.Invalid, op+": the connection string cannot be read", "")
	}
	config.RuntimeParams["replication"] = "true"
	config.RuntimeParams["application_name"] = replicaApplication
	if err := aliveReplication(config); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	loss{Source, dsn}.tell(config)
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		err = connectFault(ctx, op, dsn, err)
		return nil, fault.Wrap(fault.KindOf(err), "", err,
			"pg_hba.conf of the primary must let the user in from this machine: host replication USER ADDRESS scram-sha-256")
	}
	loggedIn(conn)
	return conn, nil
}
