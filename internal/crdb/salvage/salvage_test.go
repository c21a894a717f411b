package salvage

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/testenv"
)

// fixture unpacks the stores of a real cluster; divergent's third store is
// crash's.
func fixture(t testing.TB, name string) []string {
	t.Helper()
	return unpackInto(t, name, func(int) string { return t.TempDir() })
}

// unpackInto unpacks each store of a fixture into a folder of its own.
func unpackInto(t testing.TB, name string, dir func(n int) string) []string {
	t.Helper()
	var dirs []string
	for n := 1; n <= 3; n++ {
		from := name
		if name == "divergent" && n == 3 {
			from = "crash"
		}
		archive := filepath.Join(folder(t, from), fmt.Sprintf("n%d.tar.zst", n))
		got, _, err := store.Unpack(t.Context(), archive, filepath.Join(dir(n), "stores"))
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, got...)
	}
	return dirs
}

// shelf has the fixtures that tests only read, each unpacked once.
type shelf struct {
	mu   sync.Mutex
	root string
	dirs map[string][]string
}

var unpacked shelf

// shared are the stores of a fixture that no test may write to.
func shared(t testing.TB, name string) []string {
	t.Helper()
	unpacked.mu.Lock()
	defer unpacked.mu.Unlock()
	if dirs := unpacked.dirs[name]; dirs != nil {
		return dirs
	}
	if unpacked.root == "" {
		root, err := os.MkdirTemp("", "evac-fixtures-")
		if err != nil {
			t.Fatal(err)
		}
		unpacked.root, unpacked.dirs = root, map[string][]string{}
	}
	unpacked.dirs[name] = unpackInto(t, name, func(n int) string { return filepath.Join(unpacked.root, name, fmt.Sprint(n)) })
	return unpacked.dirs[name]
}

// clear takes them away.
func (s *shelf) clear() { _ = os.RemoveAll(s.root) }

// folder is where the archives of a fixture lie: tiny's are beside the code.
func folder(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("EVAC_FIXTURES")
	switch {
	case name == "tiny":
		return filepath.Join("..", "testdata", "tiny")
	case root == "":
		t.Fatal("EVAC_FIXTURES does not name the folder of real stores")
	}
	return filepath.Join(root, name+"-v20.2a")
}

// truth is the rows of each table as the database must show them: as it did, and
// what it said to have committed afterwards.
func truth(t testing.TB, name string) map[string][][]string {
	t.Helper()
	out := shown(t, name)
	if name != "tiny" {
		out["late_commit"] = testenv.LateCommit(out["late_commit"])
	}
	return out
}

