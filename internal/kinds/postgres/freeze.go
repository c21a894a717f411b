package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

func freezeKind() step.Kind {
	return step.Kind{
		Name:    "postgres_freeze",
		Effect:  step.Undoable,
		Summary: "stops writes to a PostgreSQL database and proves that none happen",
		Doc:     freezeDoc,
		New:     func() step.Step { return &Freeze{} },
		Output:  FreezeOutput{},
		Example: `step "postgres_freeze" "old" {
  database = var.old_db
}`,
	}
}

const freezeDoc = `
New transactions in the database become read-only by default (the default of the database, and of every role that has one of its own), and
every session from before is ended, so that no transaction of the old days can commit any more. Clients that come back can read; their
writes are refused by the server (SQLSTATE 25006).

Then evac watches for ` + "`settle`" + `. If no transaction ended in the whole cluster, nothing was written: that is the proof. Where other databases of the
same cluster, or ANALYZE, use transactions of their own, the counters of inserted, updated and deleted rows of every table and the state of
every sequence must stand still instead. A session that did anything since may report what it wrote as much as 11 seconds later, or when it ends: evac
waits for those, and if there are none it waits for nothing. (Before PostgreSQL 15 these
counters can lose reports, so there the first way is the stronger one.)

A client that sets its own transactions to read write is not refused by a default. It is found by the proof, the step fails and names user,
address and application; stop that client and try again, or undo. One that writes only later is found by verify, which also proves
that nothing was written since the freeze. With ` + "`strict = true`" + ` the server turns away every role that is no superuser, readers too (connection
limit 0): then no such client can write for certain. ` + "`refuse`" + ` turns single roles away, superusers excepted.

Who is turned away never shows as a session. The step and its verify list who tried, by user, address and application, from the server's log:
the forgotten server that nobody moved. That needs the log in a file that the user may read (logging_collector, pg_current_logfile and
pg_read_binary_file) and ` + "`log_connections = on`" + `; where something is missing, ` + "`untold`" + ` says what to switch on.

Prepared transactions and enabled subscriptions are refused by name, for they write whatever the default is.

The user must own the database and be a member of pg_read_all_stats and pg_signal_backend, or be a superuser. The owner of a managed database
who is neither can freeze it as a member of every role that may connect: the server shows and ends the sessions of such roles. If it is no
member of one, that role is named and the step refuses, for a transaction of that role could not be seen and might commit later; that
nothing was written until now could be proved even so. ` + "`refuse`" + ` needs a user that may make roles, and from PostgreSQL 16 on is admin of that role.

Undo puts exactly the old settings back and ends the sessions that began under the freeze, for they would stay read-only.
`

// Freeze is the kind postgres_freeze.
type Freeze struct {
	Database secret.DSN    `evac:"database,required,target" doc:"connection string of the database to stop"`
	Settle   time.Duration `evac:"settle" default:"2s" doc:"how long the proof watches that nothing is written"`
	Strict   bool          `evac:"strict" default:"false" doc:"turn away every role that is no superuser, readers too"`
	Refuse   []string      `evac:"refuse" doc:"roles that may not connect any more, to any database of the server (connection limit 0)"`
}

// FreezeOutput is what a freeze proved.
type FreezeOutput struct {
	FrozenAt   string   `json:"frozen_at" doc:"since when nothing was written, by the server's clock (RFC 3339)"`
	Mark       string   `json:"mark" doc:"the moment of freezing, by which a copy can prove that nothing was written since"`
	Xid        int64    `json:"xid" doc:"the cluster's next transaction when frozen"`
	XidAfter   int64    `json:"xid_after" doc:"the cluster's next transaction after the proof"`
	LSN        string   `json:"lsn" doc:"position of the write-ahead log when frozen"`
	LSNAfter   string   `json:"lsn_after" doc:"position of the write-ahead log after the proof"`
	ObservedMS int64    `json:"observed_ms" doc:"how long the proof watched"`
	Method     string   `json:"method" doc:"what the proof rests on"`
	Terminated int      `json:"terminated" doc:"sessions that were ended"`
	RolledBack int64    `json:"rolled_back" doc:"transactions rolled back during the proof, refused writes among them"`
	Connected  int      `json:"connected" doc:"clients connected after the proof"`
	Clients    []string `json:"clients,omitempty" doc:"who they are, with the number of their sessions"`
	Tried      []string `json:"tried,omitempty" doc:"who tried to connect and was refused, with how often"`
	Untold     string   `json:"untold,omitempty" doc:"why not all who tried can be known, and what to switch on"`
}

// freezeData is the plan's own.
type freezeData struct {
	Settings []string `json:"settings"`
	Strict   bool     `json:"strict"`
	Refuse   []string `json:"refuse,omitempty"`
}

// closed is the checkpoint: all sessions from before that time have ended.
type closed struct {
	At time.Time `json:"closed_at"`
}

