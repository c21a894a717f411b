package store

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// parseRangeKey reads an operation on a range of engine keys as batches hold it:
// the value is the end, and for Set and Unset varint length ‖ end ‖ { varint
// length ‖ suffix ‖ [varint length ‖ value] }. CockroachDB keeps its MVCC range
// tombstones so: the suffix is the version, with its length byte.
func parseRangeKey(kind sst.Kind, seq uint64, key, value []byte) ([]sst.RangeKey, error) {
	k := sst.RangeKey{Kind: kind, Seq: seq, From: bytes.Clone(key)}
	if kind == sst.RangeKeyDel {
		k.To = bytes.Clone(value)
		return []sst.RangeKey{k}, nil
	}
	var out []sst.RangeKey
	c := cursor{data: bytes.Clone(value)}
	k.To = c.bytes()
	for len(c.data) > 0 && c.err == nil {
		k.Suffix = c.bytes()
		if kind == sst.RangeKeySet {
			k.Value = c.bytes()
		}
		out = append(out, k)
	}
	if c.err != nil {
		return out, errBatch
	}
	return out, nil
}

// rangeTombstones lays the operations over each other by sequence number: what
// stays set, as spans that do not overlap for one moment, in order.
func rangeTombstones(ops []sst.RangeKey, span keys.Span) []engine.RangeTombstone {
	if len(ops) == 0 {
		return nil
	}
	var edges [][]byte
	for _, op := range ops {
		edges = append(edges, userOf(op.From), userOf(op.To))
	}
	slices.SortFunc(edges, bytes.Compare)
	edges = slices.CompactFunc(edges, bytes.Equal)
	slices.SortStableFunc(ops, func(a, b sst.RangeKey) int { return cmp.Compare(b.Seq, a.Seq) })
	var out []engine.RangeTombstone
	open := map[keys.Timestamp]int{} // where in out the tombstone of a moment ends at the current edge
	for i := 0; i+1 < len(edges); i++ {
		piece := keys.Span{From: edges[i], To: edges[i+1]}
		moments := momentsIn(ops, piece)
		next := map[keys.Timestamp]int{}
		for _, at := range moments {
			if o, ok := open[at]; ok {
				out[o].Span.To = piece.To
				next[at] = o
				continue
			}
			next[at] = len(out)
			out = append(out, engine.RangeTombstone{Span: piece, At: at})
		}
		open = next
	}
	return slices.DeleteFunc(out, func(t engine.RangeTombstone) bool { return !t.Span.Overlaps(span) })
}

// momentsIn are the versions that stay set over a piece which no edge cuts; ops
// are newest first.
func momentsIn(ops []sst.RangeKey, piece keys.Span) []keys.Timestamp {
	var out []keys.Timestamp
	decided := map[string]bool{}
	for _, op := range ops {
		if bytes.Compare(userOf(op.From), piece.From) > 0 || bytes.Compare(userOf(op.To), piece.To) < 0 {
			continue
		}
		if op.Kind == sst.RangeKeyDel {
			return out
		}
		suffix := op.Suffix
		if decided[string(suffix)] || len(suffix) == 0 {
			continue
		}
		decided[string(suffix)] = true
		if at, ok := keys.Version(suffix[:len(suffix)-1]); ok && op.Kind == sst.RangeKeySet {
			out = append(out, at)
		}
	}
	return out
}
