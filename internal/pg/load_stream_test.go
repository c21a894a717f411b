package pg

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/testenv"
)

// TestLoadFilesToCome loads files as they come to stand, in another order than the
// plan's, and proves the tables meanwhile.
func TestLoadFilesToCome(t *testing.T) {
	t.Parallel()
	dir := little(t)
	h := newHaul(t, dir, testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	for i := range h.plan.Tables {
		h.plan.Tables[i].Database = "shop"
	}
	var err error
	if h.plan, err = PlanLoad(dir, "", "", "origin", h.plan.Tables); err != nil {
		t.Fatal(err)
	}
	hidden := map[string]string{}
	var paths []string
	for _, table := range h.plan.Tables {
		for _, part := range table.Parts {
			path := filepath.Join(dir, part.Path)
			hidden[part.Path] = path
			paths = append([]string{part.Path}, paths...)
			if err := os.Rename(path, path+".later"); err != nil {
				t.Fatal(err)
			}
		}
	}
	ready := make(chan string)
	go func() {
		defer close(ready)
		for _, path := range append(paths, "data/other/public.t/part-00000.csv") {
			if at := hidden[path]; at != "" && os.Rename(at+".later", at) != nil {
				return
			}
			ready <- path
		}
	}()
	h.Ready, h.Prove = ready, &VerifyLoadOptions{MaxDifferences: 20, Read: func(int64) {}}
	result := h.load(t)
	if !result.Proof.Equal() || result.Proof.Rows != 7 || result.Proof.Tables != 2 || result.Rows != 7 {
		t.Errorf("%+v", result)
	}
	h.State = h.saved
	if proved, err := LoadProved(t.Context(), h.LoadOptions); err != nil || !proved {
		t.Errorf("proved is %v: %v", proved, err)
	}
	if got := h.verify(t); !got.Equal() || got.Rows != 7 {
		t.Errorf("%+v", got)
	}
	psql(t, h.To, "-qc", "update parents set s = 'x' where id = 1")
	if proved, err := LoadProved(t.Context(), h.LoadOptions); err != nil || proved {
		t.Errorf("after a write proved is %v: %v", proved, err)
	}
}

// TestLoadFilesThatDoNotCome ends when the files do, and goes on when they stand.
func TestLoadFilesThatDoNotCome(t *testing.T) {
	t.Parallel()
	h := newHaul(t, little(t), testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	ready := make(chan string, 1)
	ready <- h.plan.Tables[0].Parts[0].Path
	close(ready)
	h.Ready = ready
	if _, err := Load(t.Context(), h.plan, h.LoadOptions); err == nil || !strings.Contains(err.Error(), "files did not come") {
		t.Errorf("loaded: %v", err)
	}
	h.Ready = nil
	h.load(t)
	if got := h.verify(t); !got.Equal() || got.Rows != 7 {
		t.Errorf("%+v", got)
	}
}

// TestLoadNotProved does not finish a load whose table was written to under it.
func TestLoadNotProved(t *testing.T) {
	t.Parallel()
	dir := little(t)
	h := newHaul(t, dir, testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	h.plan.Before = append(h.plan.Before, `CREATE FUNCTION public.alter() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.s := ''other''; RETURN NEW; END'`,
		"CREATE TRIGGER alter BEFORE INSERT ON public.parents FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION public.alter()")
	h.Prove = &VerifyLoadOptions{MaxDifferences: 20, Read: func(int64) {}}
	for range 2 {
		result := h.load(t)
		if result.Proof.Equal() || result.Proof.Different != 1 || !strings.Contains(result.Proof.Differences[0].String(), `s is "other"`) || h.saved.Finished != nil {
			t.Errorf("%+v, saved %+v", result, h.saved)
		}
	}
	h.undo(t)
}

// TestLoadRejects loads files with values that PostgreSQL does not know: all other
// rows are there, and those stand aside with the reason.
func TestLoadRejects(t *testing.T) {
	t.Parallel()
	dir := little(t)
	part := filepath.Join(dir, "data/shop/public.parents/part-00001.csv")
	var text strings.Builder
	text.WriteString("id,f,n,at,m,s,twice\n")
	for i := 10; i < 3000; i++ {
		mood, line := "glad", "\"two\nlines\""
		if i == 17 || i == 2500 {
			mood = "grim"
		}
		text.WriteString(strings.Join([]string{strconv.Itoa(i), "", "", "", mood, line, strconv.Itoa(2 * i)}, ",") + "\n")
	}
	text.WriteString("9,,,20000000-01-01,glad,\"comma, \"\"quote\"\"\",18\n")
	put(t, part, text.String())
	h := newHaul(t, dir, testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	h.Prove = &VerifyLoadOptions{MaxDifferences: 20, Read: func(int64) {}}
	result := h.load(t)
	if result.Rows != 5+2990-2 || len(result.Rejected) != 1 || !strings.Contains(result.Rejected[0], "3 rows of") || !strings.Contains(result.Rejected[0], `record 9 (17,`) {
		t.Errorf("%d rows, rejected %q", result.Rows, result.Rejected)
	}
	if !result.Proof.Equal() || result.Proof.Rejected != 3 {
		t.Errorf("%+v", result.Proof)
	}
	if got := h.verify(t); !got.Equal() || got.Rejected != 3 || got.Rows != result.Rows {
		t.Errorf("%+v", got)
	}
	aside, err := os.ReadFile(filepath.Join(dir, "rejected/shop/public.parents/part-00001.csv"))
	want := "record,reason,id,f,n,at,m,s,twice\n" +
		"9,\"invalid input value for enum mood: \"\"grim\"\", column m: \"\"grim\"\"\",17,,,,grim,\"two\nlines\",34\n" +
		"2492,\"invalid input value for enum mood: \"\"grim\"\", column m: \"\"grim\"\"\",2500,,,,grim,\"two\nlines\",5000\n" +
		"2992,\"timestamp out of range: \"\"20000000-01-01\"\", column at: \"\"20000000-01-01\"\"\",9,,,20000000-01-01,glad,\"comma, \"\"quote\"\"\",18\n"
	if diff := cmp.Diff(want, string(aside)); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	h.undo(t)
	put(t, part, "id,f,n,at,m,s,twice\n3,,,,,,6\n")
	h = newHaul(t, dir, h.To)
	if result = h.load(t); len(result.Rejected) != 0 {
		t.Errorf("rejected %q", result.Rejected)
	}
	if _, err := os.Stat(filepath.Join(dir, "rejected/shop/public.parents/part-00001.csv")); !os.IsNotExist(err) {
		t.Errorf("what another file had rejected is still there: %v", err)
	}
}

// TestLoadSequences compares the values of sequences.
func TestLoadSequences(t *testing.T) {
	t.Parallel()
	dir := little(t)
	script, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "schema.sql"), strings.Replace(string(script), "-- after the rows\n", `CREATE SEQUENCE public."Odd's";
CREATE SEQUENCE public.fresh;
-- after the rows
SELECT pg_catalog.setval('public."Odd''s"', 12, true);
SELECT pg_catalog.setval('public.fresh', 1, false);
`, 1))
	h := newHaul(t, dir, testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	h.Prove = &VerifyLoadOptions{MaxDifferences: 20, Read: func(int64) {}}
	if result := h.load(t); !result.Proof.Equal() || result.Proof.Rows != 7 {
		t.Errorf("%+v", result.Proof)
	}
	psql(t, h.To, "-qc", `select nextval('"Odd''s"'); drop sequence fresh`)
	got := h.verify(t)
	var said []string
	for _, d := range got.Differences {
		said = append(said, d.String())
	}
	want := []string{`different: public."Odd's"; is_called is "true", was "true"; last_value is "13", was "12"`, `missing: public.fresh`}
	if diff := cmp.Diff(want, said); diff != "" || got.Sequences != 2 || got.Equal() {
		t.Errorf("%+v %s", got, diff)
	}
}
