package salvage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/store"
)

// Overview is a survey that fits on a page, however large the cluster is: lists
// have their first entries only, and their lengths.
type Overview struct {
	Cluster      string        `json:"cluster"`
	Layers       []Layer       `json:"layers,omitempty"` // of a backup
	Stores       []Store       `json:"stores"`
	Nodes        []int32       `json:"nodes"`
	Tables       []Sized       `json:"tables"`
	Map          []Stretch     `json:"map"`
	Ranges       []Range       `json:"ranges"` // those that are worth a look
	Holes        []Hole        `json:"holes"`
	Transactions []Transaction `json:"transactions"`
	Damage       []Damage      `json:"damage"`
	Counts       Counts        `json:"counts"`
	Bytes        int64         `json:"bytes"`            // of all stores' files
	Output       *Output       `json:"output,omitempty"` // what a salvage would give; nil if nobody asked
}

// Counts are how many there are in all.
type Counts struct {
	Ranges       int `json:"ranges"`
	WorthALook   int `json:"worth_a_look"` // ranges that are not complete, or have notes
	Holes        int `json:"holes"`
	Transactions int `json:"transactions"`
	Damage       int `json:"damage"`
	Files        int `json:"files"` // of all stores
	MissingFiles int `json:"missing_files"`
	Encrypted    int `json:"encrypted"` // stores
	Tables       int `json:"tables"`
}

// Sized is a table with its stored bytes.
type Sized struct {
	Name  string `json:"name"`
	ID    uint32 `json:"id"`
	State string `json:"state"`
	Bytes int64  `json:"bytes"` // stored by the chosen replicas, about, all indexes
}

// maxListed is how many entries the lists of an overview have.
const maxListed = 100

// Overview sums a survey up.
func (c *Cluster) Overview(ctx context.Context, s *Survey) (*Overview, error) {
	o := &Overview{
		Cluster: s.Cluster, Layers: s.Layers, Stores: []Store{}, Nodes: s.Nodes, Tables: []Sized{}, Ranges: []Range{},
		Holes: first(s.Holes), Transactions: first(s.Transactions), Damage: first(s.Damage),
		Counts: Counts{Ranges: len(s.Ranges), Holes: len(s.Holes), Transactions: len(s.Transactions), Damage: len(s.Damage)},
	}
	for _, st := range s.Stores {
		o.Bytes += st.Facts.Bytes
		o.Counts.Files += st.Facts.Files
		o.Counts.MissingFiles += len(st.Facts.Missing)
		if st.Facts.Encrypted {
			o.Counts.Encrypted++
		}
		st.Facts = brief(st.Facts)
		o.Stores = append(o.Stores, st)
	}
	for _, r := range s.Ranges {
		if r.Chosen != 0 && len(r.Notes) == 0 && !slices.ContainsFunc(r.Replicas, func(p Replica) bool { return p.Damaged }) {
			continue
		}
		o.Counts.WorthALook++
		if len(o.Ranges) < maxListed {
			o.Ranges = append(o.Ranges, r)
		}
	}
	var err error
	if o.Map, err = c.KeyMap(); err != nil {
		return nil, err
	}
	o.sizes(ctx, c)
	return o, ctx.Err()
}

// sizes lists the users' tables, the largest first if they are too many.
func (o *Overview) sizes(ctx context.Context, c *Cluster) {
	view := c.View()
	for _, t := range c.Catalog.Tables {
		if ctx.Err() == nil && t.HasRows() && !t.System() {
			o.Tables = append(o.Tables, Sized{Name: FullName(t), ID: t.ID, State: t.State.String(), Bytes: view.Size(t.TableSpan())})
		}
	}
	if o.Counts.Tables = len(o.Tables); len(o.Tables) > maxListed {
		slices.SortStableFunc(o.Tables, func(a, b Sized) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
		o.Tables = o.Tables[:maxListed]
	}
}

func first[T any](list []T) []T {
	return append([]T{}, list[:min(len(list), maxListed)]...)
}

// brief leaves out what only a file has room for.
func brief(f store.Facts) store.Facts {
	f.Options = nil
	f.WALs, f.ObsoleteWALs, f.Unreferenced, f.Missing, f.Notes = first(f.WALs), first(f.ObsoleteWALs), first(f.Unreferenced), first(f.Missing), first(f.Notes)
	return f
}

// Outside refuses files to be written within the evidence.
func Outside(evidence []string, files ...string) error {
	for _, f := range files {
		if err := outside(f, evidence); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes the whole survey, with nothing left out, as one JSON object.
func (s *Survey) WriteFile(name string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write survey: %w", err)
	}
	return writeFile(name, append(text, '\n'))
}

// Worst is how the worst of the key space stands.
func (o *Overview) Worst() Standing {
	worst := Complete
	for _, s := range o.Map {
		worst = max(worst, s.Standing)
	}
	return worst
}
