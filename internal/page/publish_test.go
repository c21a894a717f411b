package page_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/page"
)

// list says what is in a directory, down to inodes: the very same files.
func list(t testing.TB, dir string) map[string]any {
	t.Helper()
	all := map[string]any{}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = []any{info.Mode(), info.ModTime(), info.Sys().(*syscall.Stat_t).Ino}
	}
	return all
}

func TestRestoreBringsBackTheVeryFiles(t *testing.T) {
	worlds := map[string]func(t *testing.T, dir string){
		"missing": func(t *testing.T, dir string) { must(t, os.Remove(dir)) },
		"empty":   func(*testing.T, string) {},
		"a site": func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "index.html"), []byte("the shop"), 0o640))
			must(t, os.WriteFile(filepath.Join(dir, "other.css"), []byte("x"), 0o600))
		},
		"a link": func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "real.html"), []byte("the shop"), 0o640))
			must(t, os.Symlink("real.html", filepath.Join(dir, "index.html")))
			must(t, os.WriteFile(filepath.Join(dir, "status.json"), []byte("{}"), 0o640))
		},
	}
	for name, prepare := range worlds {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "down")
			must(t, os.Mkdir(dir, 0o755))
			prepare(t, dir)
			want := list(t, dir)
			_, err := page.Keep(dir, "id") // cut off here once
			must(t, err)
			before, err := page.Keep(dir, "id")
			must(t, err)
			for range 2 {
				must(t, page.Publish(dir, "id", full(t)))
				must(t, page.Published(dir, full(t)))
			}
			if info, err := os.Stat(filepath.Join(dir, page.HTMLFile)); err != nil || info.Mode() != 0o644 {
				t.Errorf("page has mode %v, %v: a web server must be able to read it", info.Mode(), err)
			}
			for range 2 {
				must(t, page.Restore(dir, "id", before))
				if diff := cmp.Diff(want, list(t, dir)); diff != "" {
					t.Errorf("after restore (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestPublishedSeesAnyChange(t *testing.T) {
	dir := t.TempDir()
	must(t, page.Publish(dir, "id", full(t)))
	if err := page.Published(dir, page.Default()); err == nil {
		t.Error("another notice passes for this one")
	}
	must(t, os.Remove(filepath.Join(dir, page.JSONFile)))
	if err := page.Published(dir, full(t)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without status.json: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
