package salvage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/fault"
)

// storesName is the folder in the output folder in which archives are unpacked.
const storesName = "stores"

// input is one folder that is read, and what the operator calls it.
type input struct{ name, dir string }

// inputs makes folders out of what was named: archives are unpacked, and with
// CopyTo everything is copied first. What was made before serves again.
func (c *Cluster) inputs(ctx context.Context, names []string, opt Options) ([]input, error) {
	for _, folder := range []string{opt.CopyTo, opt.Work} {
		if err := outside(folder, names); err != nil {
			return nil, err
		}
	}
	taken := map[string]bool{}
	var out []input
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, fault.Wrap(fault.Invalid, "read store", err, "name the folder of a store, or an archive of it: evac cockroach survey STORE…")
		case info.Mode().IsRegular() && !store.IsArchive(name):
			return nil, fault.New(fault.Invalid, fmt.Sprintf("read store %q: it is a file, and no archive", name), "name the store's folder, or its .tar, .tar.gz or .tar.zst")
		case !info.IsDir():
			got, err := c.unpack(ctx, name, opt, taken)
			if err != nil {
				return nil, err
			}
			out = append(out, got...)
		case opt.CopyTo != "":
			to := filepath.Join(opt.CopyTo, free(taken, filepath.Base(filepath.Clean(name))))
			c.note("copying %s to %s, with its hashes", name, to)
			if _, err := store.Copy(ctx, name, to); err != nil {
				return nil, err
			}
			out = append(out, input{name: name, dir: to})
		default:
			out = append(out, input{name: name, dir: name})
		}
	}
	return out, nil
}

// unpack unpacks one archive, which may hold several stores.
func (c *Cluster) unpack(ctx context.Context, archive string, opt Options, taken map[string]bool) ([]input, error) {
	work := opt.Work
	if opt.CopyTo != "" {
		work = opt.CopyTo
	}
	if work == "" {
		var err error
		if work, err = c.scratchFolder(); err != nil {
			return nil, err
		}
	}
	to := filepath.Join(work, free(taken, stem(archive)))
	c.note("unpacking %s into %s", archive, to)
	dirs, _, err := store.Unpack(ctx, archive, to)
	if err != nil {
		return nil, err
	}
	var out []input
	for _, dir := range dirs {
		in := input{name: archive, dir: dir}
		if rel, err := filepath.Rel(to, dir); err == nil && rel != "." && len(dirs) > 1 {
			in.name += ":" + filepath.ToSlash(rel)
		}
		out = append(out, in)
	}
	return out, nil
}

// scratchFolder is a folder that goes when the cluster is closed.
func (c *Cluster) scratchFolder() (string, error) {
	if c.scratch == "" {
		dir, err := os.MkdirTemp("", "evac-stores-")
		if err != nil {
			return "", err
		}
		c.scratch = dir
	}
	return c.scratch, nil
}

// stem is an archive's name without its ends.
func stem(archive string) string {
	name := filepath.Base(archive)
	for _, end := range []string{".zst", ".gz", ".tar", ".tgz", ".tzst"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}

// free is a name that was not given yet: the one that is wanted, or it with a
// number behind. The same inputs in the same order always get the same names.
func free(taken map[string]bool, wanted string) string {
	name := wanted
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d", wanted, i)
	}
	taken[name] = true
	return name
}

// outside refuses a folder to write to that lies in the evidence.
func outside(folder string, evidence []string) error {
	if folder == "" {
		return nil
	}
	to, err := resolve(folder)
	if err != nil {
		return err
	}
	for _, name := range evidence {
		in, err := resolve(name)
		if err != nil {
			return err
		}
		if to == in || strings.HasPrefix(to, in+string(filepath.Separator)) {
			return fault.New(fault.Invalid, fmt.Sprintf("folder %q lies in the evidence %q, which is only read", folder, name), "name a folder elsewhere, best on another disk")
		}
	}
	return nil
}

// resolve is the absolute path without links, also of what is not there yet.
func resolve(name string) (string, error) {
	at, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(at)
	if !errors.Is(err, os.ErrNotExist) {
		return real, err
	}
	parent, err := resolve(filepath.Dir(at))
	return filepath.Join(parent, filepath.Base(at)), err
}
