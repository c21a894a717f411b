package raftlog

import (
	"bytes"
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// ParseTable reads a table that a command adds to a store as it is: every entry
// is a change that sets it.
func ParseTable(data []byte) (out []engine.Change, err error) {
	defer func() { // the library panics on some damage that its checksums let through
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("read table: %v", p)
		}
	}()
	schema := cockroachkvs.KeySchema
	merger := *pebble.DefaultMerger
	merger.Name = "cockroach_merge_operator"
	r, err := sstable.NewMemReader(data, sstable.ReaderOptions{
		Comparer:   &cockroachkvs.Comparer,
		Merger:     &merger,
		KeySchemas: sstable.MakeKeySchemas(&schema),
	})
	if err != nil {
		return nil, fmt.Errorf("open table: %w", err)
	}
	defer func() {
		if e := r.Close(); err == nil && e != nil {
			err = fmt.Errorf("close table: %w", e)
		}
	}()
	if out, err = tableDeletions(r, out); err != nil {
		return nil, fmt.Errorf("read range deletions of table: %w", err)
	}
	if out, err = tablePoints(r, out); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	if out, err = tableRangeKeys(r, out); err != nil {
		return nil, fmt.Errorf("read range keys of table: %w", err)
	}
	return out, nil
}

// tableDeletions come first: in a table of one sequence number they hide what
// lies below it, not its own entries.
func tableDeletions(r *sstable.Reader, out []engine.Change) ([]engine.Change, error) {
	it, err := r.NewRawRangeDelIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil || it == nil {
		return out, err
	}
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		out = append(out, engine.Change{Op: engine.DeleteRange, Key: bytes.Clone(span.Start), Value: bytes.Clone(span.End)})
	}
	return out, err
}

func tablePoints(r *sstable.Reader, out []engine.Change) ([]engine.Change, error) {
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return out, err
	}
	for kv := it.First(); kv != nil; kv = it.Next() {
		value, _, err := kv.Value(nil)
		if err != nil {
			_ = it.Close()
			return out, err
		}
		c := engine.Change{Op: engine.Set, Key: bytes.Clone(kv.K.UserKey), Value: bytes.Clone(value)}
		switch kv.Kind() {
		case sstable.InternalKeyKindDelete, sstable.InternalKeyKindSingleDelete, sstable.InternalKeyKindDeleteSized:
			c.Op, c.Value = engine.Delete, nil
		case sstable.InternalKeyKindMerge:
			c.Op = engine.Merge
		}
		out = append(out, c)
	}
	return out, it.Close()
}

func tableRangeKeys(r *sstable.Reader, out []engine.Change) ([]engine.Change, error) {
	it, err := r.NewRawRangeKeyIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil || it == nil {
		return out, err
	}
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		for _, k := range span.Keys {
			if byte(k.Kind()) != opRangeKeySet || len(k.Suffix) == 0 {
				continue
			}
			if at, ok := keys.Version(k.Suffix[:len(k.Suffix)-1]); ok {
				out = append(out, engine.Change{Op: engine.SetTombstone, Key: bytes.Clone(span.Start), Value: bytes.Clone(span.End), At: at})
			}
		}
	}
	return out, err
}
