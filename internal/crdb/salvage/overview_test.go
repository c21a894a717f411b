package salvage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func overviewed(t testing.TB, stores ...string) (*Cluster, *Survey, *Overview) {
	t.Helper()
	c := opened(t, stores...)
	s, err := c.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.Overview(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return c, s, o
}

// TestOverview tells how the key space stands with all stores and with some, and
// what a salvage would give.
func TestOverview(t *testing.T) {
	stores := shared(t, "crash")
	c, s, o := overviewed(t, stores...)
	ranges := 0
	for _, x := range o.Map {
		ranges += x.Ranges
	}
	if o.Worst() > OnLog || ranges != len(s.Ranges) || len(o.Tables) != o.Counts.Tables {
		t.Errorf("all stores: %v, %d ranges of %d, %d tables", o.Worst(), ranges, len(s.Ranges), len(o.Tables))
	}
	x, err := c.Expect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const rows, bytes = 168_754, 24_000_000 // as a salvage gives
	if off := float64(x.Rows) / rows; off < 0.6 || off > 1.6 {
		t.Errorf("expects %d rows, there are %d", x.Rows, rows)
	}
	if off := float64(x.Bytes) / bytes; off < 0.6 || off > 1.6 || x.Seconds <= 0 || x.SampleBytes == 0 {
		t.Errorf("expects %+v, there are %d bytes", x, bytes)
	}
	_, _, o = overviewed(t, stores[1])
	text := strings.Join(o.Text(), "\n")
	if o.Worst() != Missing || !strings.Contains(text, "MISSING: no store has it: 4 ranges") || !strings.Contains(text, "kingdom.public.hashed") {
		t.Errorf("one store: %v:\n%s", o.Worst(), text)
	}
}

// TestOverviewIsBounded joins the map of a large cluster and cuts its lists.
func TestOverviewIsBounded(t *testing.T) {
	var list []Stretch
	for i := range 25_000 {
		name := fmt.Sprintf("table %d", i/10)
		list = append(list, Stretch{Standing: Standing(i * 7 % 3), Ranges: 1, Bytes: 10, first: name, last: name})
	}
	list[17_000].Standing = Missing
	for most := int64(1); len(list) > maxStretches; most *= 2 {
		list = coarser(list, most)
	}
	var sum Stretch
	for _, s := range list {
		if s.Standing == Missing && s.Ranges != 1 {
			t.Errorf("what is missing is lost among %d ranges", s.Ranges)
		}
		sum.join(s)
	}
	if sum.Ranges != 25_000 || sum.Bytes != 250_000 || sum.Standing != Missing || len(list) < 3 {
		t.Errorf("%d stretches with %+v", len(list), sum)
	}
	if n := len(first(make([]Hole, 5000))); n != maxListed {
		t.Errorf("a list of %d", n)
	}
}

// TestSurveyFile holds the whole survey, and is read back.
func TestSurveyFile(t *testing.T) {
	stores := fixture(t, "tiny")
	_, s, _ := overviewed(t, stores...)
	name := filepath.Join(t.TempDir(), "survey.json")
	if err := s.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	var again Survey
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil || len(again.Ranges) != len(s.Ranges) || len(again.Stores[0].Facts.Options) == 0 {
		t.Errorf("%d ranges, %v", len(again.Ranges), err)
	}
	if err := Outside(stores, filepath.Join(stores[1], "survey.json")); err == nil {
		t.Error("a file within the evidence is not refused")
	}
}
