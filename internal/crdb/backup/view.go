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

// part is a stretch of a table: what the manifest says lies in it, without what
// later layers introduced anew.
type part struct {
	layer *found
	file  *File
	span  keys.Span
	size  int64 // about, in stored bytes
}

// plan lists the parts of all layers, the newest layer first.
func (b *Backup) plan() []part {
	var parts []part
	var anew []keys.Span // introduced by the layers after the current one
	for i := len(b.layers) - 1; i >= 0; i-- {
		l := &b.layers[i]
		at := len(parts)
		for n := range l.Files {
			f := &l.Files[n]
			// The end of a stretch may be the first key of the next one, some versions of it
			// here and some there.
			reach := keys.Span{From: f.Span.From, To: append(bytes.Clone(f.Span.To), 0)}
			size := b.sizeOf(l, f)
			for _, s := range without(reach, anew) {
				parts = append(parts, part{layer: l, file: f, span: s, size: size})
			}
		}
		slices.SortStableFunc(parts[at:], func(a, b part) int { return bytes.Compare(a.span.From, b.span.From) })
		anew = append(anew, l.Introduced...)
	}
	return parts
}

// without takes some spans out of another.
func without(span keys.Span, minus []keys.Span) []keys.Span {
	rest := []keys.Span{span}
	for _, m := range minus {
		var next []keys.Span
		for _, s := range rest {
			if !s.Overlaps(m) {
				next = append(next, s)
				continue
			}
			if left := (keys.Span{From: s.From, To: m.From}); !left.Empty() {
				next = append(next, left)
			}
			if right := (keys.Span{From: m.To, To: s.To}); m.To != nil && !right.Empty() {
				next = append(next, right)
			}
		}
		rest = next
	}
	return rest
}

// View is every version of every key that the chosen layers hold. Read it at
// AsOf: where a layer has revisions, newer ones may be in it too.
func (b *Backup) View() engine.View { return view{b} }

type view struct{ b *Backup }

// Iter implements engine.View.
func (v view) Iter(span keys.Span) engine.Iter {
	var sources []sst.Source
	for _, run := range v.b.runs(span) {
		parts := make([]sst.Part, len(run))
		for i, p := range run {
			parts[i] = sst.Part{Span: p.span, Open: func() (sst.Source, error) { return v.b.source(p, span), nil }}
		}
		sources = append(sources, sst.Concat(parts...))
	}
	return sst.Newest(span, nil, sources...)
}

// runs sorts the parts that touch a span into as few rows of parts as can be,
// those of a row one behind the other.
func (b *Backup) runs(span keys.Span) [][]part {
	var runs [][]part
	for _, p := range b.parts {
		if !p.span.Overlaps(span) {
			continue
		}
		at := slices.IndexFunc(runs, func(r []part) bool {
			last := r[len(r)-1]
			return last.layer == p.layer && bytes.Compare(last.file.Span.To, p.span.From) <= 0
		})
		if at < 0 {
			runs = append(runs, []part{p})
			continue
		}
		runs[at] = append(runs[at], p)
	}
	return runs
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
	for _, p := range v.b.parts {
		if p.span.Overlaps(span) {
			n += p.size
		}
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
	for _, p := range v.b.parts {
		if !p.span.Overlaps(span) {
			continue
		}
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
