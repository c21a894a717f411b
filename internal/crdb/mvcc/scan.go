package mvcc

import (
	"bytes"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// scan walks the versions of keys with every intent resolved: what is not
// committed is not there. Both iterators stand on it.
type scan struct {
	phys  engine.Iter
	locks *lockWalk // nil once there are no more
	txns  *Outcomes
	limit keys.Timestamp // zero: none; newer versions are passed over

	user   []byte         // the user key of the current entry
	at     keys.Timestamp // zero for an inline value
	value  []byte         // without header; empty for a tombstone
	doubt  bool           // the key has an intent that nobody can decide
	all    bool           // set to hand out what is not committed, too
	open   *Outcome       // of the transaction whose write the current entry is, if it is not committed
	done   bool           // set to pass over the rest of this user key
	fresh  bool           // the current entry is the first of its user key
	begun  bool
	intent struct {
		on       bool
		provides keys.Timestamp // the version that it stands for
		outcome  *Outcome
		resolved
	}
	err error
}

func newScan(view engine.View, txns *Outcomes, span keys.Span, limit keys.Timestamp) *scan {
	return &scan{phys: view.Iter(span), locks: newLockWalk(view, span), txns: txns, limit: limit}
}

// next moves to the next committed version or inline value.
func (s *scan) next() bool {
	s.fresh = false
	for s.err == nil && s.phys.Next() {
		user, version, err := keys.Split(s.phys.Key())
		if err != nil {
			continue // not an engine key: nothing that any release writes
		}
		if !s.begun || len(user) != len(s.user) || !bytes.Equal(user, s.user) {
			s.begin(user)
		} else if s.done {
			continue
		}
		if len(version) == 0 {
			if s.plain() {
				return true
			}
			continue
		}
		if at, ok := keys.Version(version); ok && s.version(at) {
			return true
		}
	}
	return false
}

// begin starts a user key.
func (s *scan) begin(user []byte) {
	s.user, s.begun = append(s.user[:0], user...), true
	s.done, s.doubt, s.fresh, s.intent.on = false, false, true, false
	if s.locks == nil {
		return
	}
	m, more, err := s.locks.at(user)
	if err != nil {
		s.err = err
		return
	}
	if !more && len(s.locks.it.Damage()) == 0 {
		s.err = s.locks.close()
		s.locks = nil
	}
	if m != nil {
		s.begunIntent(m)
	}
}

// plain handles an entry without version: an intent for what follows, or a value.
func (s *scan) plain() bool {
	m, err := ParseMeta(s.phys.Value())
	if err != nil {
		return false
	}
	if m.IsIntent {
		s.begunIntent(&m)
		return false
	}
	if m.Inline == nil {
		return false
	}
	s.at, s.value = keys.Timestamp{}, m.Inline
	return true
}

// begunIntent resolves the intent of the current user key. What it keeps of the
// metadata is copied: the provisional version comes after it.
func (s *scan) begunIntent(m *Meta) {
	out, err := s.txns.Of(m.Txn)
	if err != nil {
		s.err = err
		return
	}
	s.intent.on, s.intent.provides, s.intent.outcome, s.intent.resolved = true, m.Timestamp, out, out.resolve(m)
	s.doubt = s.intent.doubt
	if e := s.intent.earlier; e != nil {
		s.intent.earlier = &Earlier{Sequence: e.Sequence, Value: bytes.Clone(e.Value)}
	}
}

// version handles a version; it says whether it counts.
func (s *scan) version(at keys.Timestamp) bool {
	provisional := s.intent.on && at == s.intent.provides
	s.open = nil
	switch {
	case provisional && s.intent.keep:
		at = s.intent.at
	case provisional && !s.all:
		return false
	case provisional:
		s.open = s.intent.outcome
	}
	if !s.limit.IsZero() && at.Compare(s.limit) > 0 {
		return false
	}
	value := s.phys.Value()
	if provisional && s.intent.earlier != nil {
		value = s.intent.earlier.Value
	}
	stripped, err := StripHeader(value)
	if err != nil {
		stripped = value // the row's reader will say that it cannot be read
	}
	s.at, s.value = at, stripped
	return true
}

// damage is what of the keys and of their locks could not be read so far.
func (s *scan) damage() []engine.Damage {
	if s.locks == nil {
		return s.phys.Damage()
	}
	return slices.Concat(s.locks.it.Damage(), s.phys.Damage())
}

func (s *scan) close() error {
	err := s.err
	if e := closed(s.phys); err == nil {
		err = e
	}
	if s.locks != nil {
		if e := s.locks.close(); err == nil {
			err = e
		}
	}
	return err
}

// lockWalk walks the intents of the lock table beside the keys they lock.
type lockWalk struct {
	it   engine.Iter
	user []byte // that the current intent is for
	meta Meta
	more bool
	buf  []byte
}

// newLockWalk is nil where the lock table has nothing for the span.
func newLockWalk(view engine.View, span keys.Span) *lockWalk {
	w := &lockWalk{it: view.Iter(keys.LockSpan(span))}
	w.step()
	if !w.more && w.it.Err() == nil && len(w.it.Damage()) == 0 && w.it.Close() == nil {
		return nil
	}
	return w
}

// step moves to the next intent.
func (w *lockWalk) step() {
	w.more = false
	for w.it.Next() {
		user, version, err := keys.Split(w.it.Key())
		if err != nil || !isIntentLock(version) {
			continue
		}
		locked, ok := keys.ParseLock(w.buf[:0], user)
		if !ok {
			continue
		}
		m, err := ParseMeta(w.it.Value())
		if err != nil || !m.IsIntent {
			continue
		}
		w.user, w.meta, w.more = append(w.user[:0], locked...), m, true
		return
	}
}

// at is the intent on a user key; those before it are passed over.
func (w *lockWalk) at(user []byte) (m *Meta, more bool, err error) {
	for w.more {
		c := bytes.Compare(w.user, user)
		if c > 0 {
			return nil, true, nil
		}
		if c == 0 {
			return &w.meta, true, nil
		}
		w.step()
	}
	return nil, false, w.it.Err()
}

func (w *lockWalk) close() error { return closed(w.it) }

// lockIntent is the strength of a lock that has a provisional version.
const lockIntent = 3

// isIntentLock says whether a version of the lock table is an intent's.
func isIntentLock(version []byte) bool {
	return keys.KindOf(version) == keys.Lock && version[0] == lockIntent
}
