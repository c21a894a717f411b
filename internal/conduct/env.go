package conduct

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/step"
)

const timeLayout = time.RFC3339

var discardLog = slog.New(slog.DiscardHandler)

// env makes the Env of one attempt of a node.
func (c *conductor) env(w *worker) (*step.Env, error) {
	scratch := filepath.Join(c.o.Journal.RunDir(c.run), scratchName(w.node.ID))
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	token := sha256.Sum256([]byte(c.run + "\x00" + w.node.ID))
	return &step.Env{
		Run: c.run, Step: w.node.ID, Attempt: w.attempt, Token: hex.EncodeToString(token[:16]),
		Dir: c.p.Dir, Scratch: scratch, Drill: c.p.Body.Mode == journal.Drill,
		Log: c.o.Log.With("step", w.node.ID), Redact: c.p.Secrets,
		Progress: w, Checkpoint: (*checkpoint)(w), Settings: (*settings)(w),
	}, nil
}

// scratchName is a node's ID as a file name.
func scratchName(id string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id)
	if clean == id {
		return id
	}
	sum := sha256.Sum256([]byte(id)) // two instances must not share a directory
	return clean + "-" + hex.EncodeToString(sum[:4])
}

func withTimeout(ctx context.Context, n *runbook.Node) (context.Context, context.CancelFunc) {
	if n.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, n.Timeout, fmt.Errorf("timeout of %s passed", n.Timeout))
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// meter counts a step's progress; the loop writes it out now and then.
type meter struct {
	done, total atomic.Int64
	mu          sync.Mutex
	unit, note  string
	half        func() // called once when half the work is done; may be nil
}

// Total implements step.Progress.
func (m *meter) Total(unit string, total int64) {
	m.total.Store(total)
	m.mu.Lock()
	m.unit = unit
	m.mu.Unlock()
}

// Add implements step.Progress.
func (m *meter) Add(done int64) {
	if now := m.done.Add(done); m.half != nil && 2*now >= m.total.Load() {
		m.half()
	}
}

// Note implements step.Progress.
func (m *meter) Note(text string) {
	m.mu.Lock()
	m.note = text
	m.mu.Unlock()
}

func (m *meter) read() (unit, note string, done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unit, m.note, m.done.Load(), m.total.Load()
}

// checkpoint is a worker's view of its saved state.
type checkpoint worker

// Save implements step.Checkpoint: it returns when the state is on disk.
func (k *checkpoint) Save(ctx context.Context, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	w := (*worker)(k)
	if err := w.write(ctx, journal.StepSaved, json.RawMessage(body)); err != nil {
		return err
	}
	w.mu.Lock()
	w.saved = body
	w.mu.Unlock()
	if w.half != nil {
		w.half()
	}
	return nil
}

// Load implements step.Checkpoint.
func (k *checkpoint) Load(v any) (bool, error) {
	w := (*worker)(k)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.saved) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(w.saved, v); err != nil {
		return false, fmt.Errorf("decode checkpoint: %w", err)
	}
	return true, nil
}

// settings is a worker's view of what it has changed.
type settings worker

// Change implements step.Settings.
func (k *settings) Change(ctx context.Context, s step.Setting) error {
	w := (*worker)(k)
	if err := w.write(ctx, journal.StepChanged, s); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.changed, func(o step.Setting) bool { return o.ID == s.ID }); i >= 0 {
		w.changed[i].New = s.New
	} else {
		w.changed = append(w.changed, s)
	}
	return nil
}

// Restore implements step.Settings.
func (k *settings) Restore(ctx context.Context, id string) error {
	w := (*worker)(k)
	if err := w.write(ctx, journal.StepRestored, journal.SettingBody{ID: id}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed = slices.DeleteFunc(w.changed, func(o step.Setting) bool { return o.ID == id })
	return nil
}

// Changed implements step.Settings.
func (k *settings) Changed() []step.Setting {
	w := (*worker)(k)
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changed)
}
