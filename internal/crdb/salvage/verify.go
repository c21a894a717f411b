package salvage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/fault"
)

// ReadReport reads the report of a salvage.
func ReadReport(dir string) (*Report, error) {
	text, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		return nil, fault.Wrap(fault.Failed, "read report", err, "salvage again: the same command goes on where it stopped")
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read report in %q: %w", dir, err)
	}
	return &r, nil
}

// Begun tells whether a folder holds a salvage, finished or not.
func Begun(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, stateName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Verify reads all parts back: they must be as they were written.
func Verify(ctx context.Context, dir string) (*Report, error) {
	r, err := ReadReport(dir)
	if err != nil {
		return nil, err
	}
	var parts []Part
	for _, t := range r.Tables {
		parts = append(parts, t.Parts...)
	}
	for _, t := range r.Dropped {
		parts = append(parts, t.Parts...)
	}
	for _, t := range r.Raw {
		parts = append(parts, t.Parts...)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range parts {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			same, err := p.same(filepath.Join(dir, filepath.FromSlash(p.Name)))
			if err == nil && !same {
				err = fault.New(fault.Different, fmt.Sprintf("file %q is not what was written", p.Name), "salvage again: it writes that part anew")
			}
			return err
		})
	}
	return r, g.Wait()
}
