package salvage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/evac-io/evac/internal/crdb/rows"
)

// File is a file that was written whole, by what it is recognised.
type File struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// part is a file in the making, under a temporary name until it is whole.
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
	f, err := os.Create(name + ".tmp")
	if err != nil {
		return nil, err
	}
	return &part{name: name, file: f, hash: sha256.New()}, nil
}

func (p *part) Write(b []byte) (int, error) {
	killpoint()
	n, err := p.file.Write(b)
	p.hash.Write(b[:n])
	p.size += int64(n)
	return n, err
}

// finish makes the file last and gives it its name.
func (p *part) finish() (*File, error) {
	f := p.file
	p.file = nil
	killpoint()
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write %q: %w", p.name, err)
	}
	killpoint()
	if err := os.Rename(f.Name(), p.name); err != nil {
		return nil, err
	}
	killpoint()
	return &File{Bytes: p.size, SHA256: hex.EncodeToString(p.hash.Sum(nil))}, syncDir(filepath.Dir(p.name))
}

// discard takes away what was not finished.
func (p *part) discard() error {
	if p == nil || p.file == nil {
		return nil
	}
	return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
}

// syncDir makes the names in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeFile writes a small file as a part is written.
func writeFile(name string, data []byte) error {
	p, err := createPart(name)
	if err != nil {
		return err
	}
	if _, err := p.Write(data); err != nil {
		return errors.Join(err, p.discard())
	}
	_, err = p.finish()
	return err
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

func (p *lazyPart) finish() (*File, error) {
	if p.part == nil {
		return nil, nil
	}
	return p.part.finish()
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
