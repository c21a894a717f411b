package world

import (
	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/proof"
)

// ResultDone is the result of a run that went through to its end.
const ResultDone = "done"

// Result is what a demo comes to. The fields up to Report are promised to
// scripts.
type Result struct {
	// Result is done, undone or aborted.
	Result string `json:"result"`
	// Rows and the differences are what postgres_verify found when the
	// databases stood still.
	Rows      int64 `json:"rows"`
	Missing   int64 `json:"missing"`
	Different int64 `json:"different"`
	Extra     int64 `json:"extra"`
	// The downtimes are from the last success before to the first one after
	// the longest time without, as the customers saw it.
	WriteDowntimeSeconds float64 `json:"write_downtime_seconds"`
	ReadDowntimeSeconds  float64 `json:"read_downtime_seconds"`
	Requests             int64   `json:"requests"`
	RequestsFailed       int64   `json:"requests_failed"`
	SourceVersion        string  `json:"source_version"`
	TargetVersion        string  `json:"target_version"`
	Report               string  `json:"report"` // path

	Run     string `json:"run"`
	Gateway string `json:"gateway"`
	// OrdersPerSecond is the mean of acknowledged orders outside the outage.
	OrdersPerSecond float64 `json:"orders_per_second"`
	// OrdersOn is the side that Orders are looked for on: the target if the
	// move was done, else where orders were taken last.
	OrdersOn string       `json:"orders_on"`
	Orders   proof.Orders `json:"orders"`
	// OrdersToo is what became of them on the other side, if that follows.
	OrdersToo *proof.Orders `json:"orders_on_follower,omitempty"`
	Unclear   int64         `json:"orders_unclear"`
	Check     proof.Rows    `json:"check"`
	Catalog   proof.Catalog `json:"catalog"`
	// Kept tells that the databases are still up.
	Kept bool `json:"kept,omitempty"`
	// Verified tells that the run compared all rows itself.
	Verified bool `json:"verified"`
	// WriteOutage and ReadOutage are the downtimes with their instants.
	WriteOutage crowd.Outage   `json:"write_outage"`
	ReadOutage  crowd.Outage   `json:"read_outage"`
	Seconds     []crowd.Second `json:"seconds,omitempty"`
	// Proved says what the run itself proved, and when, if the target followed.
	Proved []Proof `json:"proved,omitempty"`
	// Back is the way home, if the run was done and then taken back.
	Back *Back `json:"back,omitempty"`
	// there is what the customers saw until then.
	there *crowd.Figures
}

// Back is what the customers saw of the way home.
type Back struct {
	WriteDowntimeSeconds float64      `json:"write_downtime_seconds"`
	ReadDowntimeSeconds  float64      `json:"read_downtime_seconds"`
	WriteOutage          crowd.Outage `json:"write_outage"`
	ReadOutage           crowd.Outage `json:"read_outage"`
}

// Sound tells whether nothing was lost, doubled or changed.
func (r Result) Sound() bool {
	return r.Missing+r.Different+r.Extra == 0 && r.Orders.Kept() && (r.OrdersToo == nil || r.OrdersToo.Kept()) && len(r.Check.Differ) == 0 && len(r.Catalog.Differ) == 0
}

// count takes the customers' figures in.
func (r *Result) count(f crowd.Figures) {
	r.Requests, r.RequestsFailed, r.Unclear, r.Seconds = f.Requests, f.Failed, f.Unclear, f.Seconds
	closed := f.Writes.Length()
	if r.there != nil {
		r.Back = &Back{f.Writes.Length().Seconds(), f.Reads.Length().Seconds(), f.Writes, f.Reads}
		f.Writes, f.Reads = r.there.Writes, r.there.Reads
		closed += f.Writes.Length()
	}
	r.WriteOutage, r.ReadOutage = f.Writes, f.Reads
	r.WriteDowntimeSeconds, r.ReadDowntimeSeconds = f.Writes.Length().Seconds(), f.Reads.Length().Seconds()
	var taken int64
	for _, s := range f.Seconds {
		taken += s.Writes.Requests - s.Writes.Failed
	}
	if open := f.To.Sub(f.From) - closed; open > 0 {
		r.OrdersPerSecond = float64(taken) / open.Seconds()
	}
}
