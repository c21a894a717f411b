package store

import (
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/spill"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// diskRun is a run in a file.
type diskRun struct{ *spill.Run }

func (d diskRun) entries(span keys.Span) sst.Source { return &diskIter{Iter: d.Iter(span)} }

func (d diskRun) size(span keys.Span) int64 { return d.Size(span) }

func (d diskRun) cuts(each int64) []cut {
	var out []cut
	n := int64(0)
	for user, size := range d.Blocks() {
		if n += size; n >= each {
			out = append(out, cut{user, n})
			n = 0
		}
	}
	return out
}

type diskIter struct {
	*spill.Iter
	entry sst.Entry
}

func (i *diskIter) Next() *sst.Entry {
	e := i.Iter.Next()
	if e == nil {
		return nil
	}
	i.entry = sst.Entry{Key: e.Key, Value: e.Value, Seq: e.Seq, Kind: sst.Kind(e.Kind)}
	return &i.entry
}

func (i *diskIter) Damage() []engine.Damage { return nil }
func (i *diskIter) Close() error            { return nil }
