package store

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// tableCache keeps a bounded number of tables open. A table that cannot be
// opened is damage, found once and kept.
type tableCache struct {
	store *Store
	max   int

	mu   sync.Mutex
	open map[tableRef]*cached
	idle *list.List // of *cached, the longest unused first
	dels map[tableRef][]sst.RangeDel
}

type cached struct {
	ref   tableRef
	ready chan struct{}
	file  File
	table *sst.Table
	bad   *engine.Damage
	users int
	at    *list.Element
}

func newTableCache(s *Store, max int) *tableCache {
	return &tableCache{store: s, max: max, open: map[tableRef]*cached{}, idle: list.New(), dels: map[tableRef][]sst.RangeDel{}}
}

// get opens a table or takes the open one. It must be given back by put.
func (c *tableCache) get(meta TableMeta) *cached {
	ref := tableRef{meta.Level, meta.Number}
	c.mu.Lock()
	entry, ok := c.open[ref]
	if ok {
		if entry.users++; entry.at != nil {
			c.idle.Remove(entry.at)
			entry.at = nil
		}
		c.mu.Unlock()
		<-entry.ready
		return entry
	}
	entry = &cached{ref: ref, ready: make(chan struct{}), users: 1}
	c.open[ref] = entry
	victims := c.surplus()
	c.mu.Unlock()
	for _, v := range victims {
		v.close()
	}
	entry.load(c.store, meta)
	close(entry.ready)
	return entry
}

// put gives a table back.
func (c *tableCache) put(entry *cached) {
	c.mu.Lock()
	if entry.users--; entry.users == 0 {
		entry.at = c.idle.PushBack(entry)
	}
	victims := c.surplus()
	c.mu.Unlock()
	for _, v := range victims {
		v.close()
	}
}

// rangeDels are the range deletions of a table. They are kept when the table is
// closed, so that a walk over all tables does not open each of them twice.
func (c *tableCache) rangeDels(t TableMeta) []sst.RangeDel {
	ref := tableRef{t.Level, t.Number}
	c.mu.Lock()
	dels, ok := c.dels[ref]
	c.mu.Unlock()
	if ok {
		return dels
	}
	entry := c.get(t)
	defer c.put(entry)
	if entry.table != nil { // else the walk over the entries names it as damage
		dels = entry.table.RangeDels()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dels[ref] = dels
	return dels
}

// surplus takes out of the cache what is too much and not in use.
func (c *tableCache) surplus() []*cached {
	var out []*cached
	for len(c.open) > c.max && c.idle.Len() > 0 {
		v := c.idle.Remove(c.idle.Front()).(*cached)
		delete(c.open, v.ref)
		out = append(out, v)
	}
	return out
}

func (c *tableCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, entry := range c.open {
		entry.close()
	}
	c.open = map[tableRef]*cached{}
	c.idle.Init()
}

func (e *cached) load(s *Store, meta TableMeta) {
	name := tableName(meta.Backing)
	if err := e.openTable(s, name, meta); err != nil {
		e.bad = &engine.Damage{Store: s.name, File: name, Offset: -1, Size: -1, Span: meta.span, Why: err.Error()}
	}
}

func (e *cached) openTable(s *Store, name string, meta TableMeta) (err error) {
	if e.file, err = s.fs.Open(name); err != nil {
		return err
	}
	opt := sst.Options{Store: s.name, Name: name, Within: &meta.span, SyntheticPrefix: meta.Prefix, SyntheticSuffix: meta.Suffix}
	if meta.SmallestSeq == meta.LargestSeq && meta.LargestSeq > 0 {
		opt.SeqNum = &meta.LargestSeq
	}
	opt.NoRanges = meta.Level >= 0 && meta.LargestSeq == 0 && !meta.RangeKeys
	if meta.Virtual {
		opt.Bounds = &meta.span
	}
	if e.table, err = sst.Open(context.Background(), e.file, e.file.Size(), opt); err != nil {
		return err
	}
	if meta.Level >= 0 && !meta.Virtual && meta.foreign(e.table, e.file.Size()) {
		e.table = nil
		return errForeign
	}
	return nil
}

// errForeign is a file that took another's place.
var errForeign = errors.New("the file is not the table that the MANIFEST knows by its name")

// foreign says that a table is not the one that the MANIFEST means: it is whole,
// but of another size or with other keys at its ends, or it is broken and has keys
// that lie beyond them.
func (t TableMeta) foreign(table *sst.Table, size int64) bool {
	if len(table.Damage()) == 0 && size != t.Size {
		return true
	}
	first, last, exact := table.Ends()
	beyond := func(order int) bool { return order < 0 || exact && order > 0 }
	return first != nil && t.Smallest != nil && beyond(bytes.Compare(first, userOf(t.Smallest))) ||
		last != nil && t.Largest != nil && beyond(bytes.Compare(userOf(t.Largest), last))
}

// close closes what was only read: nothing can be lost by it.
func (e *cached) close() {
	if e.file != nil {
		e.file.Close()
	}
}

func tableName(number uint64) string { return fmt.Sprintf("%06d.sst", number) }
