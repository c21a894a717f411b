package salvage

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// large is the report on a cluster of 25,000 ranges, half of it in doubt.
func large() *Report {
	r := &Report{Survey: Survey{Cluster: "c"}}
	for i := range 2500 {
		t := &Table{Name: fmt.Sprintf("shop.public.a_table_with_quite_a_long_name_%d", i), State: "public", Rows: 1000, Bytes: int64(i)}
		for j := range 10 {
			id := uint64(i*10 + j)
			t.Rests = append(t.Rests, Rest{Range: id, Store: id % 7, Index: 3, Doubt: []string{"", "later writes may be lost"}[i%2]})
			r.Damage = append(r.Damage, Damage{Store: "/evidence/n1", File: fmt.Sprintf("%06d.sst", id), Offset: 7, Why: "a block is broken"})
			if i%2 == 1 {
				r.problem("table %q: keys %s, range %d: %s", t.Name, Span{From: []byte("k")}, id, "later writes may be lost")
			}
		}
		r.Tables = append(r.Tables, t)
	}
	r.Survey.Holes = []Hole{{Span: Span{From: []byte{1}, To: []byte{2}}}}
	for range maxStretches {
		r.Map = append(r.Map, Stretch{Keys: "shop.public.a_table … shop.public.another_table", Standing: InDoubt, Ranges: 100, Bytes: 1 << 30})
	}
	r.settle()
	return r
}

// TestSummaryIsShort says what thousands of ranges have in common once.
func TestSummaryIsShort(t *testing.T) {
	want := "not complete: 2500000 rows of 2500 tables, 3123750 bytes; no store has the keys [01, 02)" +
		"; later writes may be lost: shop.public.a_table_with_quite_a_long_name_1 and 1249 more"
	if got := large().Summary(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPage is small however large the cluster is, works without scripts, and says
// the verdict first.
func TestPage(t *testing.T) {
	r := large()
	text, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 200_000 {
		t.Errorf("the page has %d bytes", len(text))
	}
	for _, never := range []string{"<script", "http://", "https://", "<link", "src="} {
		if bytes.Contains(text, []byte(never)) {
			t.Errorf("the page has %q", never)
		}
	}
	plain := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>|<style>.*</style>`).ReplaceAllString(string(text), " ")), " ")
	_, plain, _ = strings.Cut(plain, "— cluster")
	last := -1
	for _, want := range []string{fmt.Sprintf("✗ Not complete: %d things are missing or doubtful", len(r.Problems)), "불완전함", "What is missing or doubtful", "no store has the keys [01, 02)", "The key space", "in doubt", "and 2300 smaller ones", "Damage"} {
		at := strings.Index(plain, want)
		if at < 0 {
			t.Errorf("the page has not %q", want)
		} else if at < last {
			t.Errorf("%q comes too early", want)
		}
		last = max(last, at)
	}
	whole := &Report{Tables: []*Table{{Name: "a<b", State: "public", Rows: 1, Checksums: Checksums{Verified: 2}}}, Map: []Stretch{{Standing: Complete, Ranges: 3}}}
	whole.settle()
	if text, err = whole.page(); err != nil || !bytes.Contains(text, []byte("✓ Complete: every row is there, and proved.")) || !bytes.Contains(text, []byte("a&lt;b")) {
		t.Errorf("a page of a whole salvage: %v\n%s", err, text)
	}
}

func TestGathered(t *testing.T) {
	got := gathered([]string{
		`table "a.b.c": keys [01, 02), range 7: it is old`, `the schema: keys [01, 02), range 8: it is old`, `sequence "s": range 3: it is old`,
		`table "a.b.c": keys [02, 03), range 9: it is old`, `table "a.b.c": 3 doubts, see doubts`, `no store has the keys [01, 02)`,
	})
	want := []pageProblem{{Text: "no store has the keys [01, 02)"}, {Text: "it is old", Subjects: []string{"a.b.c", "the schema", "s"}}, {Text: `table "a.b.c": 3 doubts, see doubts`}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
