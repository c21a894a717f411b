package store

import (
	"bytes"
	"iter"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// tableRuns puts tables, sorted by where they begin, into as few sequences as
// possible in each of which no two share a user key: a level below the topmost
// is one, tables that overlap, as in the topmost level or without a MANIFEST,
// are several.
func tableRuns(tables []TableMeta) [][]TableMeta {
	var runs [][]TableMeta
	for _, t := range tables {
		i := slices.IndexFunc(runs, func(run []TableMeta) bool {
			last := run[len(run)-1]
			return last.span.To != nil && bytes.Compare(last.span.To, t.span.From) <= 0
		})
		if i < 0 {
			i, runs = len(runs), append(runs, nil)
		}
		runs[i] = append(runs[i], t)
	}
	return runs
}

// touching are the tables of a run that may have keys of a span.
func touching(run []TableMeta, span keys.Span) []TableMeta {
	from, _ := slices.BinarySearchFunc(run, span.From, func(t TableMeta, user []byte) int {
		if t.span.To == nil || bytes.Compare(t.span.To, user) > 0 {
			return 1
		}
		return -1
	})
	to := from
	for to < len(run) && run[to].span.Overlaps(span) {
		to++
	}
	return run[from:to]
}

// in are all live tables that may have keys of a span.
func (s *Store) in(span keys.Span) iter.Seq[TableMeta] {
	return func(yield func(TableMeta) bool) {
		for _, run := range s.runs {
			for _, t := range touching(run, span) {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// source walks the tables of a run that touch the span, each opened when it is
// reached.
func (s *Store) source(run []TableMeta, span keys.Span) sst.Source {
	parts := make([]sst.Part, 0, len(run))
	for _, t := range run {
		parts = append(parts, sst.Part{Span: t.span, Open: func() (sst.Source, error) { return s.openSource(t, span), nil }})
	}
	return sst.Concat(parts...)
}

// tableSource is the walk over one table out of the cache.
type tableSource struct {
	sst.Source
	store  *Store
	entry  *cached
	opened []engine.Damage // what was found when the table was opened
}

func (s *Store) openSource(t TableMeta, span keys.Span) sst.Source {
	src := &tableSource{store: s, entry: s.cache.get(t)}
	if src.entry.table == nil {
		src.Source = sst.Lost(*src.entry.bad)
		return src
	}
	src.Source = src.entry.table.Iter(span)
	for _, d := range src.entry.table.Damage() {
		if d.Span.Overlaps(span) {
			src.opened = append(src.opened, d)
		}
	}
	return src
}

// Damage is part of sst.Source.
func (t *tableSource) Damage() []engine.Damage {
	return append(slices.Clone(t.opened), t.Source.Damage()...)
}

// Close gives the table back to the cache.
func (t *tableSource) Close() error {
	defer t.store.cache.put(t.entry)
	return t.Source.Close()
}
