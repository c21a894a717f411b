package salvage

import (
	"bytes"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
)

// Standing is what a stretch of keys rests on, the worse the higher.
type Standing int

// The standings.
const (
	Complete Standing = iota // a whole replica in its newest state
	OnLog                    // its newest writes, or all of it, are only in the Raft log
	Damaged                  // a replica is damaged, and another one stands in
	InDoubt                  // it may not be all, or not the newest
	Missing                  // no store has it
)

var standings = [...]string{Complete: "complete", OnLog: "log", Damaged: "damaged", InDoubt: "in_doubt", Missing: "missing"}

func (s Standing) String() string { return standings[s] }

// MarshalText implements encoding.TextMarshaler.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Standing) UnmarshalText(text []byte) error {
	for i, name := range standings {
		if name == string(text) {
			*s = Standing(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no standing", text)
}

// Stretch is neighbouring ranges of the map of the key space.
type Stretch struct {
	Keys     string   `json:"keys"` // whose they are: a table, several, or the database's own
	Standing Standing `json:"standing"`
	Ranges   int      `json:"ranges"` // or holes
	Bytes    int64    `json:"bytes"`  // stored by the chosen replicas, about

	first, last string // names
}

// maxStretches is how many stretches a map has at most: beyond, neighbours that
// stand the same are joined whatever tables they are of, and then any.
const maxStretches = 240

// KeyMap is the key space in its order, from the first key to the last.
func (c *Cluster) KeyMap() ([]Stretch, error) {
	if c.Map == nil {
		return []Stretch{}, nil
	}
	pieces, err := c.standings()
	if err != nil {
		return nil, err
	}
	view := c.View()
	out := []Stretch{}
	for _, p := range pieces {
		name := c.whose(p.span)
		s := Stretch{Standing: p.standing, Ranges: 1, first: name, last: c.whoseEnd(p.span, name)}
		if p.standing != Missing {
			s.Bytes = view.Size(p.span)
		}
		if n := len(out) - 1; n >= 0 && out[n].Standing == s.Standing && out[n].last == s.first && s.first == s.last {
			out[n].join(s)
			continue
		}
		out = append(out, s)
	}
	for most := int64(1); len(out) > maxStretches; most *= 2 {
		out = coarser(out, most)
	}
	for i := range out {
		if out[i].Keys = out[i].first; out[i].last != out[i].first {
			out[i].Keys += " … " + out[i].last
		}
	}
	return out, nil
}

// coarser joins neighbours that stand the same, and others up to so many ranges,
// of which the worse standing remains. What is missing or in doubt stays apart
// from what is there, as long as there is room for it.
func coarser(list []Stretch, most int64) []Stretch {
	const crowded = 1 << 12
	out := list[:1:1]
	for _, s := range list[1:] {
		last := &out[len(out)-1]
		small := int64(s.Ranges+last.Ranges) <= most
		alike := (s.Standing >= InDoubt) == (last.Standing >= InDoubt)
		if s.Standing == last.Standing || small && (alike || most > crowded) {
			last.join(s)
			continue
		}
		out = append(out, s)
	}
	return out
}

func (s *Stretch) join(o Stretch) {
	s.Standing, s.Ranges, s.Bytes, s.last = max(s.Standing, o.Standing), s.Ranges+o.Ranges, s.Bytes+o.Bytes, o.last
}

// stand is one range, or a part of it, or a hole.
type stand struct {
	span     keys.Span
	standing Standing
}

// standings is the whole key space, in its order.
func (c *Cluster) standings() ([]stand, error) {
	rests, err := c.Map.Provenance(keys.Span{})
	if err != nil {
		return nil, err
	}
	byID := map[uint64]*ranges.Range{}
	for _, r := range c.Map.Ranges {
		byID[r.RangeID] = r
	}
	var hurt []keys.Span
	for _, d := range c.damage() {
		hurt = append(hurt, d.Span)
	}
	var out []stand
	holes := c.Map.Holes
	for _, r := range rests {
		for len(holes) > 0 && bytes.Compare(holes[0].Span.From, r.Span.From) < 0 {
			out, holes = append(out, stand{holes[0].Span, Missing}), holes[1:]
		}
		out = append(out, stand{r.Span, standing(r, byID[r.RangeID], hurt)})
	}
	for _, h := range holes {
		out = append(out, stand{h.Span, Missing})
	}
	return out, nil
}

func standing(rest ranges.Rest, r *ranges.Range, hurt []keys.Span) Standing {
	if rest.Doubt != "" {
		return InDoubt
	}
	for _, s := range hurt {
		if s.Overlaps(rest.Span) {
			return Damaged
		}
	}
	if rest.Store == 0 || r != nil && r.Replay != nil && len(r.Replay.Layers) > 0 {
		return OnLog
	}
	return Complete
}

// whose names the table that the first key of a span belongs to.
func (c *Cluster) whose(span keys.Span) string { return c.ownerOf(span.From) }

// whoseEnd names the table that the last key of a span belongs to.
func (c *Cluster) whoseEnd(span keys.Span, first string) string {
	tenant, id, ok := tableOf(span.To)
	if !ok || bytes.Equal(span.To, keys.TablePrefix(tenant, id)) { // it ends where a table ends
		return first
	}
	return c.ownerOf(span.To)
}

// ownerOf names what a key belongs to.
func (c *Cluster) ownerOf(key []byte) string {
	tenant, id, ok := tableOf(key)
	if !ok {
		return "(the cluster's own)"
	}
	if t := c.Catalog.Table(tenant, id); t != nil {
		if t.System() {
			return "(system tables)"
		}
		if t.State == catalog.Dropped {
			return FullName(t) + " (dropped)"
		}
		return FullName(t)
	}
	if id < firstUserTable {
		return "(system tables)"
	}
	return fmt.Sprintf("(table %d, unknown)", id)
}

// firstUserTable is the smallest ID that a user's table can have.
const firstUserTable = 50

// tableOf is the table that a key begins with.
func tableOf(key []byte) (tenant uint64, table uint32, ok bool) {
	tenant = 1
	if len(key) > 0 && key[0] == 0xfe {
		if tenant, key, ok = keys.TakeUvarint(key[1:]); !ok {
			return 0, 0, false
		}
	}
	id, _, ok := keys.TakeUvarint(key)
	return tenant, uint32(id), ok && id < 1<<32
}
