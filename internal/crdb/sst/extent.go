package sst

import (
	"bytes"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Extent has every user key that the table can hold, read from the table alone:
// its first block, its index, its deletions of ranges. A side that is not known
// is open.
func (t *Table) Extent() keys.Span {
	it := t.Iter(keys.Span{})
	var s keys.Span
	first := it.Next()
	some := first != nil
	if some {
		s.From = bytes.Clone(userKey(first.Key))
	}
	if damaged := len(t.damage)+len(it.Damage()) > 0; it.Close() != nil || damaged {
		return t.limits
	}
	if some {
		if last := t.pieces[len(t.pieces)-1].last; last != nil {
			s.To = after(last)
		}
	}
	reach := func(from, to []byte) {
		from, to = userKey(from), after(userKey(to))
		if !some || bytes.Compare(from, s.From) < 0 {
			s.From = from
		}
		if !some || s.To != nil && bytes.Compare(to, s.To) > 0 {
			s.To = to
		}
		some = true
	}
	for _, d := range t.rangeDels {
		reach(d.From, d.To)
	}
	for _, k := range t.rangeKeys {
		reach(k.From, k.To)
	}
	if !some {
		return noKeys()
	}
	return s
}

// Ends are the first and the last user key of the table, whatever its MANIFEST
// says of it: where its entries or its deletions of ranges begin and end. They are
// not exact where damage hides an end; nil is one that is not known at all.
func (t *Table) Ends() (first, last []byte, exact bool) {
	if exact = len(t.damage) == 0 && len(t.pieces) > 0; exact {
		first, last, exact = t.outermost()
	} else {
		first, last = t.rescued()
	}
	reach := func(from, to []byte) {
		if first != nil && bytes.Compare(userKey(from), first) < 0 {
			first = userKey(from)
		}
		if last != nil && bytes.Compare(userKey(to), last) > 0 {
			last = userKey(to)
		}
	}
	for _, d := range t.rangeDels {
		reach(d.From, d.To)
	}
	for _, k := range t.rangeKeys {
		reach(k.From, k.To)
	}
	return first, last, exact
}

// outermost reads the first and the last block.
func (t *Table) outermost() (first, last []byte, exact bool) {
	b := &blocks{t: t}
	defer b.close()
	end := func(i int) found {
		data, err := b.read(t.pieces[i].handle, 0)
		if err != nil {
			return found{}
		}
		return classify(data)
	}
	from, to := end(0), end(len(t.pieces)-1)
	if from.role == entries {
		first = userKey(t.synthetic(from.first))
	}
	if to.role == entries {
		last = userKey(t.synthetic(to.last))
	}
	return first, last, first != nil && last != nil
}

// rescued are the ends of the blocks that were found without an index.
func (t *Table) rescued() (first, last []byte) {
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.first == nil || p.gap != "" {
			continue
		}
		if first == nil || bytes.Compare(p.first, first) < 0 {
			first = p.first
		}
		if bytes.Compare(p.last, last) > 0 {
			last = p.last
		}
	}
	return first, last
}
