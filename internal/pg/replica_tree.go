package pg

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// tree writes the files of archives and remembers their sums.
type tree struct {
	as    *account
	crc   *crc32.Table
	buf   []byte
	sums  map[string]fileSum // by path in the data directory
	files int64
	bytes int64
	total int64
}

// fileSum is what a manifest says of a file.
type fileSum struct {
	size int64
	crc  string
}

// unpackBuffer is how much is read from an archive at a time.
const unpackBuffer = 256 << 10

func newTree(as *account) *tree {
	return &tree{as: as, crc: crc32.MakeTable(crc32.Castagnoli), buf: make([]byte, unpackBuffer), sums: map[string]fileSum{}}
}

// unpack writes an archive below dir; prefix is where that stands in the data
// directory. Links to tablespaces point to their places here.
func (t *tree) unpack(archive io.Reader, dir, prefix string, tablespaces map[string]string, progress Progress) error {
	in := tar.NewReader(archive)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			// Whatever pads the archive must be read as well.
			_, err = io.Copy(io.Discard, archive)
			return err
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if !filepath.IsLocal(h.Name) {
			return fmt.Errorf("read archive: %q leads out of the directory", h.Name)
		}
		path := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = t.mkdir(path)
		case tar.TypeSymlink:
			target, ok := tablespaces[h.Linkname]
			if !ok {
				return fmt.Errorf("read archive: %q links to %q, which has no directory here", h.Name, h.Linkname)
			}
			err = os.Symlink(target, path)
		case tar.TypeReg:
			err = t.file(in, path, filepath.Join(prefix, h.Name), progress)
		default:
			err = fmt.Errorf("read archive: %q is of unknown type %q", h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

func (t *tree) mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return t.as.own(path)
}

// file writes one file that is not there yet.
func (t *tree) file(content io.Reader, path, name string, progress Progress) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := crc32.New(t.crc)
	n, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, sum, telling{progress})}, content, t.buf)
	t.sums[filepath.ToSlash(name)] = fileSum{n, castagnoli(sum.Sum32())}
	t.files, t.bytes = t.files+1, t.bytes+n
	return errors.Join(err, t.as.own(path))
}

// telling tells the progress of what is written to it.
type telling struct{ progress Progress }

// Write implements io.Writer.
func (c telling) Write(p []byte) (int, error) {
	c.progress.Add(int64(len(p)))
	return len(p), nil
}

// own gives a file to the account, not what a link points to.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Lchown(path, int(a.uid), int(a.gid))
}

// syncTree brings all files below dir to disk.
func syncTree(ctx context.Context, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// exists tells whether there is anything of that name.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
