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
	"slices"
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

// String is the form of sha256sum.
func (s Sums) String() string {
	var b strings.Builder
	for _, sum := range s {
		b.WriteString(sum.String() + "\n")
	}
	return b.String()
}

// String is the line of sha256sum.
func (s Sum) String() string { return hex.EncodeToString(s.SHA256[:]) + "  " + s.Name }

// parseSum reads a line of sha256sum.
func parseSum(line string) (s Sum, ok bool) {
	text, name, ok := strings.Cut(line, "  ")
	n, err := hex.Decode(s.SHA256[:], []byte(text)[:min(len(text), 2*sha256.Size)])
	s.Name = name
	return s, ok && err == nil && n == sha256.Size && len(text) == 2*n
}

// Copy copies a directory of evidence, all files of it, into a folder, reads the
// copy back, and writes the sums beside it: FOLDER.SHA256SUMS, for `sha256sum -c`
// from within the folder. What cannot be read is an error: evidence is copied
// whole or not at all. The same call again goes on behind the last whole file; a
// copy that is there already is left as it is, and its sums are not read again.
func Copy(ctx context.Context, dir, folder string) (Sums, error) {
	op := fmt.Sprintf("copy evidence %q to %q", dir, folder)
	sums, err := copyOnce(ctx, dir, folder)
	return sums, fault.Wrap(fault.KindOf(err), op, err, "")
}

func copyOnce(ctx context.Context, dir, folder string) (Sums, error) {
	files, err := listTree(dir)
	if err != nil {
		return nil, err
	}
	o, err := treeOrigin(dir, files)
	if err != nil {
		return nil, err
	}
	if there, err := made(folder, o); there || err != nil {
		return nil, err
	}
	c, err := openCopying(dir, folder, o)
	if err != nil {
		return nil, err
	}
	err = c.run(ctx, files)
	if err = errors.Join(err, c.journal.Close()); err != nil {
		return nil, err
	}
	if err := checkTree(ctx, c.part, c.sums); err != nil {
		if fault.KindOf(err) == fault.Different { // nothing of it is to be believed
			err = errors.Join(err, os.Remove(c.journal.Name()))
		}
		return nil, err
	}
	return c.sums, finish(folder, o, c.sums)
}

// evidence is one file of a directory, by its name below it.
type evidence struct {
	name string // with slashes; of a folder it ends in one
	size int64
}

// listTree lists the folders and files of a directory. A link counts as the file
// it leads to; one to a folder is refused, for the copy would lack it.
func listTree(dir string) (out []evidence, err error) {
	err = filepath.WalkDir(dir, func(at string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		info, err := os.Stat(at)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			out = append(out, evidence{name: filepath.ToSlash(name) + "/"})
		case info.IsDir():
			return fault.New(fault.Invalid, fmt.Sprintf("%q is a link to a folder", at), "copy that folder in its place, or name the stores without --copy-to")
		case info.Mode().IsRegular():
			out = append(out, evidence{name: filepath.ToSlash(name), size: info.Size()})
		}
		return nil
	})
	return out, err
}

// copying is a copy under way: files in a folder of its own name, and a journal of
// those that are whole.
type copying struct {
	dir, part string
	journal   *os.File
	done      map[string]Sum
	sums      Sums
}

// openCopying goes on with a copy of the same origin, or begins anew.
func openCopying(dir, folder string, o origin) (*copying, error) {
	c := &copying{dir: dir, part: folder + ".part", done: map[string]Sum{}}
	name := sumsName(folder) + ".part"
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	head, list, _ := strings.Cut(string(text), "\n")
	if head != o.line() {
		if err := errors.Join(os.RemoveAll(c.part), os.MkdirAll(filepath.Dir(folder), 0o755), os.WriteFile(name, []byte(o.line()+"\n"), 0o644)); err != nil {
			return nil, err
		}
		list = ""
	}
	list = list[:strings.LastIndexByte(list, '\n')+1] // a line that was cut off counts for nothing
	for line := range strings.Lines(list) {
		if sum, ok := parseSum(strings.TrimSuffix(line, "\n")); ok {
			c.done[sum.Name] = sum
		}
	}
	if err := os.MkdirAll(c.part, 0o755); err != nil {
		return nil, err
	}
	if c.journal, err = os.OpenFile(name, os.O_WRONLY, 0); err != nil {
		return nil, err
	}
	end := int64(len(o.line()) + 1 + len(list))
	if err = c.journal.Truncate(end); err == nil {
		_, err = c.journal.Seek(end, io.SeekStart)
	}
	if err != nil {
		return nil, closeAfter(c.journal, err)
	}
	return c, nil
}

// run copies what is not there yet.
func (c *copying) run(ctx context.Context, files []evidence) error {
	var left []evidence
	need := int64(0)
	for _, f := range files {
		info, err := os.Stat(filepath.Join(c.part, filepath.FromSlash(f.name)))
		sum, known := c.done[f.name]
		switch {
		case strings.HasSuffix(f.name, "/"):
			if err := os.MkdirAll(filepath.Join(c.part, filepath.FromSlash(f.name)), 0o755); err != nil {
				return err
			}
		case known && err == nil && info.Size() == f.size:
			sum.Bytes = f.size
			c.sums = append(c.sums, sum)
		default:
			left, need = append(left, f), need+f.size
		}
	}
	if err := room(c.part, need); err != nil {
		return err
	}
	for _, f := range left {
		sum, err := copyFile(ctx, filepath.Join(c.dir, filepath.FromSlash(f.name)), filepath.Join(c.part, filepath.FromSlash(f.name)), f.name)
		if err != nil {
			return err
		}
		c.sums = append(c.sums, sum)
		if _, err := c.journal.WriteString(sum.String() + "\n"); err != nil {
			return err
		}
	}
	slices.SortFunc(c.sums, func(a, b Sum) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func copyFile(ctx context.Context, from, to, name string) (Sum, error) {
	in, err := os.Open(from)
	if err != nil {
		return Sum{}, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
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
