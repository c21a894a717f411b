package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func replicaKind() step.Kind {
	return step.Kind{
		Name:    "postgres_replica",
		Effect:  step.Undoable,
		Summary: "makes a read replica of a PostgreSQL server on this machine, also one that lags behind on purpose",
		Doc:     replicaDoc,
		New:     func() step.Step { return &Replica{} },
		Output:  ReplicaOutput{},
		Example: `step "postgres_replica" "spare" {
  from = var.main_db
  dir  = "/var/lib/postgresql/spare"
  port = 5433
}`,
	}
}

const replicaDoc = `
Makes a physical standby of the whole server (every database of it) in ` + "`dir`" + ` on the machine where evac runs: a replication slot on the primary
first, so that nothing can be missing; then a base backup, whose every file is compared with the checksums that the server sends (version 13 and
later); then the server is started and follows. It takes readers on ` + "`port`" + `. It can be made the primary by postgres_promote.

PostgreSQL 10 or later. The programs of the same major version must be on this machine. As root, the server runs as the account ` + "`user`" + `; else as whoever runs evac.
pg_ctl starts it now, and nobody starts it after a reboot: for a server that stays, let ` + "`start`" + ` and ` + "`stop`" + ` be the commands of your service
manager.

**A way back from a bad deploy**: with ` + "`delay = \"1h\"`" + ` the replica receives everything at once and applies it an hour later. When somebody has
deleted the wrong rows, postgres_promote with ` + "`stop_at`" + ` takes it to the moment before. Once restarted or cut off from the primary, a delayed replica
receives nothing until it has applied what it holds (PostgreSQL works so); the slot keeps the rest for it, and verify fails until then.

The user of ` + "`from`" + ` needs the right to replicate (alter role … replication) and a line in the primary's pg_hba.conf (host replication …). The
replica connects as the same user. The password stands in ` + "`evac-replica.pgpass`" + ` in its directory, which only the server's account may read
(mode 0600): a base backup that is taken from the replica carries it too.

Settings come with the backup. Where the primary keeps them outside its data directory (Debian does), they are written from what it runs
with, and pg_hba.conf lets in only this machine: edit it before clients come. ` + "`settings`" + ` go over all of them. If the primary listens on
addresses of its own, say where the replica listens: ` + "`settings = { listen_addresses = \"*\" }`" + `.

While the replica is down, the slot keeps write-ahead log on the primary, until its disk is full (max_slot_wal_keep_size bounds that from
version 13 on). Cut off in the middle, the backup is removed and taken again.

Undo stops the replica, drops the slot and removes the files that it was made of; a directory that was there before stays, empty. A replica that
was promoted is refused: it holds what nobody else has.
`

// Replica is the kind postgres_replica.
type Replica struct {
	From        secret.DSN        `evac:"from,required" doc:"connection string of the primary, for a user who may replicate"`
	Dir         string            `evac:"dir,required,target" doc:"data directory of the replica: absent or empty"`
	Port        int               `evac:"port,target" default:"5432" doc:"port on which the replica takes readers"`
	Slot        string            `evac:"slot" doc:"name of the replication slot on the primary; by default one that is this step's alone"`
	Delay       time.Duration     `evac:"delay" default:"0s" doc:"how long after the primary's commits the replica applies them"`
	MaxRate     step.Size         `evac:"max_rate" default:"0" doc:"bound of the base backup, in bytes a second; 0 is none"`
	Settings    map[string]string `evac:"settings" doc:"settings of the replica's server"`
	Tablespaces map[string]string `evac:"tablespaces,target" doc:"a directory here for each tablespace's directory on the primary"`
	Bin         string            `evac:"bin" doc:"directory of the server's programs; by default the usual places are searched"`
	User        string            `evac:"user" default:"postgres" doc:"account that the server runs as, where evac runs as root"`
	Start       string            `evac:"start,target" doc:"shell command that starts the replica, in place of pg_ctl"`
	Stop        string            `evac:"stop,target" doc:"shell command that stops it; goes with start"`
}

