// Package forecast says from drills how long a step, a stage and the window
// will take. It guesses nothing: a step that no drill has run as it stands
// now has no expected duration, and whatever depends on it says so.
package forecast

import (
	"math/big"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// Basis says what an estimate rests on.
type Basis string

// The bases. A step is Changed when drills ran it, but none as its text reads
// now.
const (
	Rehearsed Basis = "rehearsed"
	Changed   Basis = "changed"
	Never     Basis = "never"
)

// Estimate is what drills say of one step.
type Estimate struct {
	Basis Basis `json:"basis"`
	// ExpectMS is the expected time of run and verify together: the median of
	// the drills of the step as it reads now. 0 unless Rehearsed.
	ExpectMS int64 `json:"expect_ms,omitempty"`
	// Drills counts the drills behind ExpectMS.
	Drills int `json:"drills"`
	// Scaled tells that each drill's time was multiplied by the work to do
	// now over the work done then: time is taken to grow with the work.
	Scaled bool `json:"scaled,omitempty"`
	// LastMS and LastAt are of the newest drill, of whatever text and work.
	LastMS int64     `json:"last_ms,omitempty"`
	LastAt time.Time `json:"last_at,omitzero"`
}

// Take is one step's part in one drill.
type Take struct {
	Run    string    `json:"run"`
	At     time.Time `json:"at"`
	Def    string    `json:"def"` // hash of the step's own text then
	MS     int64     `json:"elapsed_ms"`
	Work   step.Work `json:"work,omitzero"`
	Failed int       `json:"failed,omitempty"` // attempts that failed before
}

// Book is what all drills say, by step.
type Book struct {
	takes map[string][]Take // by node ID, oldest first
	order []string
}

// Read makes the book from the journals' rehearsals, in any order. Only drills
// count, and of them the steps that were done: a live run is what is to be
// foretold, and a step run alone had the machine to itself.
func Read(rehearsals []journal.Rehearsal) *Book {
	b := &Book{takes: map[string][]Take{}}
	for _, r := range rehearsals {
		if r.Mode != journal.Drill {
			continue
		}
		for _, n := range r.Nodes {
			if n.Class != journal.ClassStep || !n.Done {
				continue
			}
			if _, known := b.takes[n.ID]; !known {
				b.order = append(b.order, n.ID)
			}
			b.takes[n.ID] = append(b.takes[n.ID], Take{
				Run: r.Run, At: r.At, Def: n.Def, MS: max(n.RunMS+n.VerifyMS, 1), Work: n.Work, Failed: n.Failed,
			})
		}
	}
	for _, takes := range b.takes {
		slices.SortStableFunc(takes, func(x, y Take) int { return x.At.Compare(y.At) })
	}
	return b
}

// Steps lists the steps that any drill ran, as they first came.
func (b *Book) Steps() []string { return b.order }

// Curve gives a step's drills, oldest first.
func (b *Book) Curve(id string) []Take { return b.takes[id] }

// Step estimates a step with the hash of its text and the work ahead of it.
func (b *Book) Step(id, def string, work step.Work) Estimate {
	takes := b.takes[id]
	if len(takes) == 0 {
		return Estimate{Basis: Never}
	}
	last := takes[len(takes)-1]
	e := Estimate{Basis: Changed, LastMS: last.MS, LastAt: last.At}
	var times []int64
	for _, t := range takes {
		if t.Def != def {
			continue
		}
		ms, scaled := scale(t, work)
		times, e.Scaled = append(times, ms), e.Scaled || scaled
	}
	if len(times) > 0 {
		e.Basis, e.ExpectMS, e.Drills = Rehearsed, Median(times), len(times)
	}
	return e
}

// Fill writes what is expected of each step into the nodes of a new run.
func (b *Book) Fill(nodes []journal.NodeBody) {
	for i, n := range nodes {
		if n.Class == journal.ClassStep {
			nodes[i].ExpectMS = b.Node(n).ExpectMS
		}
	}
}

// Node is Step with the hash and the plan of a node.
func (b *Book) Node(n journal.NodeBody) Estimate {
	var work step.Work
	if n.Plan != nil {
		work = n.Plan.Work
	}
	return b.Step(n.ID, n.Def, work)
}

// scale is a drill's time for the work ahead, and whether it differs from the
// time that was measured. Amounts of bytes times milliseconds leave int64.
func scale(t Take, work step.Work) (int64, bool) {
	if work.Total <= 0 || t.Work.Total <= 0 || work.Unit != t.Work.Unit || work.Total == t.Work.Total {
		return t.MS, false
	}
	ms := new(big.Int).Mul(big.NewInt(t.MS), big.NewInt(work.Total))
	ms.Quo(ms, big.NewInt(t.Work.Total))
	if !ms.IsInt64() {
		return t.MS, false
	}
	return max(ms.Int64(), 1), true
}

// Median of values, the mean of the middle two for an even count; 0 of none.
func Median(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}
