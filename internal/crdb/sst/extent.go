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