// ReplicaOutput is what was made.
type ReplicaOutput struct {
	System     string  `json:"system" doc:"system identifier of the cluster"`
	Slot       string  `json:"slot" doc:"replication slot on the primary"`
	Address    string  `json:"address" doc:"host and port of the replica, on this machine"`
	Files      int64   `json:"files" doc:"files of the base backup"`
	Bytes      int64   `json:"bytes" doc:"bytes of the base backup"`
	Checked    int64   `json:"checked" doc:"files whose checksum the server's manifest confirmed (0 before version 13)"`
	Start      string  `json:"start" doc:"position in the write-ahead log at which the backup began"`
	End        string  `json:"end" doc:"position from which on it is consistent"`
	LagBytes   int64   `json:"lag_bytes" doc:"write-ahead log that was not applied when the step ended"`
	LagSeconds float64 `json:"lag_seconds" doc:"age of the newest commit that was applied, if there were newer ones"`
}

// Check implements step.Step.
func (r *Replica) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	o, err := r.options(env)
	if err != nil {
		return step.Plan{}, err
	}
	seen, err := pg.PlanReplica(ctx, o)
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{
		Summary:  fmt.Sprintf("make a replica of %s (%s) in %q", r.From, humanize.IBytes(uint64(seen.Bytes)), o.Local.Dir),
		Work:     step.Work{Unit: "bytes", Total: seen.Bytes},
		Warnings: seen.Warnings,
	}
	slot := "a replication slot"
	if r.Slot != "" {
		slot = fmt.Sprintf("replication slot %q", r.Slot)
	}
	plan.Action("slot", "%s of %s keeps the write-ahead log for the replica", slot, r.From)
	plan.Action("files", "%q holds the files of %s", o.Local.Dir, r.From)
	plan.Action("server", "a server on port %d of this machine follows it%s", r.Port, r.delayed())
	plan.Fact("primary", "%s, PostgreSQL %s", r.From, seen.Version)
	plan.Fact("disk", "%s free for %q", humanize.IBytes(uint64(max(seen.Free, 0))), o.Local.Dir)
	if seen.Bin != "" {
		plan.Fact("programs", "%s", seen.Bin)
	}
	return plan, nil
}

func (r *Replica) delayed() string {
	if r.Delay == 0 {
		return ""
	}
	return fmt.Sprintf(", and applies every commit %s later", r.Delay)
}

// options are those of the library for this step, with its saved state.
func (r *Replica) options(env *step.Env) (pg.ReplicaOptions, error) {
	o := pg.ReplicaOptions{
		From:  r.From,
		Local: pg.Local{Dir: within(env, r.Dir), Bin: within(env, r.Bin), User: r.User, Start: r.Start, Stop: r.Stop},
		Port:  r.Port, Slot: r.Slot, Delay: r.Delay, MaxRate: int64(r.MaxRate), Settings: r.Settings, Tablespaces: r.Tablespaces,
		Token: env.Token, Progress: env.Progress,
		Save: func(ctx context.Context, s pg.ReplicaState) error { return env.Checkpoint.Save(ctx, s) },
	}
	_, err := env.Checkpoint.Load(&o.State)
	return o, err
}

// Run implements step.Step.
func (r *Replica) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	o, err := r.options(env)
	if err != nil {
		return nil, err
	}
	made, err := pg.Replica(ctx, o)
	if err != nil {
		return nil, err
	}
	return ReplicaOutput{
		System: made.System, Slot: made.Slot, Address: fmt.Sprintf("127.0.0.1:%d", r.Port),
		Files: made.Files, Bytes: made.Bytes, Checked: made.Checked, Start: made.Start, End: made.End,
		LagBytes: made.Lag.Bytes, LagSeconds: made.Lag.Behind.Seconds(),
	}, nil
}

// Verify implements step.Step.
func (r *Replica) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var out ReplicaOutput
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the replica: %w", err)
	}
	o, err := r.options(env)
	if err != nil {
		return err
	}
	_, err = pg.VerifyReplica(ctx, o, out.System)
	return err
}

// Undo implements step.Undoer.
func (r *Replica) Undo(ctx context.Context, env *step.Env, _ step.Done) error {
	o, err := r.options(env)
	if err != nil {
		return err
	}
	return pg.UndoReplica(ctx, o)
}
