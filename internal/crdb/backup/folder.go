package backup

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// The names that a manifest has had, the newest first.
var manifestNames = [...]string{"BACKUP_METADATA", "BACKUP_MANIFEST", "BACKUP"}

const (
	maxManifest = 1 << 30 // bytes, unpacked
	maxSmall    = 1 << 20 // of files that hold a name or a checksum

	encryptedHead = "encrypt" // begins every encrypted file of a backup

	hintSubdir = "name the folder of one backup: the one with the file BACKUP_METADATA, BACKUP_MANIFEST or BACKUP"
)

// found is a manifest and where it lies.
type found struct {
	root int    // in which of the folders
	dir  string // below it, "." for itself
	*Manifest
}

// discover finds the layers below one folder: the backup in it, or the newest
// one of a collection, and the incremental backups that belong to it. A folder
// without any, as that of a locality, gives none.
func discover(root fs.FS, subdir string) ([]found, error) {
	full := subdir
	if full == "" {
		full = "."
	}
	if _, ok := manifestIn(root, full); !ok && subdir == "" {
		newest, err := newestIn(root)
		if err != nil || newest == "" {
			return nil, err
		}
		full = newest
	}
	dirs := []string{full}
	dirs = append(dirs, incrementals(root, full)...)
	if full != "." {
		dirs = append(dirs, incrementals(root, path.Join("incrementals", full))...)
	}
	var layers []found
	for _, dir := range dirs {
		m, err := readManifest(root, dir)
		if err != nil {
			return nil, err
		}
		if m != nil {
			layers = append(layers, found{dir: dir, Manifest: m})
		}
	}
	return layers, nil
}

// Is says whether a folder holds a backup, a collection of them or a locality's
// part of one, though it be one that Open refuses.
func Is(root fs.FS) bool {
	if _, ok := manifestIn(root, "."); ok {
		return true
	}
	if newest, err := newestIn(root); err == nil && newest != "" {
		return true
	}
	parts, err := fs.Glob(root, "BACKUP_PART*") // of a locality
	return err == nil && len(parts) > 0 || refuseWithout(root, ".") != nil
}

// manifestIn is the name of the newest form of manifest that a folder has.
func manifestIn(root fs.FS, dir string) (string, bool) {
	for _, name := range manifestNames {
		if info, err := fs.Stat(root, path.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return name, true
		}
	}
	return "", false
}

// newestIn is the folder of the newest full backup of a collection, as the
// collection says itself: in the file LATEST, or from 22.1 on in the first of
// metadata/latest, whose names sort backwards in time. Empty if it is none.
func newestIn(root fs.FS) (string, error) {
	name := "LATEST"
	if list, err := fs.ReadDir(root, "metadata/latest"); err == nil && len(list) > 0 {
		name = path.Join("metadata/latest", list[0].Name())
	}
	data, err := readFile(root, name, maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	dir := strings.Trim(strings.TrimSpace(string(data)), "/")
	if !fs.ValidPath(dir) {
		return "", fault.New(fault.Failed, fmt.Sprintf("read the collection's %s: %q is not a folder", name, data), hintSubdir)
	}
	return dir, nil
}

var (
	dayFolder  = regexp.MustCompile(`^\d{8}$`)
	timeFolder = regexp.MustCompile(`^\d{6}\.\d{2}(-\d{8}-\d{6}\.\d{2})?$`)
)

// incrementals are the folders of incremental backups below dir: by day, then by
// time of day.
func incrementals(root fs.FS, dir string) []string {
	var out []string
	days, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil // there are none
	}
	for _, day := range days {
		if !dayFolder.MatchString(day.Name()) {
			continue
		}
		times, err := fs.ReadDir(root, path.Join(dir, day.Name()))
		if err != nil {
			continue
		}
		for _, t := range times {
			if timeFolder.MatchString(t.Name()) {
				out = append(out, path.Join(dir, day.Name(), t.Name()))
			}
		}
	}
	return out
}

// readManifest reads the manifest of a folder; nil if it has none.
func readManifest(root fs.FS, dir string) (*Manifest, error) {
	name, ok := manifestIn(root, dir)
	if !ok {
		return nil, refuseWithout(root, dir)
	}
	name = path.Join(dir, name)
	data, err := readFile(root, name, maxManifest)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte(encryptedHead)) {
		return nil, encrypted(dir)
	}
	if sum, err := readFile(root, name+"-CHECKSUM", maxSmall); err == nil {
		if own := sha256.Sum256(data); !bytes.Equal(sum, own[:4]) {
			return nil, fault.New(fault.Failed, fmt.Sprintf("read %q: its checksum is %x, that in %s-CHECKSUM %x", name, own[:4], path.Base(name), sum), "")
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if data, err = unpack(data); err != nil {
		return nil, fmt.Errorf("unpack %q: %w", name, err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	return m, nil
}

// refuseWithout says what a folder without a manifest is, if it can be told.
func refuseWithout(root fs.FS, dir string) error {
	list, err := fs.ReadDir(root, dir)
	if err != nil {
		return fault.Wrap(fault.Failed, fmt.Sprintf("read the folder %q", dir), err, "")
	}
	for _, f := range list {
		switch {
		case strings.HasPrefix(f.Name(), "ENCRYPTION-INFO"):
			return encrypted(dir)
		case strings.HasPrefix(f.Name(), "BACKUP-CHECKPOINT") || strings.HasPrefix(f.Name(), "BACKUP-LOCK") || f.Name() == "progress":
			return fault.New(fault.Failed, fmt.Sprintf("read the backup in %q: it was never finished: there is a checkpoint and no manifest", dir), "")
		}
	}
	return nil
}

func encrypted(dir string) error {
	return fault.New(fault.Failed, fmt.Sprintf("read the backup in %q: it is encrypted, which is not supported", dir),
		"restore it with CockroachDB and its passphrase or KMS, and salvage from the stores or from a backup without encryption")
}

// unpack undoes gzip, if the data is packed by it.
func unpack(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte("\x1f\x8b\x08")) {
		return data, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(out) > maxManifest {
		err = fmt.Errorf("more than %d bytes", maxManifest)
	}
	return out, err
}

// readFile reads a file whole; limit bounds what is accepted, in bytes.
func readFile(root fs.FS, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	return data, nil
}

// chain orders layers: a full backup and what builds on it, each beginning where
// the one before ends. It goes no further than it must for asOf. What has no
// place in it is left over.
func chain(layers []found, after func(*Manifest) bool) (used, left []found, err error) {
	layers = slices.Clone(layers)
	at := slices.IndexFunc(layers, func(l found) bool { return l.Start.IsZero() })
	if at < 0 {
		return nil, nil, fault.New(fault.Invalid, "read the backup: it is an incremental one without the full backup that it builds on",
			"name the folder of the full backup first, then those of the incremental ones")
	}
	for at >= 0 {
		used = append(used, layers[at])
		layers = slices.Delete(layers, at, at+1)
		end := used[len(used)-1].End
		at = -1
		for i, l := range layers {
			if l.Start == end && !after(l.Manifest) && (at < 0 || layers[at].End.Compare(l.End) < 0) {
				at = i
			}
		}
	}
	return used, layers, nil
}
