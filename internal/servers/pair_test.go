package servers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPairChoice(t *testing.T) {
	whole := func(major int) Install { return Install{Major: major, Bin: "whole", PgDump: true} }
	bare := func(major int) Install { return Install{Major: major, Bin: "bare"} }
	for _, tt := range []struct {
		name                 string
		installs             []Install
		older, newer, pgDump int // 0: refused
	}{
		{"nothing", nil, 0, 0, 0},
		{"one", []Install{whole(15)}, 0, 0, 0},
		{"one major twice", []Install{whole(15), whole(15)}, 0, 0, 0},
		{"two", []Install{whole(15), whole(18)}, 15, 18, 18},
		{"the widest of three", []Install{whole(15), whole(16), whole(18)}, 15, 18, 18},
		{"no pg_dump", []Install{bare(15), bare(16)}, 0, 0, 0},
		{"no pg_dump for the newest", []Install{bare(13), whole(15), bare(18)}, 13, 15, 15},
		{"pg_dump of the older alone", []Install{whole(15), bare(18)}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			older, newer, pgDump, err := pair(tt.installs)
			if tt.older == 0 {
				if err == nil {
					t.Fatalf("got %v and %v", older, newer)
				}
				return
			}
			got := []int{older.Major, newer.Major, pgDump.Major}
			if diff := cmp.Diff([]int{tt.older, tt.newer, tt.pgDump}, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

// Many who fetch the same at once fetch it once; what fails leaves nothing
// that looks complete.
func TestPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "thing")
	broken := errors.New("broken")
	err := place(t.Context(), dir, func(part string) error {
		return errors.Join(os.WriteFile(filepath.Join(part, "half"), nil, 0o600), broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got error %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something is there: %v", err)
	}
	var fills atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := place(t.Context(), dir, func(part string) error {
				fills.Add(1)
				return os.WriteFile(filepath.Join(part, "whole"), nil, 0o600)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if diff := cmp.Diff([]string{filepath.Join(dir, "whole")}, left); err != nil || diff != "" || fills.Load() != 1 {
		t.Errorf("filled %d times; %v %s", fills.Load(), err, diff)
	}
}

// Whoever waits for a lock can be called off.
func TestPlaceIsCalledOff(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "thing")
	ctx, cancel := context.WithCancel(t.Context())
	err := place(t.Context(), dir, func(string) error {
		cancel()
		return place(ctx, dir, func(string) error { return errors.New("two at once") })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}
