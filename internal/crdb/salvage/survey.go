package salvage

import (
	"context"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/store"
)

// Survey is what the stores say of themselves and of each other, or a backup.
type Survey struct {
	Cluster      string        `json:"cluster"`
	Layers       []Layer       `json:"layers,omitempty"` // of a backup
	Stores       []Store       `json:"stores"`
	Nodes        []int32       `json:"nodes"`
	Ranges       []Range       `json:"ranges"`
	Holes        []Hole        `json:"holes"`
	Transactions []Transaction `json:"transactions"` // those that were under way
	Damage       []Damage      `json:"damage"`
}

// Store is one store.
type Store struct {
	Name  string      `json:"name"`
	Node  int32       `json:"node"`
	Store int32       `json:"store"`
	Facts store.Facts `json:"facts"`
}

// Range is one range and who speaks for it.
type Range struct {
	ID         uint64    `json:"id"`
	Span       Span      `json:"span"`
	Generation uint64    `json:"generation"`
	Members    []uint64  `json:"members"`  // stores that should have a replica
	Chosen     uint64    `json:"chosen"`   // the store whose replica speaks; 0: none
	Applied    uint64    `json:"applied"`  // by that replica
	Replayed   uint64    `json:"replayed"` // to which index of the log it was brought
	Why        string    `json:"why"`
	Replicas   []Replica `json:"replicas"`
	Notes      []string  `json:"notes,omitempty"`
}

// Replica is one store's copy of a range.
type Replica struct {
	Store   uint64 `json:"store"`
	Applied uint64 `json:"applied"`
	Last    uint64 `json:"last"` // index of its log
	Damaged bool   `json:"damaged,omitempty"`
	Fault   string `json:"fault,omitempty"` // why it has no say
}

// Hole is a stretch of keys that no store has.
type Hole struct {
	Span    Span     `json:"span"`
	Keys    string   `json:"keys"` // the span for people
	Range   uint64   `json:"range,omitempty"`
	Members []uint64 `json:"members,omitempty"` // stores that should have it
}

// Transaction is one that was not over.
type Transaction struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Range uint64 `json:"range"`
}

func (h Hole) whose() string {
	if h.Range == 0 {
		return ""
	}
	return fmt.Sprintf(": range %d, whose replicas are on stores %v", h.Range, h.Members)
}

// Survey says what the stores hold, without reading the rows.
func (c *Cluster) Survey(ctx context.Context) (*Survey, error) {
	s := &Survey{Stores: []Store{}, Nodes: []int32{}, Ranges: []Range{}, Holes: []Hole{}, Transactions: []Transaction{}}
	if c.Backup != nil {
		c.surveyBackup(s)
		return s, nil
	}
	for _, st := range c.Stores {
		id := st.Ident()
		if s.Cluster == "" && id != (store.Ident{}) {
			s.Cluster = id.Cluster.String()
		}
		s.Stores = append(s.Stores, Store{Name: st.Name(), Node: id.Node, Store: id.Store, Facts: st.Facts()})
		s.Nodes = append(s.Nodes, id.Node)
	}
	for _, r := range c.Map.Ranges {
		s.Ranges = append(s.Ranges, surveyed(r))
	}
	for _, h := range c.Map.Holes {
		s.Holes = append(s.Holes, Hole{Span: Span(h.Span), Keys: c.spanName(h.Span), Range: h.RangeID, Members: members(h.Members)})
	}
	open, err := c.Map.Transactions(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range open {
		s.Transactions = append(s.Transactions, Transaction{ID: fmt.Sprintf("%x", t.ID), Range: t.RangeID, State: t.State.String()})
	}
	s.Damage = c.named(c.Map.Damage())
	return s, nil
}

func surveyed(r *ranges.Range) Range {
	out := Range{ID: r.RangeID, Span: Span(r.Span()), Generation: r.Generation, Members: members(r.Members), Replicas: []Replica{}, Notes: r.Notes, Why: r.Commit.Why}
	if r.Chosen != nil {
		out.Chosen, out.Applied, out.Replayed = r.Chosen.Store(), r.Chosen.Applied, r.Replay.To
	}
	for _, p := range r.Replicas {
		out.Replicas = append(out.Replicas, Replica{Store: p.Store(), Applied: p.Applied, Last: p.Last.Index, Damaged: p.Damaged, Fault: p.Fault})
	}
	return out
}

func members(list []ranges.Member) []uint64 {
	out := make([]uint64, 0, len(list))
	for _, m := range list {
		out = append(out, m.Store)
	}
	return out
}

// survey adds the survey to a report, and what it says of the verdict.
func (c *Cluster) survey(ctx context.Context, rep *Report, opt Options) error {
	s, err := c.Survey(ctx)
	if err != nil {
		return err
	}
	met := rep.Damage
	rep.Survey = *s
	rep.Damage = met
	rep.Problems = append(rep.Problems, c.Doubts...)
	if c.Map != nil {
		rep.Notes = append(rep.Notes, c.Map.Notes...)
		for _, o := range c.Map.Overlaps {
			if o.Ambiguous {
				rep.problem("ranges %d and %d claim the keys %s, and neither is newer", o.Kept, o.Left, c.spanName(o.Span))
			}
		}
	}
	for _, span := range c.read {
		rests, err := c.rests(span)
		if err != nil {
			return err
		}
		for _, r := range rests {
			if r.Doubt != "" {
				rep.problem("the schema: keys %s, range %d: %s", r.Keys, r.Range, r.Doubt)
			}
		}
	}
	if rep.Wanted, err = c.wanted(ctx, rep); err != nil {
		return err
	}
	c.tooOld(rep, opt.AsOf)
	rep.Map, err = c.KeyMap()
	return err
}

// tooOld names the ranges whose old versions the garbage collector may have
// taken, if an older moment was asked for.
func (c *Cluster) tooOld(rep *Report, at keys.Timestamp) {
	if at.IsZero() || c.Map == nil {
		return
	}
	old := map[uint64]bool{}
	for _, t := range rep.Tables {
		for _, r := range t.Rests {
			old[r.Range] = true
		}
	}
	for _, r := range c.Map.Ranges {
		if old[r.RangeID] && r.Chosen != nil && at.Compare(r.Chosen.GC) < 0 {
			rep.problem("range %d: versions before %s may have been collected", r.RangeID, r.Chosen.GC)
		}
	}
}
