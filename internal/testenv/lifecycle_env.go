package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// ErrCut is what every journal write answers after the cut: the conductor is
// as good as dead.
var ErrCut = errors.New("journal write refused: the run was cut off here")

// checkpointLimit is what a checkpoint may weigh, in bytes.
const checkpointLimit = 16 << 10

// Env gives a step a world of its own: a scratch directory and a Memory for
// journal. A test that wants to look into the Memory finds it again by
// MemoryOf.
func Env(t testing.TB) *step.Env {
	t.Helper()
	m := &Memory{t: t}
	return &step.Env{
		Run: "run-1", Step: "kind.name", Attempt: 1, Token: "token-of-run-1-kind.name",
		Dir: t.TempDir(), Scratch: t.TempDir(),
		Log:    slog.New(slog.DiscardHandler),
		Redact: &secret.Redactor{}, Progress: m, Checkpoint: m, Settings: m,
	}
}

// MemoryOf finds the journal behind an environment made by Env.
func MemoryOf(env *step.Env) *Memory { return env.Checkpoint.(*Memory) }

// Memory is a step's part of the journal, in memory. It is also a place where
// Run can be cut off: see Cut.
type Memory struct {
	t testing.TB

	mu      sync.Mutex
	saved   json.RawMessage
	changed []step.Setting
	notes   []string
	total   step.Work
	done    int64

	writes int
	cut    *cut
}

// cut says at which journal write Run ends.
type cut struct {
	at     int  // counted from 1
	landed bool // the write itself still reaches the journal
	end    context.CancelFunc
}

// Cut arms the memory: the journal write number at (from 1, counted from now)
// ends the context that Cut returns and fails, as do all that follow. If
// landed, that write still is in the journal.
func (m *Memory) Cut(ctx context.Context, at int, landed bool) context.Context {
	ctx, end := context.WithCancel(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes, m.cut = 0, &cut{at: at, landed: landed, end: end}
	return ctx
}

// Heal takes writes again, counting from 0, as a new conductor's journal does.
func (m *Memory) Heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut != nil {
		m.cut.end()
	}
	m.writes, m.cut = 0, nil
}

// forget drops the checkpoint, as the journal does after a good undo.
func (m *Memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved = nil
}

// Writes counts the journal writes since the beginning, Cut or Heal.
func (m *Memory) Writes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.writes
}

// Notes lists what the step has told of its progress.
func (m *Memory) Notes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.notes)
}

// Counted is how much work the step has counted and how much it announced.
func (m *Memory) Counted() (done int64, total step.Work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done, m.total
}

// write does one journal write, or refuses it.
func (m *Memory) write(ctx context.Context, do func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.cut != nil && m.writes >= m.cut.at {
		if m.cut.landed && m.writes == m.cut.at {
			do()
		}
		m.cut.end()
		return ErrCut
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	do()
	return nil
}

// Save implements step.Checkpoint.
func (m *Memory) Save(ctx context.Context, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > checkpointLimit {
		m.t.Errorf("checkpoint of %d bytes, want at most %d", len(text), checkpointLimit)
	}
	return m.write(ctx, func() { m.saved = text })
}

// Load implements step.Checkpoint.
func (m *Memory) Load(v any) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.saved == nil {
		return false, nil
	}
	return true, json.Unmarshal(m.saved, v)
}

// Change implements step.Settings. Like the journal, it keeps the value from
// before the first change.
func (m *Memory) Change(ctx context.Context, s step.Setting) error {
	return m.write(ctx, func() {
		if i := m.setting(s.ID); i >= 0 {
			m.changed[i].New = s.New
			return
		}
		m.changed = append(m.changed, s)
	})
}

// Restore implements step.Settings.
func (m *Memory) Restore(ctx context.Context, id string) error {
	return m.write(ctx, func() {
		if i := m.setting(id); i >= 0 {
			m.changed = slices.Delete(m.changed, i, i+1)
		}
	})
}

func (m *Memory) setting(id string) int {
	return slices.IndexFunc(m.changed, func(s step.Setting) bool { return s.ID == id })
}

// Changed implements step.Settings.
func (m *Memory) Changed() []step.Setting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.changed)
}

// Total implements step.Progress.
func (m *Memory) Total(unit string, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total = step.Work{Unit: unit, Total: total}
}

// Add implements step.Progress.
func (m *Memory) Add(done int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += done
}

// Note implements step.Progress.
func (m *Memory) Note(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, text)
}
