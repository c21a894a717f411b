package backup

import (
	"bytes"
	"container/heap"
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/fault"
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
func (b *Backup) plan() (parts []part, err error) {
	var anew []keys.Span // introduced by the layers after the current one, disjoint and in order
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
			// Files of a layer lie beside each other, so that each cut makes one part more.
			if len(parts)-at > 4*(len(l.Files)+len(anew))+1024 {
				return nil, fault.New(fault.Invalid, fmt.Sprintf("read the backup: the files of %q overlap everywhere", l.dir), hintSubdir)
			}
		}
		slices.SortStableFunc(parts[at:], func(a, b part) int { return bytes.Compare(a.span.From, b.span.From) })
		anew = joined(append(anew, l.Introduced...))
	}
	return parts, nil
}

// joined sorts spans and joins those that touch.
func joined(spans []keys.Span) []keys.Span {
	spans = slices.DeleteFunc(spans, keys.Span.Empty)
	slices.SortFunc(spans, func(a, b keys.Span) int { return bytes.Compare(a.From, b.From) })
	var out []keys.Span
	for _, s := range spans {
		n := len(out) - 1
		switch {
		case n < 0 || out[n].To != nil && bytes.Compare(out[n].To, s.From) < 0:
			out = append(out, s)
		case s.To == nil || out[n].To != nil && bytes.Compare(s.To, out[n].To) > 0:
			out[n].To = s.To
		}
	}
	return out
}

// without takes disjoint spans, which are in order, out of another one.
func without(span keys.Span, minus []keys.Span) []keys.Span {
	if span.Empty() {
		return []keys.Span{span} // the file counts, though it says that it has no key
	}
	var out []keys.Span
	first := sort.Search(len(minus), func(i int) bool { return minus[i].To == nil || bytes.Compare(minus[i].To, span.From) > 0 })
	for _, m := range minus[first:] {
		if !span.Overlaps(m) {
			break
		}
		if left := (keys.Span{From: span.From, To: m.From}); !left.Empty() {
			out = append(out, left)
		}
		if m.To == nil {
			return out
		}
		span.From = m.To
	}
	if span.Empty() {
		return out
	}
	return append(out, span)
}

// inRows puts parts, those of a layer sorted by where they begin, into as few rows
// as can be, in each of which no part begins before the one before it ends. What
// they share at most is one key, with some versions here and some there. The rows
// of a layer lie together.
func inRows(parts []part) [][]part {
	var rows [][]part
	var open rowEnds // of the rows of the current layer
	for i, p := range parts {
		if i > 0 && p.layer != parts[i-1].layer {
			open = nil
		}
		if p.span.Empty() {
			continue
		}
		if len(open) > 0 && bytes.Compare(open[0].key, p.span.From) <= 0 {
			row := open[0].row
			rows[row] = append(rows[row], p)
			open[0].key = p.end()
			heap.Fix(&open, 0)
			continue
		}
		rows = append(rows, []part{p})
		heap.Push(&open, rowEnd{key: p.end(), row: len(rows) - 1})
	}
	return rows
}

// end is the last key of a part, but for versions that the next one may have too.
func (p part) end() []byte {
	if to := p.file.Span.To; p.span.To == nil || bytes.Compare(to, p.span.To) < 0 {
		return to
	}
	return p.span.To
}

// rowEnd is where a row ends.
type rowEnd struct {
	key []byte
	row int
}

// rowEnds are rows by where they end, the first one on top (container/heap).
type rowEnds []rowEnd

func (e rowEnds) Len() int           { return len(e) }
func (e rowEnds) Less(i, j int) bool { return bytes.Compare(e[i].key, e[j].key) < 0 }
func (e rowEnds) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push implements heap.Interface.
func (e *rowEnds) Push(x any) { *e = append(*e, x.(rowEnd)) }

// Pop implements heap.Interface. Rows are never closed.
func (e *rowEnds) Pop() any { panic("evac: internal error: a row of parts is taken away") }

// touching are the parts of a row that may have keys of a span.
func touching(row []part, span keys.Span) []part {
	from := sort.Search(len(row), func(i int) bool {
		to := row[i].span.To
		return to == nil || bytes.Compare(to, span.From) > 0
	})
	to := from
	for to < len(row) && row[to].span.Overlaps(span) {
		to++
	}
	return row[from:to]
}

// in are the parts that may have keys of a span.
func (b *Backup) in(span keys.Span) iter.Seq[part] {
	return func(yield func(part) bool) {
		for _, row := range b.rows {
			for _, p := range touching(row, span) {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// FilesIn counts the tables that may have keys of a span.
func (b *Backup) FilesIn(span keys.Span) int {
	files := map[*File]bool{}
	for p := range b.in(span) {
		if p.file.Span.Overlaps(span) {
			files[p.file] = true
		}
	}
	return len(files)
}
