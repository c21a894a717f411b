package world

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/journal"
)

// Proof is what a step of a run has proved, and when.
type Proof struct {
	At   time.Time `json:"at"`
	Step string    `json:"step"`
	What string    `json:"what"`
}

// outcome is what the outputs of the steps that prove something hold.
type outcome struct {
	Rows, Missing, Extra, Different int64
	Method, LSN                     string
}

// proofs say in words what a kind's output proves.
var proofs = map[string]func(outcome) string{
	"postgres_verify": func(o outcome) string {
		return fmt.Sprintf("%s rows compared, %d not the same", humanize.Comma(o.Rows), o.Missing+o.Extra+o.Different)
	},
	"postgres_freeze": func(o outcome) string { return o.Method },
	"postgres_switch": func(o outcome) string { return "the target has flushed all of the log, up to " + o.LSN },
}

// proved lists what the steps of a run have proved, in the order of the runbook.
func proved(st *journal.State) (list []Proof, err error) {
	for _, n := range st.Nodes {
		say, known := proofs[n.Kind]
		if !known || n.Phase != journal.Done {
			continue
		}
		var out outcome
		if err := json.Unmarshal(n.Output, &out); err != nil {
			return nil, fmt.Errorf("read the output of %s: %w", n.ID, err)
		}
		list = append(list, Proof{At: n.Ended, Step: n.ID, What: say(out)})
	}
	return list, nil
}
