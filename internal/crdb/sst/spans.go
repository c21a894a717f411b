package sst

import (
	"bytes"
	"encoding/binary"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// rowSpans calls each for every range deletion or range key of a row block.
func rowSpans(data []byte, each func(RangeKey)) error {
	var c rowCursor
	if err := c.reset(data); err != nil {
		return err
	}
	for c.next() {
		k, ok := spanOf(c.key, c.value)
		if !ok || !suffixes(k, each) {
			return errRow
		}
	}
	if c.bad {
		return errRow
	}
	return nil
}

// spanOf reads what an entry of a range block covers. Of a RangeKeySet and a
// RangeKeyUnset the rest of the value is left in Value.
func spanOf(key, value []byte) (RangeKey, bool) {
	if len(key) < 8 {
		return RangeKey{}, false
	}
	trailer := binary.LittleEndian.Uint64(key[len(key)-8:])
	k := RangeKey{From: key[:len(key)-8], Seq: trailer >> 8, Kind: Kind(trailer) &^ obsolete}
	switch k.Kind {
	case RangeDelete, RangeKeyDel:
		k.To = value
		return k, true
	case RangeKeySet, RangeKeyUnset:
		to, rest, ok := field(value)
		k.To, k.Value = to, rest
		return k, ok
	}
	return RangeKey{}, false
}

// suffixes calls each for every suffix that one entry sets or unsets.
func suffixes(k RangeKey, each func(RangeKey)) bool {
	if k.Kind != RangeKeySet && k.Kind != RangeKeyUnset {
		each(k)
		return true
	}
	for rest := k.Value; len(rest) > 0; {
		one, ok := k, false
		one.Value = nil
		if one.Suffix, rest, ok = field(rest); !ok {
			return false
		}
		if k.Kind == RangeKeySet {
			if one.Value, rest, ok = field(rest); !ok {
				return false
			}
		}
		each(one)
	}
	return true
}

// field reads a length and that many bytes.
func field(b []byte) (value, rest []byte, ok bool) {
	l, n := binary.Uvarint(b)
	if n <= 0 || l > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(l)], b[n+int(l):], true
}

// addSpans takes the range deletions or range keys of a block over, as the
// MANIFEST wants them seen.
func (t *Table) addSpans(data []byte) error {
	add := func(k RangeKey) {
		k.From, k.To = t.synthetic(k.From), t.synthetic(k.To)
		if k.From, k.To = t.cut(k.From, k.To); keys.Compare(k.From, k.To) >= 0 {
			return
		}
		if t.o.SeqNum != nil {
			k.Seq = *t.o.SeqNum
		}
		if k.Kind == RangeDelete {
			t.rangeDels = append(t.rangeDels, RangeDel{From: k.From, To: k.To, Seq: k.Seq})
			return
		}
		k.Suffix, k.Value = bytes.Clone(k.Suffix), bytes.Clone(k.Value)
		if len(t.o.SyntheticSuffix) > 0 && len(k.Suffix) > 0 {
			k.Suffix = t.o.SyntheticSuffix
		}
		t.rangeKeys = append(t.rangeKeys, k)
	}
	if t.format.columnar() {
		return columnSpans(data, add)
	}
	return rowSpans(data, add)
}

// synthetic is a copy of an engine key with the prefix that the MANIFEST puts
// before all keys of the file.
func (t *Table) synthetic(key []byte) []byte {
	return append(bytes.Clone(t.o.SyntheticPrefix), key...)
}

// cut cuts a range of engine keys to what the table may reach.
func (t *Table) cut(from, to []byte) ([]byte, []byte) {
	if first := keys.Append(nil, t.limits.From, keys.Timestamp{}); len(t.limits.From) > 0 && keys.Compare(from, first) < 0 {
		from = first
	}
	if t.limits.To != nil {
		if last := keys.Append(nil, t.limits.To, keys.Timestamp{}); keys.Compare(to, last) > 0 {
			to = last
		}
	}
	return from, to
}
