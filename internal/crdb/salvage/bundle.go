package salvage

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Bundle is what others may see of a survey: versions, configuration, ranges,
// sizes and damage. There is no row in it, no key of a row, no name of a database,
// table or column, and no expression of the schema: where keys would stand, there
// are numbers of tables and indexes, and which of their ranges it is.
type Bundle struct {
	Cluster      string           `json:"cluster"`
	Stores       []Store          `json:"stores"` // named by the last part of their paths
	Tables       []BundledTable   `json:"tables"`
	Ranges       []BundledRange   `json:"ranges"`
	Map          []BundledStretch `json:"map"`
	Holes        []BundledHole    `json:"holes"`
	Transactions []Transaction    `json:"transactions"`
	Damage       []BundledDamage  `json:"damage"`
	Doubts       int              `json:"doubts"` // about the schema
}

// BundledTable is a table without its names.
type BundledTable struct {
	Tenant  uint64 `json:"tenant"`
	ID      uint32 `json:"id"`
	State   string `json:"state"`
	Columns int    `json:"columns"`
	Indexes int    `json:"indexes"` // without the primary one
	Bytes   int64  `json:"bytes"`
}

// Place is where keys are, without the keys.
type Place struct {
	Space  string `json:"space"` // "table", "local", "meta", "system", "end"
	Tenant uint64 `json:"tenant,omitempty"`
	Table  uint32 `json:"table,omitempty"`
	Index  uint32 `json:"index,omitempty"`
}

// BundledRange is a range without its keys.
type BundledRange struct {
	Range
	Span    struct{} `json:"span"` // stands in the place of the keys
	Where   Place    `json:"where"`
	Ordinal int      `json:"ordinal"` // which of the ranges that begin in that index it is, from 1
	Bytes   int64    `json:"bytes"`
}

// BundledStretch is a stretch of the map without names.
type BundledStretch struct {
	Standing Standing `json:"standing"`
	Ranges   int      `json:"ranges"`
	Bytes    int64    `json:"bytes"`
}

// BundledHole is a hole without its keys.
type BundledHole struct {
	From    Place    `json:"from"`
	To      Place    `json:"to"`
	Range   uint64   `json:"range,omitempty"`
	Members []uint64 `json:"members,omitempty"`
}

// BundledDamage is damage without its keys.
type BundledDamage struct {
	Store  string `json:"store"`
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	From   Place  `json:"from"`
	To     Place  `json:"to"`
	Why    string `json:"why"`
}

// Bundle takes out of a survey what others may see.
func (c *Cluster) Bundle(ctx context.Context, s *Survey) (*Bundle, error) {
	b := &Bundle{
		Cluster: s.Cluster, Stores: []Store{}, Tables: []BundledTable{}, Ranges: []BundledRange{}, Map: []BundledStretch{},
		Holes: []BundledHole{}, Transactions: s.Transactions, Damage: []BundledDamage{}, Doubts: len(c.Doubts),
	}
	for _, st := range s.Stores {
		st.Name = filepath.Base(st.Name)
		st.Facts.Notes = mute(st.Facts.Notes)
		b.Stores = append(b.Stores, st)
	}
	view := c.View()
	for _, t := range c.Catalog.Tables {
		if t.HasRows() && ctx.Err() == nil {
			b.Tables = append(b.Tables, bundled(t, view.Size(t.TableSpan())))
		}
	}
	count := map[Place]int{}
	for _, r := range s.Ranges {
		at := placeOf(r.Span.From)
		count[at]++
		r.Why, r.Notes = muted(r.Why), mute(r.Notes)
		r.Replicas = append([]Replica{}, r.Replicas...)
		for i := range r.Replicas {
			r.Replicas[i].Fault = muted(r.Replicas[i].Fault)
		}
		b.Ranges = append(b.Ranges, BundledRange{Range: r, Where: at, Ordinal: count[at], Bytes: view.Size(keys.Span(r.Span))})
	}
	stretches, err := c.KeyMap()
	if err != nil {
		return nil, err
	}
	for _, x := range stretches {
		b.Map = append(b.Map, BundledStretch{Standing: x.Standing, Ranges: x.Ranges, Bytes: x.Bytes})
	}
	for _, h := range s.Holes {
		b.Holes = append(b.Holes, BundledHole{From: placeOf(h.Span.From), To: placeOf(h.Span.To), Range: h.Range, Members: h.Members})
	}
	for _, d := range s.Damage {
		b.Damage = append(b.Damage, BundledDamage{Store: filepath.Base(d.Store), File: d.File, Offset: d.Offset, Size: d.Size, From: placeOf(d.Span.From), To: placeOf(d.Span.To), Why: muted(d.Why)})
	}
	return b, ctx.Err()
}

func bundled(t *catalog.Table, size int64) BundledTable {
	return BundledTable{Tenant: t.Tenant, ID: t.ID, State: t.State.String(), Columns: len(t.Columns), Indexes: len(t.Indexes), Bytes: size}
}

// placeOf is where a key is.
func placeOf(key []byte) Place {
	switch {
	case key == nil:
		return Place{Space: "end"}
	case len(key) == 0 || key[0] < 2:
		return Place{Space: "local"}
	case key[0] < 4:
		return Place{Space: "meta"}
	case key[0] == 4:
		return Place{Space: "system"}
	case key[0] == 0xff:
		return Place{Space: "end"}
	}
	tenant, table, ok := tableOf(key)
	if !ok {
		return Place{Space: "system"}
	}
	p := Place{Space: "table", Tenant: tenant, Table: table}
	if index, _, ok := keys.TakeUvarint(key[len(keys.TablePrefix(tenant, table)):]); ok && index < maxIndex {
		p.Index = uint32(index)
	}
	return p
}

// maxIndex is beyond any index's ID: a larger number is none, but data.
const maxIndex = 1 << 16

// telling is what may be a key, a name or a value in a sentence: long numbers in
// hexadecimal, and everything in quotes.
var telling = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[0-9a-fA-F]{8,}|\[[0-9a-f]*, (?:end|[0-9a-f]*)\)`)

// muted is a sentence without what may tell of data.
func muted(text string) string { return telling.ReplaceAllString(text, "…") }

func mute(list []string) []string {
	out := make([]string, 0, len(list))
	for _, text := range list {
		out = append(out, muted(text))
	}
	return out
}

// WriteFile writes the bundle as one JSON object.
func (b *Bundle) WriteFile(name string) error {
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return writeFile(name, append(text, '\n'))
}
