package salvage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/rows"
)

// File is a file that was written whole, by what it is recognised.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// part is a file in the making, under a temporary name of its own until it is
// whole: a file may be written twice at once.
type part struct {
	name string
	file *os.File
	hash hash.Hash
	size int64
}

func createPart(name string) (*part, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name+"."+rand.Text()+temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &part{name: name, file: f, hash: sha256.New()}, nil
}

// temporary is the end of the names of files in the making, behind a text that
// nobody else has.
const temporary = ".tmp"

// isTemporary tells whether a name is that of a file in the making.
func isTemporary(name string) bool {
	rest, ok := strings.CutSuffix(name, temporary)
	return ok && len(filepath.Ext(rest)) == len(".")+len(rand.Text())
}

// removeTemporary takes away what calls that were cut off have left of the files
// of a salvage. Nobody may be writing.
func removeTemporary(dir string) error {
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && filepath.Dir(name) == dir && e.Name() != "data" && e.Name() != "raw":
			return fs.SkipDir // not of ours: stores, what a load puts aside
		case !e.IsDir() && isTemporary(e.Name()):
			return os.Remove(name)
		}
		return nil
	})
}

func (p *part) Write(b []byte) (int, error) {
	killpoint()
	n, err := p.file.Write(b)
	p.hash.Write(b[:n])
	p.size += int64(n)
	return n, err
}

// finish gives the file its name. It lasts once it was synced: until then a crash
// of the machine may take it, which its hash shows.
func (p *part) finish() (*File, error) {
	f := p.file
	p.file = nil
	killpoint()
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("write %q: %w", p.name, err)
	}
	killpoint()
	if err := os.Rename(f.Name(), p.name); err != nil {
		return nil, err
	}
	killpoint()
	return &File{Bytes: p.size, SHA256: hex.EncodeToString(p.hash.Sum(nil))}, nil
}

// discard takes away what was not finished.
func (p *part) discard() error {
	if p == nil || p.file == nil {
		return nil
	}
	return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
}

// syncFile makes a file last, or the names in a folder.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncing is how many files are synced at once: most of the time is waiting.
const syncing = 16

// syncAll makes the parts of a salvage last, with their names.
func syncAll(ctx context.Context, dir string, p *Plan, results []Result) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(syncing)
	folders := map[string]bool{}
	sync := func(name string) {
		g.Go(func() error { return errors.Join(ctx.Err(), syncFile(name)) })
	}
	for _, r := range results {
		name := filepath.Join(dir, filepath.FromSlash(p.Tasks[r.Task].Part))
		if r.File != nil {
			folders[filepath.Dir(name)] = true
			sync(name)
		}
		if r.Doubtful != nil {
			sync(doubtfulName(name))
		}
	}
	for folder := range folders {
		sync(folder)
	}
	return g.Wait()
}

// writeFile writes a small file as a part is written, and makes it last.
func writeFile(name string, data []byte) error {
	p, err := createPart(name)
	if err != nil {
		return err
	}
	if _, err := p.Write(data); err != nil {
		return errors.Join(err, p.discard())
	}
	if err := p.file.Sync(); err != nil {
		return errors.Join(err, p.discard())
	}
	if _, err = p.finish(); err != nil {
		return err
	}
	return syncFile(filepath.Dir(name))
}

// same says whether a file on disk is the one that was written.
func (f *File) same(name string) (bool, error) {
	in, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = in.Close() }() // it was only read
	h := sha256.New()
	n, err := io.Copy(h, in)
	return n == f.Bytes && hex.EncodeToString(h.Sum(nil)) == f.SHA256, err
}

// lazyPart is a part that is there only if something is written to it.
type lazyPart struct {
	name string
	*part
}

func (p *lazyPart) Write(b []byte) (int, error) {
	if p.part == nil {
		var err error
		if p.part, err = createPart(p.name); err != nil {
			return 0, err
		}
	}
	return p.part.Write(b)
}

// finish gives the file its name. Without one, none of that name stays: one may
// be left of another release.
func (p *lazyPart) finish() (*File, error) {
	if p.part != nil {
		return p.part.finish()
	}
	if err := os.Remove(p.name); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, nil
}

// onDemand is a CSV that writes its header only before a first row.
type onDemand struct {
	*rows.CSV
	decoder *rows.Decoder
}

// Begin keeps the header for the first row.
func (o *onDemand) Begin(d *rows.Decoder) error {
	o.decoder = d
	return nil
}

// Row writes a row, and the header before the first.
func (o *onDemand) Row(r *rows.Row) error {
	if o.decoder != nil {
		if err := o.CSV.Begin(o.decoder); err != nil {
			return err
		}
		o.decoder = nil
	}
	return o.CSV.Row(r)
}

// End writes what is left, nothing if there was no row.
func (o *onDemand) End() error {
	if o.decoder != nil {
		return nil
	}
	return o.CSV.End()
}
