package rows

import (
	"encoding/binary"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// SequenceSpan is where the value of a sequence lies, which is one key.
func SequenceSpan(t *catalog.Table) keys.Span {
	return keys.PrefixSpan(append(keys.TablePrefix(t.Tenant, t.ID), familyZero+1, familyZero, familyZero))
}

// ReadSequence reads the last value that a sequence gave out, as nextval counts
// it; sessions that keep some ahead may not have used all. Without a value in
// the source, and for sequences that store none, ok is false.
func ReadSequence(t *catalog.Table, src Source) (value int64, ok bool, err error) {
	if t.Sequence == nil || t.Sequence.Virtual || !src.Next() {
		return 0, false, src.Err()
	}
	if fine, has := enc.Checksum(src.Key(), src.Value()); has && !fine {
		return 0, false, fmt.Errorf("read sequence %q: the value is not what was written", t.Name)
	}
	tag, data, err := enc.SplitValue(src.Value())
	if err != nil {
		return 0, false, fmt.Errorf("read sequence %q: %w", t.Name, err)
	}
	value, n := binary.Varint(data)
	if tag != enc.TagInt || n <= 0 || n != len(data) {
		return 0, false, fmt.Errorf("read sequence %q: its value is not an integer", t.Name)
	}
	return value, true, nil
}
