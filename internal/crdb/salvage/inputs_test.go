package salvage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/synth"
	"github.com/evac-io/evac/internal/fault"
)

func quiet(int64) {}

// archives are the packed stores of tiny: one of each kind of archive.
func archives(t *testing.T) []string {
	t.Helper()
	stores, dir := fixture(t, "tiny"), t.TempDir()
	var out []string
	for i, flag := range []string{"-cf", "-czf"} {
		name := filepath.Join(dir, fmt.Sprintf("n%d.tar%s", i+1, []string{"", ".gz"}[i]))
		if text, err := exec.Command("tar", flag, name, "-C", filepath.Dir(stores[i]), filepath.Base(stores[i])).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		out = append(out, name)
	}
	return append(out, filepath.Join(folder(t, "tiny"), "n3.tar.zst"))
}

// TestArchivesAndCopies salvages archives, and stores after a copy: the rows are
// those of the stores themselves, and what was made serves again.
func TestArchivesAndCopies(t *testing.T) {
	want, stores := truth(t, "tiny"), fixture(t, "tiny")
	packed := archives(t)
	before := sums(t, append(stores, filepath.Dir(packed[0]))...)
	for name, try := range map[string]struct {
		stores []string
		opt    Options
		kept   string // where the stores lie then
	}{
		"archives":                {stores: packed},
		"archives, work":          {stores: packed, opt: Options{Work: filepath.Join(t.TempDir(), "work")}},
		"archives, copied":        {stores: packed, opt: Options{CopyTo: filepath.Join(t.TempDir(), "copy")}},
		"stores, copied":          {stores: stores, opt: Options{CopyTo: filepath.Join(t.TempDir(), "copy")}},
		"stores, packed and bare": {stores: []string{packed[0], stores[1], packed[2]}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			try.opt.Null = "<<NULL>>"
			var told []string
			try.opt.Note = func(text string) { told = append(told, text) }
			for range 2 {
				rep, err := Run(t.Context(), try.stores, dir, try.opt, quiet)
				if err != nil {
					t.Fatal(err)
				}
				if !rep.Complete {
					t.Errorf("not complete: %s", rep.Problems)
				}
				hold(t, dir, rep, want)
				for i, s := range rep.Stores {
					if s.Name != try.stores[i] {
						t.Errorf("store %d is called %q, want %q", i, s.Name, try.stores[i])
					}
				}
			}
			if len(told) < 2 || !strings.Contains(told[0], try.stores[0]) {
				t.Errorf("it told %q", told)
			}
			kept := try.opt.CopyTo
			if kept == "" {
				kept = try.opt.Work
			}
			if kept == "" {
				kept = filepath.Join(dir, "stores")
			}
			proveCopies(t, kept)
		})
	}
	if diff := cmp.Diff(before, sums(t, append(stores, filepath.Dir(packed[0]))...)); diff != "" {
		t.Errorf("the evidence was written to: %s", diff)
	}
}

// proveCopies checks the sums beside copies with another program.
func proveCopies(t *testing.T, dir string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.SHA256SUMS"))
	if err != nil || len(list) < 2 {
		t.Errorf("%d lists of sums in %s, %v", len(list), dir, err)
	}
	for _, name := range list {
		check := exec.Command("sha256sum", "--check", "--quiet", name)
		check.Dir = strings.TrimSuffix(name, ".SHA256SUMS")
		if text, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, text)
		}
	}
}

// TestRefused names what cannot be read or written, before there is any output.
func TestRefused(t *testing.T) {
	stores := fixture(t, "tiny")[:1]
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(stores[0], link); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, try := range []struct {
		stores []string
		out    string
		opt    Options
		says   string
	}{
		{stores, filepath.Join(stores[0], "out"), Options{}, "which is only read"},
		{stores, stores[0], Options{}, "which is only read"},
		{stores, filepath.Join(link, "deep", "out"), Options{}, "which is only read"},
		{stores, out, Options{CopyTo: filepath.Join(stores[0], "copy")}, "which is only read"},
		{stores, out, Options{Work: link}, "which is only read"},
		{[]string{file}, out, Options{}, "no archive"},
		{[]string{file + "2"}, out, Options{}, "no such file"},
		{stores, filepath.Dir(file), Options{}, "is not empty"},
	} {
		_, err := Run(t.Context(), try.stores, try.out, try.opt, quiet)
		if fault.Code(err) != 10 || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%v to %s with %+v: %v", try.stores, try.out, try.opt, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%s is there", out)
		}
	}
}

// TestScratchGoes surveys archives without a folder to keep them in.
func TestScratchGoes(t *testing.T) {
	c, err := Open(t.Context(), []string{filepath.Join(folder(t, "tiny"), "n3.tar.zst")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.scratch); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.scratch); err == nil {
		t.Errorf("%s is left", c.scratch)
	}
}

// TestStoreKeys salvages encrypted stores with their key among others, and
// refuses without it, by name and before there is any output.
func TestStoreKeys(t *testing.T) {
	for _, engine := range []synth.Engine{synth.RocksDB, synth.Pebble24} {
		key := bytes.Repeat([]byte{7}, 32)
		made, tpl := synthetic(t, synth.Spec{Engine: engine, StoreKey: key, Seed: 5})
		right, wrong := synth.StoreKeyFile(key), synth.StoreKeyFile(bytes.Repeat([]byte{8}, 16))
		forged := append(bytes.Clone(right[:32]), wrong[:32]...) // the right name, another key
		out := filepath.Join(t.TempDir(), "out")
		for says, keys := range map[string][][]byte{
			"which was not given":         nil,
			"given is":                    {wrong},
			"does not decrypt to keys":    {forged},
			"a store key of 5 bytes; 48,": {[]byte("short")},
		} {
			_, err := Run(t.Context(), made.Stores, out, Options{StoreKeys: keys}, quiet)
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(strings.Join(fault.Hints(err), ""), "--store-key FILE") {
				t.Errorf("want %q: %v %q", says, err, fault.Hints(err))
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("there is output")
			}
		}
		rep, err := Run(t.Context(), made.Stores, out, Options{StoreKeys: [][]byte{wrong, right}}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		holdSynthetic(t, rep, made, tpl)
	}
}

// synthetic writes stores out of tiny's rows.
func synthetic(t *testing.T, spec synth.Spec) (*synth.Truth, *synth.Template) {
	t.Helper()
	tpl, err := synth.ReadArchive(context.Background(), filepath.Join(folder(t, "tiny"), "n3.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	spec.Template = tpl
	made, err := synth.Write(t.Context(), t.TempDir(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return made, tpl
}

// holdSynthetic holds the counts of a salvage against what was written.
func holdSynthetic(t *testing.T, rep *Report, made *synth.Truth, _ *synth.Template) {
	t.Helper()
	if !rep.Complete {
		t.Errorf("not complete: %s", strings.Join(rep.Problems, "\n"))
	}
	got := map[uint32]int64{}
	for _, table := range rep.Tables {
		got[table.ID] = table.Rows
	}
	for _, table := range made.Tables {
		want := int64(0)
		if table.Shows {
			want = int64(table.Source.Rows)
		}
		if n, there := got[table.ID]; n != want || !there {
			t.Errorf("table %s: %d rows, want %d", table.Name, n, want)
		}
	}
}
