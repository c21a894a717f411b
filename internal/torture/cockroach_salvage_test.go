package torture

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/store"
)

// stores unpacks the stores of a real dead cluster: the small one that is in the
// repository, or a larger one of EVAC_FIXTURES.
func stores(t *testing.T, name string) []string {
	t.Helper()
	dir := t.TempDir()
	var dirs []string
	for n := 1; n <= 3; n++ {
		archive := filepath.Join("..", "crdb", "testdata", "tiny", fmt.Sprintf("n%d.tar.zst", n))
		if name != "tiny" {
			from := name
			if name == "divergent" && n == 3 {
				from = "crash"
			}
			root := os.Getenv("EVAC_FIXTURES")
			if root == "" {
				t.Fatal("EVAC_FIXTURES does not name the folder of the real stores")
			}
			archive = filepath.Join(root, from+"-v20.2a", fmt.Sprintf("n%d.tar.zst", n))
		}
		got, _, err := store.Unpack(t.Context(), archive, filepath.Join(dir, fmt.Sprint("at", n)))
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, got...)
	}
	return dirs
}

// haul is a salvage that is killed.
type haul struct {
	*night
	args []string
	want map[string]string // the files of one that was never killed
	code int               // what that ended with
	took time.Duration
}

// newHaul salvages some stores once, and is ready to do it again.
func newHaul(t *testing.T, evac, name string) *haul {
	t.Helper()
	h := &haul{night: nightOf(t, evac, ""), args: append([]string{"cockroach", "salvage", "--out", "out"}, stores(t, name)...)}
	began := time.Now()
	e := h.run(live, h.args...)
	h.took, h.code = time.Since(began), e.code
	if e.code != 0 && (e.code != 3 || name != "divergent") {
		t.Fatalf("exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
	if h.want = h.files(); len(h.want) < 30 {
		t.Fatalf("only %d files", len(h.want))
	}
	return h
}

// files are hashes of all files of the salvage. The state has its lines in the
// order in which tasks ended.
func (h *haul) files() map[string]string {
	h.t.Helper()
	out := map[string]string{}
	dir := filepath.Join(h.dir, "out")
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "state.jsonl" {
			return err
		}
		data, err := os.ReadFile(name)
		out[strings.TrimPrefix(name, dir)] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// again begins anew.
func (h *haul) again() {
	h.t.Helper()
	for _, dir := range []string{"out", "home"} {
		if err := os.RemoveAll(filepath.Join(h.dir, dir)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// through gives the same command again, which must end as the first did.
func (h *haul) through(what string) {
	h.t.Helper()
	e := h.run(live, h.args...)
	if e.code != h.code {
		h.t.Fatalf("%s: exit %d\n%s%s", what, e.code, e.stdout, e.stderr)
	}
	if diff := cmp.Diff(h.want, h.files()); diff != "" {
		h.t.Fatalf("%s: other files:\n%s", what, diff)
	}
}

// TestSalvageKilledAtWrites kills a salvage at its writes, renames and lines of
// the state.
func TestSalvageKilledAtWrites(t *testing.T) {
	evac := parallel(t)
	step := 83
	if *full {
		step = 5
	}
	h := newHaul(t, evac, "tiny")
	for at := 1; ; at += step {
		h.again()
		if e := h.run(kill{write: at}, h.args...); !e.killed {
			break
		}
		if at%2 == 0 {
			h.run(kill{write: at / 2}, h.args...)
		}
		h.through(fmt.Sprintf("killed at write %d", at))
	}
	t.Logf("%d kills at writes", h.kills)
	if h.kills < 3 {
		t.Errorf("only %d kills: the test does not test", h.kills)
	}
}

// TestSalvageKilledAtRandom kills salvages at random instants, also one of
// damaged stores.
func TestSalvageKilledAtRandom(t *testing.T) {
	evac := parallel(t)
	names, each := []string{"tiny"}, 2
	if *full {
		names, each = []string{"tiny", "divergent"}, 25
	}
	random := dice(t)
	for _, name := range names {
		h := newHaul(t, evac, name)
		for h.kills < each {
			h.again()
			for range 4 {
				after := 20*time.Millisecond + time.Duration(random.Int64N(int64(h.took)))
				if e := h.run(kill{after: after}, h.args...); !e.killed {
					break
				}
			}
			h.through(fmt.Sprintf("%s after %d kills", name, h.kills))
		}
		t.Logf("%s: %d kills at random instants", name, h.kills)
	}
}
