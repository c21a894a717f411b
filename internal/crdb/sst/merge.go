package sst

import (
	"bytes"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Merged walks the newest entry of each engine key over many sources, as the
// store would have shown it: deletions applied, merges put together. It is an
// engine.Iter.
type Merged struct {
	span   keys.Span
	all    []Source
	top    input    // the first of all by key, then the newest; without entry at the end
	rest   []input  // a heap of the others
	dels   covering // range deletions
	key    []byte   // the engine key at hand; a copy while its sources move on
	value  []byte
	joined []byte   // buffer for merges
	parts  [][]byte // operands, newest first
	buffer []byte
	held   []byte // what key was copied to
	stale  bool   // entries of held are still on top
	err    error
}

var _ engine.Iter = (*Merged)(nil)

// input is a source with its entry at hand.
type input struct {
	source Source
	entry  *Entry
	user   []byte // the user key of the entry
	order  int    // the place among the sources, which decides between equal numbers
}

// Newest merges sources under range deletions. All sources must serve the span;
// of entries with equal engine keys and sequence numbers that of the earlier
// source is taken. The range deletions are those of all tables and logs that
// touch the span, in any order.
func Newest(span keys.Span, dels []RangeDel, sources ...Source) *Merged {
	m := &Merged{span: span, all: sources, dels: cover(dels)}
	m.start()
	return m
}

// start takes the first entry of each source.
func (m *Merged) start() {
	m.rest, m.stale = m.rest[:0], false
	m.dels.at = 0
	for i, s := range m.all {
		if e := s.Next(); e != nil {
			m.rest = append(m.rest, input{source: s, entry: e, user: userKey(e.Key), order: i})
		} else {
			m.failed(s.Err())
		}
	}
	for i := len(m.rest)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	m.pop()
}

// pop makes the first of the rest the top.
func (m *Merged) pop() {
	m.top = input{}
	if n := len(m.rest) - 1; n >= 0 {
		m.top, m.rest[0] = m.rest[0], m.rest[n]
		m.rest = m.rest[:n]
		m.down(0)
	}
}

func (m *Merged) failed(err error) {
	if m.err == nil {
		m.err = err
	}
}

// SeekGE makes the next Next stop at the first entry whose user key is not
// before user.
func (m *Merged) SeekGE(user []byte) {
	if bytes.Compare(user, m.span.From) < 0 {
		user = m.span.From
	}
	for _, s := range m.all {
		s.SeekGE(user)
	}
	m.start()
}

// Key is the engine key.
func (m *Merged) Key() []byte { return m.key }

// Value is the value as it is stored.
func (m *Merged) Value() []byte { return m.value }

// Err is the first error of a source.
func (m *Merged) Err() error { return m.err }

// Damage is what lay in the way of all sources so far.
func (m *Merged) Damage() []engine.Damage {
	var all []engine.Damage
	for _, s := range m.all {
		all = append(all, s.Damage()...)
	}
	return all
}

// Close closes all sources.
func (m *Merged) Close() error {
	var first error
	for _, s := range m.all {
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	m.top, m.rest = input{}, m.rest[:0]
	return first
}

// Next moves to the next engine key that is not deleted.
func (m *Merged) Next() bool {
	for {
		if m.stale {
			m.pass()
		}
		e := m.top.entry
		if e == nil || m.err != nil {
			return false
		}
		m.held = append(m.held[:0], e.Key...)
		m.stale = true
		if len(m.dels.pieces) > 0 && m.dels.hides(e) {
			continue
		}
		switch e.Kind {
		case Set, SetWithDelete:
			m.key, m.value = e.Key, e.Value
			return true
		case Merge:
			m.join()
			m.key, m.value = m.held, m.joined
			return true
		}
	}
}

// pass leaves all entries of the key that is held.
func (m *Merged) pass() {
	m.stale = false
	for m.advance(); m.top.entry != nil && sameKey(m.top.entry.Key, m.held); {
		m.advance()
	}
}

// join puts the operands of merges together with the value below them, oldest
// first. It leaves the last of them on top.
func (m *Merged) join() {
	m.parts, m.buffer = m.parts[:0], m.buffer[:0]
	for {
		e := m.top.entry
		if m.dels.hides(e) || (e.Kind != Merge && e.Kind != Set && e.Kind != SetWithDelete) {
			break
		}
		at := len(m.buffer)
		m.buffer = append(m.buffer, e.Value...)
		m.parts = append(m.parts, m.buffer[at:len(m.buffer):len(m.buffer)])
		if e.Kind != Merge {
			break
		}
		m.advance()
		if m.top.entry == nil || !sameKey(m.top.entry.Key, m.held) {
			m.stale = false
			break
		}
	}
	m.joined = m.joined[:0]
	for i := len(m.parts) - 1; i >= 0; i-- {
		m.joined = append(m.joined, m.parts[i]...)
	}
}

// advance moves the source on top to its next entry. As long as that is the
// first of all there is one comparison, and with one source none.
func (m *Merged) advance() {
	e := m.top.source.Next()
	if e == nil {
		m.failed(m.top.source.Err())
		m.pop()
		return
	}
	m.top.entry = e
	if len(m.rest) == 0 {
		return
	}
	m.top.user = userKey(e.Key)
	if m.rest[0].before(&m.top) {
		m.top, m.rest[0] = m.rest[0], m.top
		m.down(0)
	}
}

// down lets the input at i sink to its place.
func (m *Merged) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(m.rest) {
			return
		}
		if r := least + 1; r < len(m.rest) && m.rest[r].before(&m.rest[least]) {
			least = r
		}
		if !m.rest[least].before(&m.rest[i]) {
			return
		}
		m.rest[i], m.rest[least] = m.rest[least], m.rest[i]
		i = least
	}
}

func (a *input) before(b *input) bool {
	c := bytes.Compare(a.user, b.user)
	if c == 0 {
		c = keys.CompareVersions(version(a.entry.Key, a.user), version(b.entry.Key, b.user))
	}
	switch {
	case c != 0:
		return c < 0
	case a.entry.Seq != b.entry.Seq:
		return a.entry.Seq > b.entry.Seq
	}
	return a.order < b.order
}

// version is the version of an engine key with that user key.
func version(key, user []byte) []byte {
	if len(key) < len(user)+2 {
		return nil
	}
	return key[len(user)+1 : len(key)-1]
}

// sameKey says whether two engine keys are one in the order of the store. A
// counter of zero and the synthetic mark are the only differences that do not
// count, and both show in the last byte.
func sameKey(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	n, m := len(a), len(b)
	return n > 0 && m > 0 && versioned(a[n-1]) && versioned(b[m-1]) && (a[n-1] != b[m-1] || a[n-1] == 14) && keys.Compare(a, b) == 0
}

func versioned(length byte) bool { return length == 9 || length == 13 || length == 14 }