// shown is the rows of each table as the database showed them last.
func shown(t testing.TB, name string) map[string][][]string {
	t.Helper()
	if name == "divergent" {
		name = "crash"
	}
	dir := folder(t, name)
	if name != "tiny" {
		dir = filepath.Join(dir, "truth")
	}
	f, err := os.Open(filepath.Join(dir, "csv.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][][]string{}
	for files := tar.NewReader(z); ; {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if table, isCSV := strings.CutSuffix(filepath.Base(head.Name), ".csv"); isCSV {
			out[table] = records(t, files)
		}
	}
	return out
}

func records(t testing.TB, from io.Reader) [][]string {
	t.Helper()
	r := csv.NewReader(from)
	r.FieldsPerRecord = -1
	out, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// quirk is how that version of the database showed labels in arrays of enums.
var quirk = strings.NewReplacer(`"e'\\U0000C804\\U0000C124'"`, "전설")

// salvaged is what the parts of a table hold, one header before all rows.
func salvaged(t testing.TB, dir string, table *Table) [][]string {
	t.Helper()
	var out [][]string
	for i, p := range table.Parts {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(p.Name)))
		if err != nil {
			t.Fatal(err)
		}
		got := records(t, f)
		_ = f.Close()
		if i > 0 {
			got = got[1:]
		}
		out = append(out, got...)
	}
	return out
}

// hold holds all files of a salvage against what the database showed.
func hold(t testing.TB, dir string, rep *Report, want map[string][][]string) {
	t.Helper()
	seen := map[string]bool{}
	for _, table := range rep.Tables {
		name := table.Name[strings.LastIndexByte(table.Name, '.')+1:]
		seen[name] = true
		got := salvaged(t, dir, table)
		if len(got) != len(want[name]) || len(got)-1 != int(table.Rows) {
			t.Errorf("table %s: %d lines, report says %d rows, want %d lines", name, len(got), table.Rows, len(want[name]))
		}
		for i := range min(len(got), len(want[name])) {
			right := slices.Clone(want[name][i])
			for j := range right {
				right[j] = quirk.Replace(right[j])
			}
			if !slices.Equal(got[i], right) {
				t.Errorf("table %s, line %d: got %q, want %q", name, i+1, got[i], right)
				break
			}
		}
	}
	for name := range want {
		if !seen[name] {
			t.Errorf("table %s is not there", name)
		}
	}
}

// TestTruth holds the files of whole salvages against what the database showed.
// All rows of divergent are there; but two of its three logs are damaged, so that
// nobody can say that no later write is lost.
func TestTruth(t *testing.T) {
	for _, name := range []string{"tiny", "crash", "divergent"} {
		t.Run(name, func(t *testing.T) {
			dir, stores := filepath.Join(t.TempDir(), "out"), shared(t, name)
			before := sums(t, stores...)
			rep, err := Run(t.Context(), stores, dir, Options{Null: "<<NULL>>"}, func(int64) {})
			if err != nil {
				t.Fatal(err)
			}
			hold(t, dir, rep, truth(t, name))
			if diff := cmp.Diff(before, sums(t, stores...)); diff != "" {
				t.Errorf("the stores were written to: %s", diff)
			}
			if whole := name != "divergent"; rep.Complete != whole {
				t.Errorf("complete is %v: %s", rep.Complete, strings.Join(rep.Problems, "\n"))
			}
			for _, problem := range rep.Problems {
				if !strings.Contains(problem, "later writes may be lost") && !strings.Contains(problem, "does not say how far") {
					t.Errorf("an unexpected problem: %s", problem)
				}
			}
			if name == "divergent" {
				if w := strings.Join(rep.Wanted, "\n"); !strings.Contains(w, "every store is here: only a backup, or copies of the damaged files") || !strings.Contains(w, "n1/000055.log") {
					t.Errorf("what is wanted: %s", w)
				}
				showsOlder(t, stores[0])
			}
		})
	}
}

// showsOlder salvages the first store of divergent alone. A broken block of it ends
// with the deletion of a row whose older version stands in the next block: the row
// shows again, as no other store is there to tell, and the report says so.
func showsOlder(t *testing.T, store string) {
	t.Helper()
	const name, again = "kingdom.public.user_journal", "88144ca4-b04e-12ea-589e-9839dd971424,4,"
	rep, err := Run(t.Context(), []string{store}, filepath.Join(t.TempDir(), "out"), Options{Tables: []string{name}}, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString("cb891288144ca4b04e12ea589e9839dd97142400018c88")
	if err != nil {
		t.Fatal(err)
	}
	broken := func(d Damage) bool { return d.File == "000065.sst" && keys.Span(d.Span).Contains(key) }
	if !slices.ContainsFunc(rep.Damage, broken) {
		t.Errorf("no damage names the block with the deletion of %s", again)
	}
	inDoubt := func(r Rest) bool {
		return keys.Span(r.Span).Contains(key) && strings.HasSuffix(r.Doubt, "or newer versions and deletions of rows, so that older ones show")
	}
	if rep.Complete || !slices.ContainsFunc(rep.Tables[0].Rests, inDoubt) {
		t.Errorf("complete is %v, in doubt are %+v", rep.Complete, rep.Tables[0].Rests)
	}
}

// sums are the hashes of all files below some folders, without the state, whose
// lines are in the order in which tasks ended.
func sums(t testing.TB, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || e.Name() == stateName {
				return err
			}
			data, err := os.ReadFile(name)
			rel, _ := filepath.Rel(dir, name)
			out[filepath.Base(dir)+"/"+rel] = fmt.Sprintf("%x", sha256.Sum256(data))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestRestart stops a salvage after each few tasks, spoils a part, and goes on:
// the files are those of a salvage that was never stopped.
func TestRestart(t *testing.T) {
	stores := fixture(t, "tiny")
	straight := filepath.Join(t.TempDir(), "out")
	if _, err := Run(t.Context(), stores, straight, Options{Jobs: 1}, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	want := sums(t, straight)
	dir := filepath.Join(t.TempDir(), "out")
	stops := 0
	for after := 3; ; after += 7 {
		ctx, stop := context.WithCancel(t.Context())
		n := 0
		_, err := Run(ctx, stores, dir, Options{Jobs: 2}, func(int64) {
			if n++; n == after {
				stop()
			}
		})
		stop()
		if err == nil {
			break
		}
		if stops++; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if stops < 3 {
		t.Errorf("it was stopped %d times only", stops)
	}
	if diff := cmp.Diff(want, sums(t, dir)); diff != "" {
		t.Errorf("after %d stops: %s", stops, diff)
	}
	part := filepath.Join(dir, "data", "kingdom", "public.users", "part-00000.csv")
	if err := os.WriteFile(part, []byte("id\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(t.Context(), dir); fault.Code(err) != 3 {
		t.Errorf("a part that was written to: %v", err)
	}
	if _, err := Run(t.Context(), stores, dir, Options{}, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sums(t, dir)); diff != "" {
		t.Errorf("after a part was written to: %s", diff)
	}
	if _, err := Run(t.Context(), stores, dir, Options{Null: "x"}, func(int64) {}); fault.Code(err) != 10 {
		t.Errorf("another salvage into the same folder: %v", err)
	}
}

// TestOneStore goes without the others: what it has is there, and what may be
// missing is named.
func TestOneStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	rep, err := Run(t.Context(), fixture(t, "tiny")[:1], dir, Options{Tables: []string{"kingdom.public.users"}, Null: "<<NULL>>"}, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, rep, map[string][][]string{"users": truth(t, "tiny")["users"]})
	if rep.Complete || !strings.Contains(strings.Join(rep.Problems, "\n"), "only 1 of 3 voters are here") {
		t.Errorf("complete is %v: %s", rep.Complete, rep.Problems)
	}
	if text := strings.Join(rep.Problems, "\n"); strings.Contains(text, "keys [") || !strings.Contains(text, `table "kingdom.public.users": keys of all of kingdom.public.users@primary, range 36: later writes`) {
		t.Errorf("keys are not named: %s", text)
	}
	want := []string{"give more stores, or one of them: of the 4 ranges in doubt or missing there are replicas on store 2 of node 2 (4), store 3 of node 3 (4)"}
	if diff := cmp.Diff(want, rep.Wanted); diff != "" {
		t.Errorf("what is wanted: %s", diff)
	}
	if _, err := Run(t.Context(), fixture(t, "tiny")[:1], dir+"2", Options{Tables: []string{"kingdom.public.user"}}, func(int64) {}); fault.Code(err) != 10 {
		t.Errorf("a table that is not there: %v", err)
	}
}

func TestParseMoment(t *testing.T) {
	for text, want := range map[string]string{
		"2020-01-02T03:04:05.5Z":         "1577934245500000000.0000000000",
		"1577934245500000000":            "1577934245500000000.0000000000",
		"1577934245500000000.0000000007": "1577934245500000000.0000000007",
		"":                               "0.0000000000",
	} {
		if got, err := ParseMoment(text); err != nil || got.String() != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-5", "1.5", "1960-01-01T00:00:00Z", "2300-01-01T00:00:00Z", "1577934245500000000.00000000x7"} {
		if got, err := ParseMoment(text); fault.Code(err) != 10 {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}

// TestState cuts the state off within its last lines, as a loss of power does, and
// lets a second salvage come into the same folder.
func TestState(t *testing.T) {
	stores, dir := fixture(t, "tiny"), filepath.Join(t.TempDir(), "out")
	again := func() {
		t.Helper()
		if _, err := Run(t.Context(), stores, dir, Options{}, func(int64) {}); err != nil {
			t.Fatal(err)
		}
	}
	again()
	want, name := sums(t, dir), filepath.Join(dir, stateName)
	for _, cut := range []int64{1, 40, 700, 3000} {
		info, err := os.Stat(name)
		if err == nil {
			err = os.Truncate(name, info.Size()-cut)
		}
		if err != nil {
			t.Fatal(err)
		}
		again()
		if diff := cmp.Diff(want, sums(t, dir)); diff != "" {
			t.Errorf("cut by %d: %s", cut, diff)
		}
	}
	f, err := os.Open(name)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := Run(t.Context(), stores, dir, Options{}, func(int64) {}); fault.Code(err) != 11 {
		t.Errorf("beside another salvage: %v", err)
	}
}

// TestIndexVerdict says "complete" of no index that was not held against the rows,
// and names those of which less is proved.
func TestIndexVerdict(t *testing.T) {
	verdict := func(list ...Index) *Report {
		r := &Report{Tables: []*Table{{Name: "a.b.c", State: "public", Indexes: list}}}
		r.settle()
		return r
	}
	if r := verdict(Index{Name: "i", Check: "both ways", Equal: true}); !r.Complete || strings.Contains(r.Summary(), "partial") {
		t.Error(r.Summary())
	}
	if r := verdict(Index{Name: "i", Check: "one way", Equal: true}); !r.Complete || !strings.Contains(r.Summary(), "only that each entry has its row: a.b.c@i") {
		t.Error(r.Summary())
	}
	if r := verdict(Index{Name: "i", Check: "one way"}); r.Complete {
		t.Error(r.Summary())
	}
	if r := verdict(Index{Name: "i", Check: "not", Why: "it is a vector index"}); r.Complete || !strings.Contains(r.Summary(), `index "i" was not held against the rows: it is a vector index`) {
		t.Error(r.Summary())
	}
}
