package backup

import (
	"bytes"
	"cmp"
	"io/fs"
	"path"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// View is every version of every key that the chosen layers hold. Read it at
// AsOf: where a layer has revisions, newer ones may be in it too.
func (b *Backup) View() engine.View { return view{b} }

type view struct{ b *Backup }

// Iter implements engine.View.
func (v view) Iter(span keys.Span) engine.Iter {
	var sources []sst.Source
	for _, row := range v.b.rows {
		run := touching(row, span)
		if len(run) == 0 {
			continue
		}
		parts := make([]sst.Part, len(run))
		for i, p := range run {
			parts[i] = sst.Part{Span: p.span, Open: func() (sst.Source, error) { return v.b.source(p, span), nil }}
		}
		sources = append(sources, sst.Concat(parts...))
	}
	return sst.Newest(span, nil, sources...)
}

// RangeTombstones implements engine.View. The tables that cannot be opened are
// damage of the walk over the points.
func (v view) RangeTombstones(span keys.Span) ([]engine.RangeTombstone, error) {
	all, err := v.b.tombstones()
	if err != nil {
		return nil, err
	}
	var out []engine.RangeTombstone
	for _, t := range all {
		if t.Span.Overlaps(span) {
			out = append(out, t)
		}
	}
	return out, nil
}

// findTombstones reads the range tombstones of all tables, which may have some
// from 22.2 on.
func (b *Backup) findTombstones() ([]engine.RangeTombstone, error) {
	var out []engine.RangeTombstone
	for _, p := range b.parts {
		if p.layer.Major < 22 || p.layer.Major == 22 && p.layer.Minor < 2 {
			continue
		}
		t, f, err := b.table(p)
		if err != nil {
			continue
		}
		for _, k := range t.RangeKeys() {
			if r, ok := tombstone(k); ok {
				out = append(out, r)
			}
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tombstone is what a range key says, if it is an MVCC range tombstone.
func tombstone(k sst.RangeKey) (engine.RangeTombstone, bool) {
	from, _, errFrom := keys.Split(k.From)
	to, _, errTo := keys.Split(k.To)
	if k.Kind != sst.RangeKeySet || errFrom != nil || errTo != nil || len(k.Suffix) == 0 {
		return engine.RangeTombstone{}, false
	}
	at, ok := keys.Version(k.Suffix[:len(k.Suffix)-1])
	return engine.RangeTombstone{Span: keys.Span{From: from, To: to}, At: at}, ok
}

// Size implements engine.View.
func (v view) Size(span keys.Span) int64 {
	n := int64(0)
	for p := range v.b.in(span) {
		n += p.size
	}
	return n
}

// sizeOf is about how many stored bytes a file has: by the manifest, which up to
// 23.1 counts them before compression, or of the file itself.
func (b *Backup) sizeOf(l *found, f *File) int64 {
	if size := cmp.Or(f.Stored, f.DataSize); size > 0 {
		return size
	}
	info, err := fs.Stat(b.roots[l.root], path.Join(l.dir, f.Path))
	if err != nil {
		return 1 // whoever reads it is told
	}
	return info.Size()
}

// Split implements engine.View. A table that is small beside a piece is not
// opened.
func (v view) Split(span keys.Span, size int64) [][]byte {
	size = max(size, 1)
	type weight struct {
		user []byte
		size int64
	}
	var weights []weight
	for p := range v.b.in(span) {
		rest := p.size
		for _, c := range v.b.cuts(p, span, size) {
			weights, rest = append(weights, weight{c, size}), rest-size
		}
		weights = append(weights, weight{p.file.Span.To, max(rest, 0)})
	}
	slices.SortFunc(weights, func(a, b weight) int { return bytes.Compare(a.user, b.user) })
	var out [][]byte
	n := int64(0)
	for i, w := range weights {
		n += w.size
		again := i+1 < len(weights) && bytes.Equal(w.user, weights[i+1].user)
		if again || n < size || !span.Contains(w.user) || bytes.Equal(w.user, span.From) {
			continue
		}
		out, n = append(out, bytes.Clone(w.user)), 0
	}
	return out
}

// cuts are the keys that cut a large part into pieces of about so many bytes.
func (b *Backup) cuts(p part, span keys.Span, size int64) [][]byte {
	if p.size < 2*size {
		return nil
	}
	t, f, err := b.table(p)
	if err != nil {
		return nil
	}
	cuts := t.Cuts(span, size)
	if err := f.Close(); err != nil {
		return nil
	}
	return cuts
}
