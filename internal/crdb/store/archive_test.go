package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/evac-io/evac/internal/fault"
)

// TestArchives unpacks a store out of each kind of archive and reads it.
func TestArchives(t *testing.T) {
	t.Parallel()
	dir := fixture(t, "tiny", 1)
	truth, _ := scan(t, open(t, dir, Options{}))
	scratch := t.TempDir()
	plain := filepath.Join(scratch, "n1.tar")
	if out, err := exec.Command("tar", "-cf", plain, "-C", filepath.Dir(dir), "n1").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data := must(os.ReadFile(plain))(t)
	packers := map[string]func(io.Writer) io.WriteCloser{
		"n1.tar.gz":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"n1.tar.zst": func(w io.Writer) io.WriteCloser { return must(zstd.NewWriter(w))(t) },
	}
	for name, pack := range packers {
		var b bytes.Buffer
		w := pack(&b)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(scratch, name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"n1.tar", "n1.tar.gz", "n1.tar.zst"} {
		if !IsArchive(name) {
			t.Errorf("%q is no archive", name)
		}
		to := filepath.Join(scratch, "unpacked-"+name)
		stores, sums, err := Unpack(context.Background(), filepath.Join(scratch, name), to)
		if err != nil || len(stores) != 1 || len(sums) < 8 {
			t.Fatalf("%s: %v, %d sums, %v", name, stores, len(sums), err)
		}
		got, _ := scan(t, open(t, stores[0], Options{}))
		if diff := cmp.Diff(truth, got); diff != "" {
			t.Errorf("%s: %.300s", name, diff)
		}
		again, _, err := Unpack(context.Background(), filepath.Join(scratch, name), to)
		if err != nil || !cmp.Equal(stores, again) {
			t.Errorf("%s, once more: %v %v", name, again, err)
		}
	}
}

// TestArchiveStaysInside refuses names that lead out of the folder, and cut
// archives, and leaves nothing behind.
func TestArchiveStaysInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"000001.sst", "../out.sst"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 1, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"out": b.Bytes(), "cut": b.Bytes()[:600], "noise": []byte("no archive at all"), "empty": nil} {
		file, to := filepath.Join(dir, name+".tar"), filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := Unpack(context.Background(), file, to)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		for _, left := range []string{filepath.Join(dir, "out.sst"), to + ".part"} {
			if _, err := os.Stat(left); err == nil {
				t.Errorf("%s: %s is there", name, left)
			}
		}
	}
}

// TestCopy copies evidence and checks the sums with another program.
func TestCopy(t *testing.T) {
	t.Parallel()
	dir := fixture(t, "tiny", 2)
	before := fingerprint(t, dir)
	to := filepath.Join(t.TempDir(), "copy")
	sums, err := Copy(context.Background(), dir, to)
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command("sha256sum", "--check", "--quiet", sumsName(to))
	check.Dir = to
	if out, err := check.CombinedOutput(); err != nil || len(sums) < 8 {
		t.Errorf("%d sums, %v: %s", len(sums), err, out)
	}
	if diff := cmp.Diff(before, fingerprint(t, dir)); diff != "" {
		t.Errorf("evidence changed: %s", diff)
	}
	want, _ := scan(t, open(t, dir, Options{}))
	got, _ := scan(t, open(t, to, Options{}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%.300s", diff)
	}
	if sums, err := Copy(context.Background(), dir, to); err != nil || sums != nil {
		t.Errorf("the same copy again: %d sums, %v", len(sums), err)
	}
	if _, err := Copy(context.Background(), fixture(t, "tiny", 1), to); fault.Code(err) != 10 {
		t.Errorf("copied over another's copy: %v", err)
	}
}

// TestCopyGoesOn stops a copy after each file; it goes on, and what was whole is
// not copied again.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	dir, to := fixture(t, "tiny", 2), filepath.Join(t.TempDir(), "copy")
	stops := 0
	for ; ; stops++ {
		ctx, stop := context.WithCancel(context.Background())
		go func(before int) {
			for ctx.Err() == nil && lines(t, sumsName(to)+".part") <= before {
				runtime.Gosched()
			}
			stop()
		}(lines(t, sumsName(to)+".part"))
		sums, err := Copy(ctx, dir, to)
		stop()
		if err == nil {
			if len(sums) < 8 {
				t.Errorf("%d sums", len(sums))
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if stops == 0 {
		t.Error("it was never stopped")
	}
	want, _ := scan(t, open(t, dir, Options{}))
	got, _ := scan(t, open(t, to, Options{}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%.300s", diff)
	}
	if _, err := os.Stat(sumsName(to) + ".part"); err == nil {
		t.Error("the journal is left")
	}
}

// lines is how many lines a file has.
func lines(t *testing.T, name string) int {
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return bytes.Count(data, []byte{'\n'})
}

// TestRoom refuses what the disk has no room for.
func TestRoom(t *testing.T) {
	t.Parallel()
	if err := room(t.TempDir(), 1<<62); err == nil || !strings.Contains(err.Error(), "4.0 EiB are needed") {
		t.Errorf("no room: %v", err)
	}
	if err := room(t.TempDir(), 1); err != nil {
		t.Error(err)
	}
}

// TestSideloaded finds tables of both layouts.
func TestSideloaded(t *testing.T) {
	t.Parallel()
	dir := fixture(t, "tiny", 1)
	for name, text := range map[string]string{"r0XXXX/r42/i7.t6": "new", "43/43.5/i8.t6": "old"} {
		file := filepath.Join(dir, "auxiliary", "sideloading", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, Options{})
	for want, at := range map[string][3]uint64{"new": {42, 7, 6}, "old": {43, 8, 6}} {
		got, err := s.Sideloaded(int64(at[0]), at[1], at[2])
		if err != nil || string(got) != want {
			t.Errorf("%v: %q %v, want %q", at, got, err, want)
		}
	}
	if _, err := s.Sideloaded(42, 9, 6); err == nil {
		t.Error("found what is not there")
	}
}
