package forecast

import (
	"container/heap"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/journal"
)

// Task is a node with the time that it still needs.
type Task struct {
	ID    string
	Stage string
	After []string
	Left  time.Duration
	// Known is false if no drill says how long it takes; Left is then 0.
	Known bool
	// People is true for gates and checklists: they take no place among the
	// steps that run at once, and nobody foretells how long people need.
	People bool
}

// Course is how a set of tasks goes when each starts as soon as it may.
type Course struct {
	TotalMS int64 `json:"total_ms"`
	// Path are the steps that the total hangs on, in time order: each of them
	// waited for the one before, for its result or for its place.
	Path []string `json:"path,omitempty"`
	// Unknown are the steps without an expected duration, counted as nothing.
	Unknown []string `json:"unknown,omitempty"`
}

// Stage is the course of one stage.
type Stage struct {
	Name string `json:"name"`
	Course
}

// Stages gives the course of each stage; stages go one after another.
func Stages(names []string, tasks []Task, parallel int) []Stage {
	byStage := map[string][]Task{}
	for _, t := range tasks {
		byStage[t.Stage] = append(byStage[t.Stage], t)
	}
	stages := make([]Stage, len(names))
	for i, name := range names {
		stages[i] = Stage{Name: name, Course: Run(byStage[name], parallel)}
	}
	return stages
}

// Between joins the courses from one stage to another, both included.
func Between(stages []Stage, first, last string) Course {
	from := slices.IndexFunc(stages, func(s Stage) bool { return s.Name == first })
	to := slices.IndexFunc(stages, func(s Stage) bool { return s.Name == last })
	var all Course
	for i := max(from, 0); i <= to; i++ {
		all.TotalMS += stages[i].TotalMS
		all.Path = append(all.Path, stages[i].Path...)
		all.Unknown = append(all.Unknown, stages[i].Unknown...)
	}
	return all
}

// Tasks are all nodes of a run that has not begun.
func Tasks(nodes []journal.NodeBody) []Task {
	tasks := make([]Task, len(nodes))
	for i, n := range nodes {
		tasks[i] = taskOf(n)
	}
	return tasks
}

func taskOf(n journal.NodeBody) Task {
	return Task{
		ID: n.ID, Stage: n.Stage, After: n.After, Left: time.Duration(n.ExpectMS) * time.Millisecond,
		Known: n.ExpectMS > 0, People: n.Class != journal.ClassStep,
	}
}

// Left are the nodes that a run still has before it, the running ones first
// (they have their places). eta is what the rate of work says of those that
// run; without it the expected time less the elapsed one is left.
func Left(s *journal.State, now time.Time, eta map[string]time.Duration) []Task {
	var running, waiting []Task
	for _, n := range s.Nodes {
		t := taskOf(n.NodeBody)
		switch {
		case n.Settled():
		case n.Phase == journal.Running || n.Phase == journal.Ran:
			if left, ok := eta[n.ID]; ok {
				t.Left, t.Known = left, true
			} else {
				t.Left = max(t.Left-now.Sub(n.Started), 0)
			}
			running = append(running, t)
		default:
			waiting = append(waiting, t)
		}
	}
	return append(running, waiting...)
}

// Run plays the tasks through: of those whose predecessors have ended, the
// first in order starts as soon as one of the parallel places is free (0: as
// many as there are tasks). A predecessor that is not among the tasks has
// ended already. Tasks in a cycle never start; no runbook has one.
func Run(tasks []Task, parallel int) Course {
	p := newPlay(tasks, parallel)
	for i := range tasks {
		if p.missing[i] == 0 {
			p.admit(i)
		}
	}
	last := -1
	for p.start(); p.running.Len() > 0; p.start() {
		last = heap.Pop(&p.running).(int)
		p.end(last)
	}
	c := Course{TotalMS: p.now.Milliseconds()}
	for i := last; i >= 0; i = p.cause[i] {
		if tasks[i].Left > 0 {
			c.Path = append(c.Path, tasks[i].ID)
		}
	}
	slices.Reverse(c.Path)
	for _, t := range tasks {
		if !t.Known && !t.People {
			c.Unknown = append(c.Unknown, t.ID)
		}
	}
	return c
}

// play is the state of Run; tasks are named by their index.
type play struct {
	tasks   []Task
	places  int
	now     time.Duration
	next    map[int][]int // task → those that wait for it
	missing []int         // predecessors that have not ended
	cause   []int         // whose end let it start, -1: started at once
	ends    []time.Duration
	freed   int // whose end freed the newest place
	ready   queue
	running queue
}

func newPlay(tasks []Task, parallel int) *play {
	n := len(tasks)
	p := &play{tasks: tasks, places: parallel, next: map[int][]int{}, missing: make([]int, n), cause: make([]int, n), ends: make([]time.Duration, n), freed: -1}
	if parallel <= 0 {
		p.places = n
	}
	index := make(map[string]int, n)
	for i, t := range tasks {
		index[t.ID], p.cause[i] = i, -1
	}
	for i, t := range tasks {
		for _, id := range t.After {
			if before, ok := index[id]; ok {
				p.next[before] = append(p.next[before], i)
				p.missing[i]++
			}
		}
	}
	p.ready.less = func(i, j int) bool { return i < j }
	p.running.less = func(i, j int) bool { return p.ends[i] < p.ends[j] || p.ends[i] == p.ends[j] && i < j }
	return p
}

// admit takes in a task whose predecessors have ended: a gate begins at once, a
// step when it gets a place.
func (p *play) admit(i int) {
	if p.tasks[i].People {
		p.begin(i)
		return
	}
	heap.Push(&p.ready, i)
}

// start lets ready steps run while there are places.
func (p *play) start() {
	for p.places > 0 && p.ready.Len() > 0 {
		i := heap.Pop(&p.ready).(int)
		if p.cause[i] < 0 || p.ends[p.cause[i]] < p.now {
			p.cause[i] = p.freed
		}
		p.places--
		p.begin(i)
	}
}

func (p *play) begin(i int) {
	p.ends[i] = p.now + p.tasks[i].Left
	heap.Push(&p.running, i)
}

func (p *play) end(i int) {
	p.now = p.ends[i]
	if !p.tasks[i].People {
		p.places++
		p.freed = i
	}
	for _, j := range p.next[i] {
		if p.missing[j]--; p.missing[j] == 0 {
			p.cause[j] = i
			p.admit(j)
		}
	}
}

// queue is a heap of tasks.
type queue struct {
	items []int
	less  func(i, j int) bool
}

func (q queue) Len() int           { return len(q.items) }
func (q queue) Less(i, j int) bool { return q.less(q.items[i], q.items[j]) }
func (q queue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }

// Push is of heap.Interface.
func (q *queue) Push(x any) { q.items = append(q.items, x.(int)) }

// Pop is of heap.Interface.
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}
