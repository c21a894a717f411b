package ranges

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// bigLog is a store with a log that is nowhere in memory: each entry is made when
// a walk comes to it, and the live heap is looked at now and then.
type bigLog struct {
	engine.View
	rangeID, first, last uint64
	entry                func(index uint64) command
	every                uint64      // entries between two looks
	quiet                *sync.Mutex // nobody else makes entries meanwhile
	peak                 uint64
}

func (b *bigLog) Iter(span keys.Span) engine.Iter {
	return engine.Union{b.View, bigLogOnly{b}}.Iter(span)
}

func (b *bigLog) look() {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.peak = max(b.peak, m.HeapAlloc)
}

type bigLogOnly struct{ *bigLog }

func (b bigLogOnly) Iter(span keys.Span) engine.Iter {
	it := &bigLogIter{Iter: engine.Empty{}.Iter(span), log: b.bigLog, span: span}
	it.SeekGE(span.From)
	return it
}

type bigLogIter struct {
	engine.Iter
	log   *bigLog
	span  keys.Span
	index uint64 // of the next entry
	value []byte
}

func (it *bigLogIter) SeekGE(user []byte) {
	it.index = it.log.first
	for n := it.log.last + 1 - it.log.first; n > 0; { // a binary search
		if half := n / 2; bytes.Compare(keys.LogKey(nil, it.log.rangeID, it.index+half), user) < 0 {
			it.index, n = it.index+half+1, n-half-1
		} else {
			n = half
		}
	}
}

func (it *bigLogIter) Next() bool {
	if it.index > it.log.last || !it.span.Contains(keys.LogKey(nil, it.log.rangeID, it.index)) {
		return false
	}
	it.log.quiet.Lock()
	defer it.log.quiet.Unlock()
	it.value = inline(it.log.entry(it.index).message(it.index, 1))
	if it.index%it.log.every == 0 {
		it.log.look()
	}
	it.index++
	return true
}

func (it *bigLogIter) Key() []byte   { return append(keys.LogKey(nil, it.log.rangeID, it.index-1), 0) }
func (it *bigLogIter) Value() []byte { return it.value }

// TestBigLog brings two replicas forward along a log that is many times what it
// may take of memory: the rows are right, and what is held stays small.
func TestBigLog(t *testing.T) {
	const (
		entries  = 24_000
		distinct = 9_000
		budget   = 4 << 20
	)
	padding := strings.Repeat("x", 2000)
	want := map[string]string{}
	made := func(index uint64) command {
		if index%4000 == 0 {
			return command{changes: []engine.Change{{Op: engine.DeleteRange, Key: keys.Append(nil, []byte("k001"), keys.Timestamp{}), Value: keys.Append(nil, []byte("k003"), keys.Timestamp{})}}}
		}
		return write(fmt.Sprintf("k%06d", index*7%distinct), int64(index), fmt.Sprint(index)+padding)
	}
	d := desc(1, 1, "", "", 1, 2)
	var sources []*Source
	var logs []*bigLog
	quiet := &sync.Mutex{}
	for store := range uint64(2) {
		f := newFake(store + 1)
		f.replica(d, state{applied: 10 + store})
		f.changes = slices.DeleteFunc(f.changes, func(c engine.Change) bool { return strings.Contains(string(c.Key), "rftt") })
		s := f.source()
		b := &bigLog{View: s.View, rangeID: 1, first: 11 + store, last: 10 + entries, entry: made, every: 3000, quiet: quiet}
		s.View = b
		logs, sources = append(logs, b), append(sources, s)
	}
	for index := uint64(12); index <= 10+entries; index++ { // store 2 has applied the one before
		c := made(index).changes[0]
		if c.Op == engine.DeleteRange {
			maps.DeleteFunc(want, func(k, _ string) bool { return k >= "k001" && k < "k003" })
		} else {
			want[fmt.Sprintf("k%06d", index*7%distinct)] = fmt.Sprint(index)
		}
	}
	logs[0].look()
	before := logs[0].peak
	scratch := filepath.Join(t.TempDir(), "scratch")
	m, err := Survey(t.Context(), sources, Options{Memory: budget, Scratch: scratch})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, b := range m.Ranges[0].bases {
		got := map[string]string{}
		it := b.open().Iter(keys.Span{From: []byte("a"), To: []byte("z")})
		for n := 0; it.Next(); n++ {
			user, _, err := keys.Split(it.Key())
			if err != nil {
				t.Fatal(err)
			}
			if _, have := got[string(user)]; !have { // the newest comes first
				got[string(user)] = string(bytes.TrimRight(it.Value()[5:], "x"))
			}
			if n%4000 == 0 {
				logs[0].look()
			}
		}
		if err := closed(it); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("store %d: %s", b.replica.Store(), diff)
		}
		if n := len(b.replay.Layers); n < 10 || b.replay.To != 10+entries {
			t.Errorf("store %d: %d layers up to index %d", b.replica.Store(), n, b.replay.To)
		}
	}
	peak := int64(max(logs[0].peak, logs[1].peak) - before)
	t.Logf("a log of %d MiB twice, with %d KiB for it: %d KiB held, %d KiB at most", entries*len(padding)>>20, budget>>10, m.Held()>>10, peak>>10)
	if m.Held() > budget || peak > 3*budget {
		t.Error("that is more than it may take")
	}
}

// TestNoRoomAtAll has neither memory nor a file for a log: that is an error, not a
// range that lacks something.
func TestNoRoomAtAll(t *testing.T) {
	f := newFake(1)
	d := desc(1, 1, "", "", 1)
	f.replica(d, state{applied: 10})
	for i := range uint64(40) {
		f.log(1, 11+i, 1, write(fmt.Sprintf("k%d", i), 1, strings.Repeat("x", 100_000)))
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := Survey(t.Context(), []*Source{f.source()}, Options{Memory: 1 << 20, Scratch: file}); err == nil {
		t.Errorf("%v", m.Ranges[0])
	}
}
