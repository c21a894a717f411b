package forecast

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/night"
)

var day = time.Date(2025, 3, 1, 2, 0, 0, 0, time.UTC)

func drill(n int, id, def string, ms int64, work step.Work) journal.Rehearsal {
	return journal.Rehearsal{
		Run: fmt.Sprintf("drill-%d", n), Mode: journal.Drill, At: day.AddDate(0, 0, n),
		Nodes: []journal.Rehearsed{{ID: id, Class: journal.ClassStep, Done: true, Def: def, RunMS: ms - 1, VerifyMS: 1, Work: work}},
	}
}

func TestStep(t *testing.T) {
	rows := func(n int64) step.Work { return step.Work{Unit: "rows", Total: n} }
	copies := []journal.Rehearsal{ // not in time order: the newest counts as last
		drill(3, "copy.main", "new", 3000, rows(1000)),
		drill(1, "copy.main", "old", 9000, rows(1000)),
		drill(2, "copy.main", "new", 1000, rows(1000)),
	}
	tests := []struct {
		name       string
		rehearsals []journal.Rehearsal
		def        string
		work       step.Work
		want       Estimate
	}{
		{"never rehearsed", nil, "new", rows(1), Estimate{Basis: Never}},
		{"median of the drills with this text", copies, "new", rows(1000),
			Estimate{Basis: Rehearsed, ExpectMS: 2000, Drills: 2, LastMS: 3000, LastAt: day.AddDate(0, 0, 3)}},
		{"scaled by the work", copies, "new", rows(5000),
			Estimate{Basis: Rehearsed, ExpectMS: 10000, Drills: 2, Scaled: true, LastMS: 3000, LastAt: day.AddDate(0, 0, 3)}},
		{"units differ: not scaled", copies, "new", step.Work{Unit: "bytes", Total: 5000},
			Estimate{Basis: Rehearsed, ExpectMS: 2000, Drills: 2, LastMS: 3000, LastAt: day.AddDate(0, 0, 3)}},
		{"text changed since", copies, "newer", rows(1000),
			Estimate{Basis: Changed, LastMS: 3000, LastAt: day.AddDate(0, 0, 3)}},
		{"work that leaves the number range is not scaled", copies, "old", rows(1 << 62),
			Estimate{Basis: Rehearsed, ExpectMS: 9000, Drills: 1, LastMS: 3000, LastAt: day.AddDate(0, 0, 3)}},
		{"live runs do not count", []journal.Rehearsal{{Mode: journal.Live, Nodes: copies[0].Nodes}}, "new", rows(1), Estimate{Basis: Never}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Read(tt.rehearsals).Step("copy.main", tt.def, tt.work)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRun(t *testing.T) {
	task := func(id string, seconds int, after ...string) Task {
		return Task{ID: id, Left: time.Duration(seconds) * time.Second, Known: true, After: after}
	}
	gate := Task{ID: "gate", People: true, After: []string{"a", "b"}}
	tests := []struct {
		name     string
		tasks    []Task
		parallel int
		want     Course
	}{
		{"nothing", nil, 4, Course{}},
		{"side by side", []Task{task("a", 3), task("b", 5)}, 0, Course{TotalMS: 5_000, Path: []string{"b"}}},
		{"one after another", []Task{task("b", 5, "a"), task("a", 3)}, 4, Course{TotalMS: 8_000, Path: []string{"a", "b"}}},
		{"too few places", []Task{task("a", 3), task("b", 5), task("c", 4)}, 2, Course{TotalMS: 7_000, Path: []string{"a", "c"}}},
		{"a gate joins and takes no place", []Task{task("a", 3), task("b", 5), gate, task("c", 1, "gate")}, 1,
			Course{TotalMS: 9_000, Path: []string{"a", "b", "c"}}},
		{"unknown steps are named", []Task{task("a", 3), {ID: "b"}}, 1, Course{TotalMS: 3_000, Path: []string{"a"}, Unknown: []string{"b"}}},
		{"what has ended is no hindrance", []Task{task("a", 3, "gone")}, 1, Course{TotalMS: 3_000, Path: []string{"a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Run(tt.tasks, tt.parallel)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// No course is shorter than its longest chain or than its work over its
// places, and none is longer than all its work.
func TestRunBounds(t *testing.T) {
	var tasks []Task
	var sum time.Duration
	for i := range 200 {
		left := time.Duration(i*7919%97+1) * time.Second
		task := Task{ID: fmt.Sprint(i), Left: left, Known: true}
		if i > 10 {
			task.After = []string{fmt.Sprint(i * 31 % i), fmt.Sprint(i - i%10)}
			if task.After[1] == task.ID {
				task.After = task.After[:1]
			}
		}
		tasks, sum = append(tasks, task), sum+left
	}
	before := Run(tasks, 1)
	if before.TotalMS != sum.Milliseconds() {
		t.Errorf("with one place it takes %d ms, want %s", before.TotalMS, sum)
	}
	chain := Run(tasks, 0).TotalMS
	for _, places := range []int{2, 3, 8, 64} {
		got := Run(tasks, places)
		if got.TotalMS < max(chain, sum.Milliseconds()/int64(places)) || got.TotalMS > before.TotalMS {
			t.Errorf("with %d places it takes %d ms; chain %d ms, work %s", places, got.TotalMS, chain, sum)
		}
	}
}

func TestBetween(t *testing.T) {
	tasks := []Task{
		{ID: "a", Stage: "prepare", Left: time.Hour, Known: true},
		{ID: "b", Stage: "close", Left: time.Minute, Known: true},
		{ID: "c", Stage: "open", Left: time.Second, Known: true},
		{ID: "d", Stage: "open"},
	}
	stages := Stages([]string{"prepare", "close", "open", "after"}, tasks, 1)
	want := Course{TotalMS: 61_000, Path: []string{"b", "c"}, Unknown: []string{"d"}}
	if diff := cmp.Diff(want, Between(stages, "close", "open")); diff != "" {
		t.Error(diff)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[int64][]int64{0: nil, 7: {7}, 5: {9, 1, 5}, 4: {9, 1, 3, 5}} {
		if got := Median(values); got != want {
			t.Errorf("median of %v is %d, want %d", values, got, want)
		}
	}
}

// What is left of a night: a running step has what its rate says, else its
// expected time less what has passed; what is over has nothing.
func TestLeft(t *testing.T) {
	b := night.Moving()
	now := b.Now().Add(4 * time.Minute)
	courses := func(eta map[string]time.Duration) Course {
		return Between(Stages(night.Body().Stages, Left(b.State(), now, eta), 4), "close", "open")
	}
	want := Course{
		TotalMS: (6+3)*60_000 + 1500, Path: []string{"postgres_copy.main", "postgres_verify.main", "gateway_weight.seoul"},
		Unknown: []string{"shell.images", "shell.drop-old"},
	}
	if diff := cmp.Diff(want, courses(nil)); diff != "" {
		t.Error(diff)
	}
	want.TotalMS = 20_000 + 3*60_000 + 1500
	if diff := cmp.Diff(want, courses(map[string]time.Duration{"postgres_copy.main": 20 * time.Second})); diff != "" {
		t.Error(diff)
	}
}

func TestFill(t *testing.T) {
	nodes := []journal.NodeBody{
		{ID: "copy.main", Class: journal.ClassStep, Def: "new"},
		{ID: "gate.go", Class: journal.ClassGate, ExpectMS: 7},
		{ID: "copy.other", Class: journal.ClassStep, Def: "new", ExpectMS: 7},
	}
	Read([]journal.Rehearsal{drill(1, "copy.main", "new", 900, step.Work{})}).Fill(nodes)
	if nodes[0].ExpectMS != 900 || nodes[1].ExpectMS != 7 || nodes[2].ExpectMS != 0 {
		t.Errorf("expected times are %d, %d, %d", nodes[0].ExpectMS, nodes[1].ExpectMS, nodes[2].ExpectMS)
	}
}
