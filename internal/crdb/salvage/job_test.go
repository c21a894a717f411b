package salvage

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	tasks "github.com/evac-io/evac/internal/engine"
)

// small makes many tasks of the tiny stores.
const small = 20_000

// contents are all files of a folder but the state, whose lines come in the order
// in which tasks end.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == stateName {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		out[rel] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// begun is a job with the tasks of the tiny stores.
func begun(t *testing.T, stores []string, dir string) (*Job, []tasks.Task) {
	t.Helper()
	j, err := Begin(t.Context(), stores, dir, Options{Piece: small})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	list, err := j.Split()
	if err != nil {
		t.Fatal(err)
	}
	return j, list
}

// TestWorkersMakeNoDifference salvages with one, two and seven workers: every
// file is the same to the byte.
func TestWorkersMakeNoDifference(t *testing.T) {
	stores := fixture(t, "tiny")
	var want map[string]string
	for _, workers := range []int{1, 2, 7} {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Run(t.Context(), stores, dir, Options{Piece: small, Jobs: workers}, quiet); err != nil {
			t.Fatal(err)
		}
		got := contents(t, dir)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d workers: %s", workers, diff)
		}
	}
	if n := len(want); n < 60 {
		t.Errorf("%d files: the pieces are not small enough to show anything", n)
	}
}

// TestTasksTwiceAtOnce has two jobs, each with stores of its own as processes on
// two machines have them, do every task at the same time into one folder, in
// opposite orders, and a third one merge the results of either: all is as if one
// had done it alone.
func TestTasksTwiceAtOnce(t *testing.T) {
	stores := fixture(t, "tiny")
	alone := filepath.Join(t.TempDir(), "alone")
	if _, err := Run(t.Context(), stores, alone, Options{Piece: small}, quiet); err != nil {
		t.Fatal(err)
	}
	want := contents(t, alone)
	dir := filepath.Join(t.TempDir(), "out")
	merger, list := begun(t, stores, dir)
	first, _ := begun(t, stores, dir)
	second, _ := begun(t, stores, dir)
	var results [2][]json.RawMessage
	g, ctx := errgroup.WithContext(t.Context())
	g.Go(func() (err error) {
		results[0], err = tasks.Local{Workers: 3}.Run(ctx, list, first.Do)
		return err
	})
	g.Go(func() (err error) {
		back := slices.Clone(list)
		slices.Reverse(back)
		results[1], err = tasks.Local{Workers: 3}.Run(ctx, back, second.Do)
		slices.Reverse(results[1])
		return err
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if diff := cmp.Diff(string(results[0][i]), string(results[1][i])); diff != "" {
			t.Errorf("task %s: %s", list[i].Body, diff)
		}
	}
	for _, r := range results {
		if _, err := merger.Merge(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
			t.Fatal(diff)
		}
	}
	if _, err := merger.Merge(t.Context(), results[0][1:]); err == nil {
		t.Error("a result is missing, and nobody minds")
	}
}

// TestOneTaskAtOnce does one task many times at the same time, with others that
// are cut off in between: its file is whole whenever it is there.
func TestOneTaskAtOnce(t *testing.T) {
	stores := fixture(t, "tiny")
	dir := filepath.Join(t.TempDir(), "out")
	j, list := begun(t, stores, dir)
	largest := slices.MaxFunc(j.Tasks, func(a, b Task) int {
		if a.Part == "" || b.Part == "" {
			return len(a.Part) - len(b.Part)
		}
		return int(a.Bytes - b.Bytes)
	})
	task, name := list[largest.ID], filepath.Join(dir, filepath.FromSlash(largest.Part))
	first, err := j.Do(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var g errgroup.Group
	for i := range 24 {
		g.Go(func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				cancel()
			}
			r, err := j.Do(ctx, task)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			if err == nil && string(r) != string(first) {
				t.Errorf("the results differ: %s", cmp.Diff(string(first), string(r)))
			}
			text, readErr := os.ReadFile(name)
			if string(text) != string(want) {
				t.Errorf("the file has %d bytes of %d", len(text), len(want))
			}
			return errors.Join(err, readErr)
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if got := slices.Collect(maps.Keys(contents(t, dir))); len(got) != 1 {
		t.Errorf("what is left: %q", got)
	}
}

// TestCutOffFilesGo has a salvage begin in a folder where an earlier one was cut
// off while it wrote: its temporary files go, those of others stay.
func TestCutOffFilesGo(t *testing.T) {
	stores := fixture(t, "tiny")
	dir := filepath.Join(t.TempDir(), "out")
	opt := Options{Tables: []string{"kingdom.public.guilds"}}
	if _, err := Run(t.Context(), stores, dir, opt, quiet); err != nil {
		t.Fatal(err)
	}
	want := contents(t, dir)
	own := filepath.Join(dir, "stores", "note.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp")
	if err := errors.Join(os.Mkdir(filepath.Dir(own), 0o755), os.WriteFile(own, nil, 0o644), os.WriteFile(filepath.Join(dir, "my.tmp"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	want["my.tmp"], want["stores/note.ABCDEFGHIJKLMNOPQRSTUVWXYZ.tmp"] = "", ""
	for name := range want {
		if strings.HasSuffix(name, ".csv") || name == "schema.sql" {
			p, err := createPart(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Write([]byte("torn")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.file.Close() })
		}
	}
	if _, err := Run(t.Context(), stores, dir, opt, quiet); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
		t.Error(diff)
	}
}
