package store

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// File is an open file of a store.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// FileInfo is a name below the store's directory, with slashes, and a size.
type FileInfo struct {
	Name string
	Size int64
}

// FS is where a store lies. It has no way to write.
type FS interface {
	// List names the files directly in a folder of the store, "." for the store
	// itself, in order. A folder that is not there has no files.
	List(folder string) ([]FileInfo, error)
	// Folders names the folders directly in a folder of the store.
	Folders(folder string) ([]string, error)
	Open(name string) (File, error)
}

// Dir is a plain directory.
type Dir string

// List implements FS.
func (d Dir) List(folder string) ([]FileInfo, error) {
	entries, err := os.ReadDir(filepath.Join(string(d), filepath.FromSlash(folder)))
	if os.IsNotExist(err) && folder != "." {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	files := make([]FileInfo, 0, len(entries))
	for _, e := range entries {
		if !e.Type().IsRegular() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it went away: only possible beside a living node
		}
		files = append(files, FileInfo{Name: e.Name(), Size: info.Size()})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Name < files[j].Name })
	return files, nil
}

// Folders implements FS.
func (d Dir) Folders(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(string(d), filepath.FromSlash(folder)))
	if os.IsNotExist(err) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Open implements FS.
func (d Dir) Open(name string) (File, error) {
	f, err := os.Open(filepath.Join(string(d), filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, closeAfter(f, err)
	}
	return osFile{f, info.Size()}, nil
}

type osFile struct {
	*os.File
	size int64
}

func (f osFile) Size() int64 { return f.size }

// closeAfter closes what is no longer needed because of err.
func closeAfter(c io.Closer, err error) error {
	if cerr := c.Close(); cerr != nil {
		return fmt.Errorf("%w (and closing: %w)", err, cerr)
	}
	return err
}

// readFile reads a small file whole; limit bounds what is accepted, in bytes.
func readFile(from FS, name string, limit int64) ([]byte, error) {
	f, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, fmt.Errorf("read %q: %d bytes, at most %d expected", name, f.Size(), limit)
	}
	data := make([]byte, f.Size())
	if _, err := f.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	return data, nil
}
