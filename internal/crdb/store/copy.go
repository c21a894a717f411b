package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// Sum is the SHA-256 of one file, by its name below the folder that is copied.
type Sum struct {
	Name   string
	Bytes  int64
	SHA256 [sha256.Size]byte
}

// Sums are those of many files, in the order of their names.
type Sums []Sum

// sumsFile is the name under which a copy holds the sums; `sha256sum -c` reads it.
const sumsFile = "SHA256SUMS"

// String is the form of sha256sum.
func (s Sums) String() string {
	var b strings.Builder
	for _, sum := range s {
		fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(sum.SHA256[:]), sum.Name)
	}
	return b.String()
}

// Copy copies a store directory, all files of it, into a folder that is not
// there yet, reads the copy back, and writes the sums beside it as SHA256SUMS.
// What cannot be read is an error: evidence is copied whole or not at all. A
// copy that was cut off leaves nothing under that name.
func Copy(ctx context.Context, dir, folder string) (Sums, error) {
	op := fmt.Sprintf("copy evidence %q to %q", dir, folder)
	if _, err := os.Stat(folder); err == nil {
		return nil, fault.New(fault.Invalid, op+": it is there already", "name a folder that does not exist")
	}
	part := folder + ".part"
	if err := os.RemoveAll(part); err != nil {
		return nil, fault.Wrap(fault.Failed, op, err, "")
	}
	sums, err := copyTree(ctx, dir, part)
	if err == nil {
		err = checkTree(ctx, part, sums)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(part, sumsFile), []byte(sums.String()), 0o644)
	}
	if err == nil {
		err = os.Rename(part, folder)
	}
	if err != nil {
		return nil, errors.Join(fault.Wrap(fault.KindOf(err), op, err, ""), os.RemoveAll(part))
	}
	return sums, nil
}

func copyTree(ctx context.Context, dir, to string) (Sums, error) {
	var sums Sums
	err := filepath.WalkDir(dir, func(at string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		sum, err := copyFile(ctx, at, filepath.Join(to, name), filepath.ToSlash(name))
		sums = append(sums, sum)
		return err
	})
	return sums, err
}

func copyFile(ctx context.Context, from, to, name string) (Sum, error) {
	in, err := os.Open(from)
	if err != nil {
		return Sum{}, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return Sum{}, err
	}
	return copyHashed(ctx, out, in, name)
}

// copyHashed writes a file, hashes what it writes, puts it on disk and closes it.
func copyHashed(ctx context.Context, out *os.File, in io.Reader, name string) (Sum, error) {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, hash), reader{ctx, in})
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return Sum{}, fmt.Errorf("copy %q: %w", name, err)
	}
	return Sum{Name: name, Bytes: n, SHA256: [sha256.Size]byte(hash.Sum(nil))}, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// checkTree reads a copy back.
func checkTree(ctx context.Context, dir string, sums Sums) error {
	for _, want := range sums {
		got, err := hashFile(ctx, filepath.Join(dir, filepath.FromSlash(want.Name)))
		if err != nil {
			return err
		}
		if got != want.SHA256 {
			return fault.New(fault.Different, fmt.Sprintf("the copy of %q is not what was read", want.Name), "")
		}
	}
	return nil
}

func hashFile(ctx context.Context, name string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, reader{ctx, f}); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}
