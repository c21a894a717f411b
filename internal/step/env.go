package step

import (
	"context"
	"log/slog"

	"github.com/evac-io/evac/internal/secret"
)

// Env is what a step may use of the world of the conductor.
type Env struct {
	// Run and Step name the run and the step ("postgres_copy.main").
	Run, Step string
	// Attempt counts the calls of Run for this step, from 1.
	Attempt int
	// Token is stable for this run and step, over attempts and resumes:
	// an idempotency key towards the outside.
	Token string
	// Dir is the runbook's directory; relative paths in fields start here.
	Dir string
	// Scratch is a directory of this run and step for logs and other files
	// that may be lost. It exists.
	Scratch string
	// Drill tells that the run is a rehearsal.
	Drill bool
	// Log is for the operator's terminal, already redacted.
	Log *slog.Logger
	// Redact holds the run's secrets, for text that others write.
	Redact *secret.Redactor
	// Progress is fast, unsynced and may be lost.
	Progress Progress
	// Checkpoint is journalled state, synced before Save returns.
	Checkpoint Checkpoint
	// Settings journals what is changed for a while.
	Settings Settings
}

// Progress counts work done; all methods may be called from any goroutine.
type Progress interface {
	// Total sets or corrects how much there is ("rows", "bytes" …).
	Total(unit string, total int64)
	// Add counts work that is now done.
	Add(done int64)
	// Note says in a few words what goes on now.
	Note(text string)
}

// Checkpoint is the small state that lets Run go on after a crash.
type Checkpoint interface {
	// Save journals v (JSON, a few kilobytes) and returns when it is on disk.
	// An error means that the lease is lost or the disk is full: stop.
	Save(ctx context.Context, v any) error
	// Load reads the newest checkpoint of this step, whichever attempt wrote
	// it; false means there is none.
	Load(v any) (bool, error)
}

// Setting is something of the outside world that is changed for a while and
// put back later: a server tuned for a load, a role closed.
type Setting struct {
	// ID is unique in the step, "read_only".
	ID string `json:"id"`
	// What says it in words: `database "shop" refuses writes`.
	What string `json:"what"`
	// Old and New are the values; Old is what goes back.
	Old string `json:"old"`
	New string `json:"new"`
}

// Settings journals changed settings: Change before the change is made,
// Restore after the old value stands again.
type Settings interface {
	Change(ctx context.Context, s Setting) error
	Restore(ctx context.Context, id string) error
	// Changed lists what this step has changed and not yet restored.
	Changed() []Setting
}
