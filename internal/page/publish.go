package page

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Before is what a directory held before a page was published there.
type Before struct {
	Dir  bool `json:"dir"`  // it existed
	HTML bool `json:"html"` // it held an index.html
	JSON bool `json:"json"` // it held a status.json
}

// files pairs each file of a page with the answer whether there was one before.
func (b *Before) files() map[string]*bool {
	return map[string]*bool{HTMLFile: &b.HTML, JSONFile: &b.JSON}
}

// keptName is under which name a file from before stays beside the page. The id
// tells publications apart.
func keptName(id, file string) string { return ".evac-before-" + id + "-" + file }

func newName(id, file string) string { return ".evac-new-" + id + "-" + file }

// Keep gives what stands in dir a second name, so that Restore can bring back
// the very same files. It may be called again as long as nothing is published.
func Keep(dir, id string) (Before, error) {
	var b Before
	if _, err := os.Stat(dir); err != nil {
		return b, unlessMissing(err)
	}
	b.Dir = true
	for file, had := range b.files() {
		kept := filepath.Join(dir, keptName(id, file))
		if err := unlessMissing(os.Remove(kept)); err != nil {
			return b, fmt.Errorf("keep %q: %w", file, err)
		}
		err := os.Link(filepath.Join(dir, file), kept)
		if unlessMissing(err) != nil {
			return b, fmt.Errorf("keep %q: %w", file, err)
		}
		*had = err == nil
	}
	return b, syncDir(dir)
}

// Publish puts the page into dir, each file whole or not at all. It makes dir if
// only that is missing.
func Publish(dir, id string, n Notice) error {
	html, htmlErr := n.HTML()
	status, jsonErr := n.JSON()
	if err := errors.Join(htmlErr, jsonErr); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("publish page: %w", err)
	}
	for file, body := range map[string][]byte{HTMLFile: html, JSONFile: status} {
		if err := replace(dir, newName(id, file), file, body); err != nil {
			return fmt.Errorf("publish %q: %w", file, err)
		}
	}
	return syncDir(dir)
}

// Published proves that dir holds exactly this page.
func Published(dir string, n Notice) error {
	html, htmlErr := n.HTML()
	status, jsonErr := n.JSON()
	all := []error{htmlErr, jsonErr}
	for file, want := range map[string][]byte{HTMLFile: html, JSONFile: status} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%q holds %d bytes that are not the page", filepath.Join(dir, file), len(got))
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// Restore brings dir back to what it was before, and leaves nothing beside.
func Restore(dir, id string, b Before) error {
	for file, had := range b.files() {
		path, kept := filepath.Join(dir, file), filepath.Join(dir, keptName(id, file))
		var err error
		if *had {
			err = unlessMissing(os.Rename(kept, path)) // missing: an earlier call did it
		} else {
			err = unlessMissing(os.Remove(path))
		}
		if err != nil {
			return fmt.Errorf("restore %q: %w", file, err)
		}
	}
	if err := Clear(dir, id); err != nil || b.Dir {
		return err
	}
	// Whoever put something else there wants the directory to stay.
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		return unlessMissing(err)
	}
	return os.Remove(dir)
}

// Clear removes what Keep and a Publish that was cut off may have left beside.
func Clear(dir, id string) error {
	var all []error
	for _, file := range []string{HTMLFile, JSONFile} {
		for _, name := range []string{keptName(id, file), newName(id, file)} {
			all = append(all, unlessMissing(os.Remove(filepath.Join(dir, name))))
		}
	}
	return errors.Join(errors.Join(all...), unlessMissing(syncDir(dir)))
}

// replace writes a file under another name and moves it into place.
func replace(dir, temporary, file string, body []byte) error {
	path := filepath.Join(dir, temporary)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return os.Rename(path, filepath.Join(dir, file))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
