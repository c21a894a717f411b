package engine

import "github.com/evac-io/evac/internal/crdb/keys"

// Empty is a view without entries: with changes over it, a view in memory.
type Empty struct{}

// Iter has nothing to walk.
func (Empty) Iter(keys.Span) Iter { return emptyIter{} }

// RangeTombstones has none.
func (Empty) RangeTombstones(keys.Span) ([]RangeTombstone, error) { return nil, nil }

// Split cuts nothing.
func (Empty) Split(keys.Span, int64) [][]byte { return nil }

// Size is zero.
func (Empty) Size(keys.Span) int64 { return 0 }

type emptyIter struct{}

func (emptyIter) Next() bool       { return false }
func (emptyIter) Key() []byte      { return nil }
func (emptyIter) Value() []byte    { return nil }
func (emptyIter) SeekGE([]byte)    {}
func (emptyIter) Err() error       { return nil }
func (emptyIter) Damage() []Damage { return nil }
func (emptyIter) Close() error     { return nil }
