package store

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/evac-io/evac/internal/fault"
)

// IsArchive says whether a name is that of an archive that Unpack reads.
func IsArchive(name string) bool {
	return slices.ContainsFunc([]string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

// Unpack unpacks an archive of stores or backups into a folder, hashes what it
// reads, and writes the sums beside it: FOLDER.SHA256SUMS. It returns the folders
// of the stores and backups in it. An unpacking that was cut off leaves nothing
// under that name; one that is there already serves again.
func Unpack(ctx context.Context, archive, folder string) ([]string, Sums, error) {
	sums, err := unpackOnce(ctx, archive, folder)
	if err != nil {
		return nil, nil, fault.Wrap(fault.KindOf(err), fmt.Sprintf("unpack %q", archive), err, "")
	}
	stores, err := findStores(folder)
	if err == nil && len(stores) == 0 {
		err = fault.New(fault.Invalid, fmt.Sprintf("archive %q holds no store: no MANIFEST, table or log in it", archive), "")
	}
	return stores, sums, err
}

func unpackOnce(ctx context.Context, archive, folder string) (Sums, error) {
	info, err := os.Stat(archive)
	if err != nil {
		return nil, fault.Wrap(fault.Denied, "open", err, "")
	}
	o, err := archiveOrigin(archive, info)
	if err != nil {
		return nil, err
	}
	if there, err := made(folder, o); there || err != nil {
		return nil, err
	}
	part := folder + ".part"
	if err := errors.Join(os.RemoveAll(part), os.MkdirAll(part, 0o755)); err != nil {
		return nil, err
	}
	err = room(part, info.Size())
	var sums Sums
	if err == nil {
		sums, err = unpack(ctx, archive, part)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(part))
	}
	return sums, finish(folder, o, sums)
}

func unpack(ctx context.Context, archive, folder string) (Sums, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, fault.Wrap(fault.Denied, "open", err, "")
	}
	defer f.Close()
	stream, err := decompress(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	root, err := os.OpenRoot(folder) // nothing in the archive can lead out of it
	if err != nil {
		return nil, err
	}
	sums, err := unpackTar(ctx, stream, root)
	return sums, errors.Join(err, root.Close())
}

func unpackTar(ctx context.Context, stream io.Reader, root *os.Root) (Sums, error) {
	var sums Sums
	ending := &ending{Reader: stream}
	for in := tar.NewReader(ending); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) && !ending.whole() {
			err = io.ErrUnexpectedEOF
		}
		if errors.Is(err, io.EOF) {
			return sums, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(strings.TrimLeft(h.Name, "/"))
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(filepath.FromSlash(name), 0o755)
		case tar.TypeReg:
			var sum Sum
			if err = room(root.Name(), h.Size); err != nil {
				return nil, err
			}
			if sum, err = unpackFile(ctx, root, name, in); err == nil {
				sums = append(sums, sum)
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// ending knows whether an archive ends as it must, in a block of zeroes: one that
// was cut off between two files looks whole otherwise.
type ending struct {
	io.Reader
	zeroes int
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	last := len(bytes.TrimRight(p[:n], "\x00"))
	if last > 0 {
		e.zeroes = 0
	}
	e.zeroes += n - last
	return n, err
}

func (e *ending) whole() bool { return e.zeroes >= 512 }

func unpackFile(ctx context.Context, root *os.Root, name string, in io.Reader) (Sum, error) {
	local := filepath.FromSlash(name)
	if err := root.MkdirAll(filepath.Dir(local), 0o755); err != nil {
		return Sum{}, err
	}
	out, err := root.OpenFile(local, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return Sum{}, err
	}
	return copyHashed(ctx, out, in, name)
}

// decompress looks at the first bytes of an archive, not at its name.
func decompress(in *bufio.Reader) (io.ReadCloser, error) {
	head, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(in)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(in), nil
}

// findStores are the folders below one that look like stores: a CURRENT or a
// marker beside a MANIFEST, or, with those lost, tables and logs. A backup's
// folder does so too, for the names of its tables are numbers.
func findStores(folder string) ([]string, error) {
	var stores []string
	err := filepath.WalkDir(folder, func(at string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if e.Name() == "auxiliary" {
			return filepath.SkipDir
		}
		for _, name := range []string{"BACKUP", "BACKUP_MANIFEST", "BACKUP_METADATA"} {
			if _, err := os.Stat(filepath.Join(at, name)); err == nil {
				stores = append(stores, at)
				return filepath.SkipDir
			}
		}
		l, err := readListing(Dir(at))
		if err == nil && (len(l.manifests) > 0 || len(l.tables)+len(l.logs) > 0) {
			stores = append(stores, at)
			return filepath.SkipDir
		}
		return err
	})
	return stores, err
}
