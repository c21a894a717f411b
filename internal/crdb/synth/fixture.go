package synth

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	crdbstore "github.com/evac-io/evac/internal/crdb/store"
)

// ReadArchive is ReadTemplate of a store that is packed as .tar.zst, with no
// other folder than its own in it.
func ReadArchive(ctx context.Context, path string, names ...string) (t *Template, err error) {
	dir, err := os.MkdirTemp("", "evac-synth-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unpack(path, dir); err != nil {
		return nil, fmt.Errorf("unpack %q: %w", path, err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("unpack %q: %d folders, want one (%w)", path, len(list), err)
	}
	s, err := crdbstore.Open(ctx, filepath.Join(dir, list[0].Name()), crdbstore.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return ReadTemplate(s.View(), names...)
}

func unpack(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return err
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !h.FileInfo().Mode().IsRegular() {
			continue
		}
		if err := unpackFile(r, filepath.Join(dir, filepath.Clean("/"+h.Name))); err != nil {
			return err
		}
	}
}

func unpackFile(r io.Reader, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
