package crowd

import (
	"maps"
	"sync"
	"time"
)

// Count is how many requests were answered in some time, and how many of
// those in vain, by reason.
type Count struct {
	Requests int64            `json:"requests"`
	Failed   int64            `json:"failed"`
	Reasons  map[string]int64 `json:"reasons,omitempty"`
}

func (c *Count) add(reason string) {
	c.Requests++
	if reason == "" {
		return
	}
	c.Failed++
	if c.Reasons == nil {
		c.Reasons = map[string]int64{}
	}
	c.Reasons[reason]++
}

// Second is one second of the demo.
type Second struct {
	At     time.Time `json:"at"`
	Writes Count     `json:"writes"`
	Reads  Count     `json:"reads"`
}

// Outage is the longest time without a single success of its class: from the
// last one before to the first one after.
type Outage struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Length is how long it was.
func (o Outage) Length() time.Duration { return o.To.Sub(o.From) }

// Figures is what the crowd has seen so far.
type Figures struct {
	// From and To bound the time in which customers came.
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Requests int64     `json:"requests"`
	Failed   int64     `json:"failed"`
	// Acknowledged counts orders that were answered with 201.
	Acknowledged int64 `json:"acknowledged"`
	// Unclear counts orders that never got a clear answer: each may stand in
	// the database once or not at all.
	Unclear int64 `json:"unclear"`
	// TakenBy is the app that took the newest order.
	TakenBy string   `json:"taken_by"`
	Writes  Outage   `json:"write_outage"`
	Reads   Outage   `json:"read_outage"`
	Seconds []Second `json:"seconds"`
}

// class is writes or reads.
type class uint8

const (
	writes class = iota
	reads
)

// record keeps the figures. A second is where an answer came, not where its
// request began.
type record struct {
	mu      sync.Mutex
	start   time.Time
	seconds []Second
	last    [2]time.Time // newest success of each class; at first the start
	outage  [2]Outage
}

// answered takes one answer in; reason is "" for a success.
func (r *record) answered(c class, at time.Time, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(at.Sub(r.start) / time.Second)
	for len(r.seconds) <= n {
		r.seconds = append(r.seconds, Second{At: r.start.Add(time.Duration(len(r.seconds)) * time.Second)})
	}
	if c == writes {
		r.seconds[n].Writes.add(reason)
	} else {
		r.seconds[n].Reads.add(reason)
	}
	if reason == "" {
		r.succeeded(c, at)
	}
}

func (r *record) succeeded(c class, at time.Time) {
	if last := r.last[c]; at.Sub(last) > r.outage[c].Length() {
		r.outage[c] = Outage{From: last, To: at}
	}
	if at.After(r.last[c]) {
		r.last[c] = at
	}
}

// turn forgets the outages.
func (r *record) turn() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outage = [2]Outage{}
}

func newRecord(start time.Time) *record {
	return &record{start: start, last: [2]time.Time{start, start}}
}

// figures sums up. A class that has not come back yet is out until now.
func (r *record) figures(now time.Time) Figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := Figures{From: r.start, To: now, Writes: r.outageUntil(writes, now), Reads: r.outageUntil(reads, now)}
	for _, s := range r.seconds {
		s.Writes.Reasons, s.Reads.Reasons = maps.Clone(s.Writes.Reasons), maps.Clone(s.Reads.Reasons)
		f.Seconds = append(f.Seconds, s)
		f.Requests += s.Writes.Requests + s.Reads.Requests
		f.Failed += s.Writes.Failed + s.Reads.Failed
	}
	return f
}

func (r *record) outageUntil(c class, now time.Time) Outage {
	open := Outage{From: r.last[c], To: now}
	if open.Length() > r.outage[c].Length() {
		return open
	}
	return r.outage[c]
}