// Check implements step.Step.
func (f *Freeze) Check(ctx context.Context, _ *step.Env) (step.Plan, error) {
	seen, err := pg.PlanFreeze(ctx, f.Database, pg.FreezeOptions{Strict: f.Strict, Refuse: f.Refuse})
	if err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{
		Summary: fmt.Sprintf("stop writes to database %q and prove that none happen", seen.Database),
		Work:    step.Work{Unit: "seconds", Total: int64(f.Settle / time.Second)},
	}
	data := freezeData{Strict: f.Strict, Refuse: f.Refuse}
	for _, c := range seen.Changes {
		data.Settings = append(data.Settings, c.ID())
		plan.Action(c.ID(), "%s becomes %s", c, c.New)
	}
	plan.Action("sessions", "every session from before is ended")
	plan.Action("proof", "nothing is written for %s", f.Settle)
	plan.Fact("database", "%s", f.Database)
	plan.Fact("server", "PostgreSQL %s", seen.Version)
	plan.Fact("sessions", "%d", len(seen.Sessions))
	for _, client := range clients(seen.Sessions) {
		plan.Fact("client", "%s", client)
	}
	for _, role := range f.Refuse {
		plan.Warn("role %q can connect to no database of this server", role)
	}
	if f.Strict {
		plan.Warn("every role that is no superuser is turned away, readers too")
	}
	return plan, plan.SetData(data)
}

// Run implements step.Step.
func (f *Freeze) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	var before closed
	if _, err := env.Checkpoint.Load(&before); err != nil {
		return nil, err
	}
	done, err := pg.Freeze(ctx, f.Database, pg.FreezeOptions{
		Settle:   f.Settle,
		Strict:   f.Strict,
		Refuse:   f.Refuse,
		ClosedAt: before.At,
		Change:   func(ctx context.Context, c pg.FreezeChange) error { return env.Settings.Change(ctx, settingOf(c)) },
		Closed:   func(ctx context.Context, at time.Time) error { return env.Checkpoint.Save(ctx, closed{at}) },
		Note:     env.Progress.Note,
	})
	if err != nil {
		return nil, err
	}
	tellTries(env, done.Proof.Tries)
	return freezeOutput(done)
}

// tellTries says who still tries to connect: the forgotten internal server.
func tellTries(env *step.Env, tries pg.Tries) {
	for _, who := range tried(tries) {
		env.Log.Warn("tried to connect and was refused: " + who)
	}
	if tries.Blind != "" {
		env.Log.Info(tries.Blind)
	}
}

// tried sums tries up, the most frequent first.
func tried(tries pg.Tries) (list []string) {
	for _, t := range tries.List {
		list = append(list, fmt.Sprintf("%s: %d", t, t.Count))
	}
	return shown(list)
}

// shown is the beginning of a list for people.
func shown(list []string) []string {
	if more := len(list) - mostShown; more > 0 {
		return append(list[:mostShown:mostShown], fmt.Sprintf("and %d more", more))
	}
	return list
}

func freezeOutput(done pg.FreezeResult) (FreezeOutput, error) {
	p := done.Proof
	mark, err := json.Marshal(p.Mark)
	return FreezeOutput{
		FrozenAt: p.Mark.TakenAt.UTC().Format(time.RFC3339Nano), Mark: string(mark),
		Xid: p.Mark.Xmax, XidAfter: p.XidAfter, LSN: p.LSNBefore, LSNAfter: p.LSNAfter,
		ObservedMS: p.Observed.Milliseconds(), Method: p.Method,
		Terminated: done.Terminated, RolledBack: p.RolledBack,
		Connected: len(p.Connected), Clients: clients(p.Connected),
		Tried: tried(p.Tries), Untold: p.Tries.Blind,
	}, err
}

// Verify implements step.Step.
func (f *Freeze) Verify(ctx context.Context, env *step.Env, done step.Done) error {
	var out FreezeOutput
	var mark pg.FreezeMark
	if err := done.Decode(&out); err != nil {
		return fmt.Errorf("read output of the freeze: %w", err)
	}
	if err := json.Unmarshal([]byte(out.Mark), &mark); err != nil {
		return fmt.Errorf("read mark of the freeze: %w", err)
	}
	// From the mark until now: longer than any time to watch.
	proof, err := pg.ProveFrozen(ctx, f.Database, pg.FreezeOptions{Strict: f.Strict, Refuse: f.Refuse}, mark)
	tellTries(env, proof.Tries)
	return err
}

// Undo implements step.Undoer.
func (f *Freeze) Undo(ctx context.Context, env *step.Env, _ step.Done) error {
	var changes []pg.FreezeChange
	for _, s := range env.Settings.Changed() {
		changes = append(changes, changeOf(s))
	}
	return pg.Unfreeze(ctx, f.Database, changes, func(ctx context.Context, c pg.FreezeChange) error {
		return env.Settings.Restore(ctx, c.ID())
	})
}

func settingOf(c pg.FreezeChange) step.Setting {
	return step.Setting{ID: c.ID(), What: c.String(), Old: c.Old, New: c.New}
}

func changeOf(s step.Setting) pg.FreezeChange {
	setting, role, _ := strings.Cut(s.ID, "/")
	return pg.FreezeChange{Setting: setting, Role: role, Old: s.Old, New: s.New}
}

// mostShown bounds how many clients and the like are named.
const mostShown = 20

// clients sums sessions up by who they belong to.
func clients(sessions []pg.Session) []string {
	count := map[string]int{}
	for _, s := range sessions {
		count[fmt.Sprintf("user %q from %s, application %q", s.User, s.Address, s.Application)]++
	}
	var list []string
	for who, n := range count {
		list = append(list, fmt.Sprintf("%s: %d", who, n))
	}
	slices.Sort(list)
	return shown(list)
}
