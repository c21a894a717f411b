package engine

import (
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Union is several views of the same keys as one: an entry is there if one of
// them has it, and of equal keys that of the first view counts.
type Union []View

// Iter walks them together.
func (u Union) Iter(span keys.Span) Iter {
	it := &unionIter{}
	for _, v := range u {
		it.sides = append(it.sides, unionSide{Iter: v.Iter(span)})
	}
	return it
}

// RangeTombstones are those of all.
func (u Union) RangeTombstones(span keys.Span) ([]RangeTombstone, error) {
	var out []RangeTombstone
	for _, v := range u {
		list, err := v.RangeTombstones(span)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// Split cuts as the first view does.
func (u Union) Split(span keys.Span, bytes int64) [][]byte {
	if len(u) == 0 {
		return nil
	}
	return u[0].Split(span, bytes)
}

// Size is that of the largest: they hold about the same.
func (u Union) Size(span keys.Span) (size int64) {
	for _, v := range u {
		size = max(size, v.Size(span))
	}
	return size
}

// unionIter merges a few walks.
type unionIter struct {
	sides []unionSide
	begun bool
	on    int // the side that the walk stands on
}

type unionSide struct {
	Iter
	more bool
}

func (it *unionIter) Next() bool {
	if !it.begun {
		it.begun = true
		for i := range it.sides {
			it.sides[i].more = it.sides[i].Next()
		}
		return it.first()
	}
	if len(it.sides) == 0 || !it.sides[it.on].more {
		return false
	}
	key := it.Key()
	for i := range it.sides {
		if s := &it.sides[i]; i != it.on && s.more && keys.Compare(s.Key(), key) == 0 {
			s.more = s.Next()
		}
	}
	it.sides[it.on].more = it.sides[it.on].Next()
	return it.first()
}

// first finds the side with the first entry.
func (it *unionIter) first() bool {
	found := false
	for i := range it.sides {
		s := &it.sides[i]
		if s.more && (!found || keys.Compare(s.Key(), it.sides[it.on].Key()) < 0) {
			it.on, found = i, true
		}
	}
	return found
}

func (it *unionIter) Key() []byte   { return it.sides[it.on].Key() }
func (it *unionIter) Value() []byte { return it.sides[it.on].Value() }

func (it *unionIter) SeekGE(user []byte) {
	for i := range it.sides {
		it.sides[i].SeekGE(user)
	}
	it.begun = false
}

func (it *unionIter) Err() error {
	for i := range it.sides {
		if err := it.sides[i].Err(); err != nil {
			return err
		}
	}
	return nil
}

func (it *unionIter) Damage() []Damage {
	var out []Damage
	for i := range it.sides {
		out = slices.Concat(out, it.sides[i].Damage())
	}
	return out
}

func (it *unionIter) Close() error {
	var err error
	for i := range it.sides {
		if e := it.sides[i].Close(); err == nil {
			err = e
		}
	}
	return err
}
