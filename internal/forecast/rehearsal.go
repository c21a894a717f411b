package forecast

import (
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// Rehearsal is one run as practice.
type Rehearsal struct {
	Run   string
	Mode  journal.Mode
	At    time.Time
	Nodes []RehearsedNode
}

// RehearsedNode is one step of it.
type RehearsedNode struct {
	ID       string
	Def      string
	RunMS    int64
	VerifyMS int64
	Work     step.Work
	Failed   int
}
