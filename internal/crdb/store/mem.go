package store

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/spill"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// memTable is what the live logs hold, sorted. Above its limit of memory it goes
// to sorted runs in a file.
type memTable struct {
	limit   int64
	file    *spill.File
	block   []byte // where keys and values are kept
	used    int64
	fill    []memEntry
	runs    []run
	deletes []sst.RangeDel
	ranges  []sst.RangeKey
	entries int64
	bytes   int64
}

type memEntry struct {
	data []byte // key, then value
	key  int32  // length of the key
	kind sst.Kind
	seq  uint64
}

// run is a sorted, unchanging sequence of entries.
type run interface {
	entries(span keys.Span) sst.Source
	size(span keys.Span) int64
	cuts(each int64) []cut
}

// cut is a user key and about how many stored bytes lie before it, back to the
// cut before.
type cut struct {
	user []byte
	size int64
}

const (
	memBlock     = 1 << 20
	entryRoom    = 56 // bytes of a memEntry and its share of a slice's slack
	minMemBudget = 1 << 20
)

// newMemTable keeps what is above the limit in a file of the folder scratch, or of
// the system's own for temporary files.
func newMemTable(limit int64, scratch string) *memTable {
	return &memTable{limit: max(limit, minMemBudget), file: spill.NewFile(scratch)}
}

// keep copies bytes into the table's own memory.
func (m *memTable) keep(parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n > memBlock/4 {
		return slices.Concat(parts...)
	}
	if len(m.block)+n > cap(m.block) {
		m.block = make([]byte, 0, memBlock)
	}
	at := len(m.block)
	for _, p := range parts {
		m.block = append(m.block, p...)
	}
	return m.block[at:len(m.block):len(m.block)]
}

// add takes one operation of a batch that changes keys.
func (m *memTable) add(kind sst.Kind, seq uint64, key, value []byte) error {
	switch kind {
	case logData, ingest:
		return nil
	case sst.RangeDelete:
		m.deletes = append(m.deletes, sst.RangeDel{From: bytes.Clone(key), To: bytes.Clone(value), Seq: seq})
		return nil
	case excise:
		m.deletes = append(m.deletes, sst.RangeDel{From: bytes.Clone(key), To: bytes.Clone(value), Seq: seq})
		m.ranges = append(m.ranges, sst.RangeKey{Kind: sst.RangeKeyDel, Seq: seq, From: bytes.Clone(key), To: bytes.Clone(value)})
		return nil
	case sst.RangeKeySet, sst.RangeKeyUnset, sst.RangeKeyDel:
		k, err := parseRangeKey(kind, seq, key, value)
		m.ranges = append(m.ranges, k...)
		return err
	}
	m.fill = append(m.fill, memEntry{data: m.keep(key, value), key: int32(len(key)), kind: kind, seq: seq})
	m.entries++
	m.bytes += int64(len(key) + len(value))
	m.used += int64(len(key) + len(value) + entryRoom)
	if m.used < m.limit {
		return nil
	}
	return m.spill()
}

// freeze sorts what came since the last spill and makes it a run.
func (m *memTable) freeze() {
	if len(m.fill) > 0 {
		m.runs = append(m.runs, sorted(m.fill))
		m.fill, m.block, m.used = nil, nil, 0
	}
}

func (m *memTable) spill() error {
	r, err := m.file.Write(sorted(m.fill).all())
	if err != nil {
		return fmt.Errorf("keep the log in a file: %w", err)
	}
	m.runs = append(m.runs, diskRun{r})
	m.fill, m.block, m.used = m.fill[:0], nil, 0
	return nil
}

func (m *memTable) close() error {
	m.runs = nil
	return m.file.Close()
}

// memRun is a run in memory.
type memRun []memEntry

func sorted(e []memEntry) memRun {
	slices.SortFunc(e, func(a, b memEntry) int {
		if c := keys.Compare(a.data[:a.key], b.data[:b.key]); c != 0 {
			return c
		}
		return cmp.Compare(b.seq, a.seq)
	})
	return e
}

// from is the place of the first entry whose user key is not before user.
func (r memRun) from(user []byte) int {
	return sort.Search(len(r), func(i int) bool {
		return bytes.Compare(userOf(r[i].data[:r[i].key]), user) >= 0
	})
}

func (r memRun) in(span keys.Span) memRun {
	to := len(r)
	if span.To != nil {
		to = r.from(span.To)
	}
	return r[min(r.from(span.From), to):to]
}

func (r memRun) entries(span keys.Span) sst.Source { return &memIter{run: r.in(span)} }

func (r memRun) size(span keys.Span) int64 {
	n := int64(0)
	for _, e := range r.in(span) {
		n += int64(len(e.data))
	}
	return n
}

func (r memRun) cuts(each int64) []cut {
	var out []cut
	n := int64(0)
	for _, e := range r {
		if n += int64(len(e.data)); n >= each {
			out = append(out, cut{userOf(e.data[:e.key]), n})
			n = 0
		}
	}
	return out
}

// all are the entries as a file takes them.
func (r memRun) all() iter.Seq[spill.Entry] {
	return func(yield func(spill.Entry) bool) {
		for _, e := range r {
			if !yield(spill.Entry{Key: e.data[:e.key], Value: e.data[e.key:], Seq: e.seq, Kind: byte(e.kind)}) {
				return
			}
		}
	}
}

type memIter struct {
	run   memRun
	at    int // of the next entry
	entry sst.Entry
}

func (i *memIter) Next() *sst.Entry {
	if i.at >= len(i.run) {
		return nil
	}
	e := i.run[i.at]
	i.at++
	i.entry = sst.Entry{Key: e.data[:e.key:e.key], Value: e.data[e.key:], Seq: e.seq, Kind: e.kind}
	return &i.entry
}

func (i *memIter) SeekGE(user []byte)      { i.at = i.run.from(user) }
func (i *memIter) Err() error              { return nil }
func (i *memIter) Damage() []engine.Damage { return nil }
func (i *memIter) Close() error            { return nil }
