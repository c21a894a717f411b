package ranges

import (
	"sync"
	"sync/atomic"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/spill"
)

// room is what the logs of all ranges together may take: so much memory, and a
// file for what is more.
type room struct {
	tails  quota // of entries, as they are stored
	layers quota // of what they changed
	chunk  int64 // bytes of a log that are worked on at once
	file   *spill.File

	mu  sync.Mutex
	err error // why the file does not take more
}

const (
	defaultMemory = 256 << 20
	minChunk      = 1 << 20
	changeRoom    = 80 // bytes of memory that a change takes beside its key and value
)

func newRoom(memory int64, scratch string) *room {
	if memory == 0 {
		memory = defaultMemory
	}
	r := &room{chunk: max(memory/16, minChunk), file: spill.NewFile(scratch)}
	r.tails.limit, r.layers.limit = memory/2, memory/2
	return r
}

// quota is a share of memory.
type quota struct {
	limit int64
	used  atomic.Int64
}

// take takes bytes of it, if so many are left.
func (q *quota) take(bytes int64) bool {
	if q.used.Add(bytes) <= q.limit {
		return true
	}
	q.used.Add(-bytes)
	return false
}

// layer makes a layer that holds about so many bytes, in memory or in the file.
func (r *room) layer(changes []engine.Change, bytes int64) *engine.Layer {
	l := engine.NewLayer(changes)
	if r.layers.take(bytes) {
		return l
	}
	if err := l.Spill(r.file); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.err = err
	}
	return l
}

// whole is a view that was made of layers; without a place for them all, one that
// says why.
func (r *room) whole(view engine.View) engine.View {
	if err := r.failed(); err != nil {
		return noView{err: err}
	}
	return view
}

func (r *room) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// noView is a view that could not be made.
type noView struct {
	engine.Empty
	err error
}

func (v noView) Iter(span keys.Span) engine.Iter { return noIter{v.Empty.Iter(span), v.err} }

func (v noView) RangeTombstones(keys.Span) ([]engine.RangeTombstone, error) { return nil, v.err }

type noIter struct {
	engine.Iter
	err error
}

func (it noIter) Err() error { return it.err }
