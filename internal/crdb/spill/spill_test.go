package spill

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// numbered are n entries of a run, two of each user key.
func numbered(run, n int) (out []Entry) {
	for i := range n {
		out = append(out, Entry{
			Key: keys.Append(nil, fmt.Appendf(nil, "k%06d", i/2), keys.Timestamp{Wall: int64(2 - i%2)}), Value: fmt.Appendf(nil, "run %d %s", run, strings.Repeat("x", i%300)),
			Seq: uint64(i) << 40, Kind: byte(i),
		})
	}
	return out
}

func seq(list []Entry) func(func(Entry) bool) {
	return func(yield func(Entry) bool) {
		for _, e := range list {
			if !yield(e) {
				return
			}
		}
	}
}

// check holds a walk against the entries.
func check(it *Iter, want []Entry) error {
	for _, w := range want {
		e := it.Next()
		if e == nil || string(e.Key) != string(w.Key) || string(e.Value) != string(w.Value) || e.Seq != w.Seq || e.Kind != w.Kind {
			return fmt.Errorf("%v in place of %v: %w", e, w, it.Err())
		}
	}
	if e := it.Next(); e != nil || it.Err() != nil {
		return fmt.Errorf("%v behind the end: %w", e, it.Err())
	}
	return nil
}

// TestRuns writes runs to one file at the same time and walks each: all of it,
// stretches, and from keys on.
func TestRuns(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	f := NewFile(dir)
	var g errgroup.Group
	for run := range 4 {
		g.Go(func() error {
			all := numbered(run, 3000*(run+1))
			r, err := f.Write(seq(all))
			if err != nil {
				return err
			}
			if err := check(r.Iter(keys.Span{}), all); err != nil {
				return err
			}
			it := r.Iter(keys.Span{From: []byte("k000100"), To: []byte("k001000")})
			if err := check(it, all[200:2000]); err != nil {
				return err
			}
			for _, at := range []int{700, 0, 100, 999, 500} {
				it.SeekGE(fmt.Appendf(nil, "k%06d", at))
				if err := check(it, all[2*max(at, 100):2000]); err != nil {
					return fmt.Errorf("from %d: %w", at, err)
				}
			}
			if n := r.Size(keys.Span{}); n < int64(150*len(all)) {
				return fmt.Errorf("%d bytes of %d entries", n, len(all))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the file has a name: %v %v", left, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingSpilled leaves no folder behind.
func TestNothingSpilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	f := NewFile(dir)
	r, err := f.Write(seq(nil))
	if err != nil || check(r.Iter(keys.Span{}), nil) != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a folder for nothing: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestCutEntries reads a file to which somebody else wrote: an error, no panic.
func TestCutEntries(t *testing.T) {
	f := NewFile(t.TempDir())
	r, err := f.Write(seq(numbered(0, 100)))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\x03", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", ""} {
		if bad == "" {
			if err := f.file.Truncate(0); err != nil {
				t.Fatal(err)
			}
		} else if _, err := f.file.WriteAt([]byte(bad), 0); err != nil {
			t.Fatal(err)
		}
		it := r.Iter(keys.Span{})
		for it.Next() != nil {
			continue
		}
		if it.Err() == nil {
			t.Errorf("%x was read", bad)
		}
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
	if r.Iter(keys.Span{}).Next() != nil {
		t.Error("a closed file was read")
	}
}
