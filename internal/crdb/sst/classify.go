package sst

import (
	"bytes"
	"encoding/binary"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// role is what a block found without an index turns out to be.
type role uint8

const (
	other     role = iota // a filter, values, or an index of values
	entries               // data, or a row index
	index                 // columnar, or entries that prove to be handles
	spans                 // range deletions or range keys
	pairs                 // properties
	directory             // the metaindex
)

// found is a block that was found by its checksum.
type found struct {
	handle
	role        role
	columnar    bool
	first, last []byte // engine keys, of entries
	separators  bool   // there are keys of an index among the entries
	sets, marks int    // Sets among the entries, and those whose value can begin with a mark
}

// classify finds out what the contents of a block are, whatever the footer says.
func classify(data []byte) found {
	if f := classifyColumns(data); f.role != other {
		return f
	}
	return classifyRows(data)
}

func classifyColumns(data []byte) found {
	f := found{columnar: true}
	data = aligned(data)
	var c columnCursor
	if c.reset(data) == nil {
		for c.next() {
			if f.last != nil && keys.Compare(f.last, c.key) > 0 || !(Kind(c.trailer) &^ obsolete).point() {
				return found{}
			}
			if f.first == nil {
				f.first = bytes.Clone(c.key)
			}
			f.last = append(f.last[:0], c.key...)
		}
		if !c.bad && f.first != nil {
			f.role = entries
			return f
		}
	}
	switch {
	case columnIndex(data, func(_, _ []byte) error { return nil }) == nil:
		f.role = index
	case columnSpans(data, func(RangeKey) {}) == nil:
		f.role = spans
	case columnPairs(data, func(name, _ []byte) error { f.name(name); return nil }) == nil:
	}
	return f
}

// name tells the two blocks of names and values from each other.
func (f *found) name(name []byte) {
	if string(name) == metaProperties {
		f.role = directory
	} else if f.role != directory && string(name) == "rocksdb.comparator" {
		f.role = pairs
	}
}

func classifyRows(data []byte) found {
	f := found{role: entries}
	var c rowCursor
	if c.reset(data) != nil {
		return found{}
	}
	for c.next() {
		f.name(c.key)
		if f.role != directory && f.role != pairs && !f.entry(c.key, c.value) {
			f.role = other
		}
	}
	if c.bad || (f.role == entries && f.first == nil) {
		return found{}
	}
	if f.role == entries && f.separators {
		f.role = index
	}
	if f.role == other && rowSpans(data, func(RangeKey) {}) == nil && len(c.data) > 0 {
		f.role = spans
	}
	return f
}

// entry takes one more entry; false if the block cannot be one of entries.
func (f *found) entry(key, value []byte) bool {
	n := len(key) - 8
	if f.role != entries || n < 1 {
		return false
	}
	kind := Kind(key[n]) &^ obsolete
	if !kind.point() && kind != separator {
		return false
	}
	if f.first == nil {
		f.first = bytes.Clone(key[:n])
	} else if keys.Compare(f.last, key[:n]) > 0 {
		return false
	}
	f.last = append(f.last[:0], key[:n]...)
	f.separators = f.separators || kind == separator
	if kind == Set {
		f.sets++
		if markedValue(value) {
			f.marks++
		}
	}
	return true
}

// markedValue says whether a value can be one of the formats that mark where a
// value lies. The others begin with the checksum of the value, which is zero, and
// followed by a tag, or any number, or are of no bytes at all.
func markedValue(v []byte) bool {
	switch {
	case len(v) == 0 || v[0]&^0xa7 != 0:
		return false
	case v[0]&valueWhere == valueHere:
		return v[0]&7 == 0 && !(len(v) > 4 && binary.LittleEndian.Uint32(v) == 0 && v[4] != 0)
	}
	_, _, _, n := lengths(v[1:])
	return n == len(v)-1
}
