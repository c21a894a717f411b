package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Paths are the places in a demo's directory.
type Paths struct{ Dir string }

// What the demo leaves behind.

// Home is the journal's directory (EVAC_HOME).
func (p Paths) Home() string { return p.in("journal") }

// Report is the after-action report.
func (p Paths) Report() string { return p.in("report.md") }

// Result is what Result holds, as JSON.
func (p Paths) Result() string { return p.in("result.json") }

// What goes when the world ends.

// Options is what Options holds, as JSON.
func (p Paths) Options() string { return p.in("options.json") }

// Info is what Info holds, as JSON.
func (p Paths) Info() string { return p.in("world.json") }

// Env is a shell file with the variables that a conductor needs, secrets too.
func (p Paths) Env() string { return p.in("demo.env") }

// Log is what the world's process says.
func (p Paths) Log() string { return p.in("world.log") }

// Page is the directory of the maintenance page.
func (p Paths) Page() string { return p.in("page") }

// Ledger holds the keys of all acknowledged orders.
func (p Paths) Ledger() string { return p.in("acknowledged") }

// Settled is there once customers have ordered in the new place for a while, if
// the world goes home from there.
func (p Paths) Settled() string { return p.in("settled") }

// Announcements holds what the webhook received, one JSON object a line.
func (p Paths) Announcements() string { return p.in("announcements.jsonl") }

func (p Paths) in(name string) string { return filepath.Join(p.Dir, name) }

// tidy removes what is of no use without the world; the log stays if it says
// why the world could not go on.
func (p Paths) tidy(keepLog bool) error {
	paths := []string{p.Options(), p.Info(), p.Env(), p.Page(), p.Ledger(), p.Announcements(), p.Settled()}
	if !keepLog {
		paths = append(paths, p.Log())
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// writeJSON puts a file there whole or not at all.
func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return writeFile(path, append(text, '\n'))
}

func writeFile(path string, text []byte) error {
	half := path + ".new"
	if err := os.WriteFile(half, text, 0o600); err != nil {
		return err
	}
	return os.Rename(half, path)
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	return nil
}
