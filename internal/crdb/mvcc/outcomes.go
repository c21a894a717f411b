package mvcc

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Outcomes finds out what became of transactions, each once. It may be used
// from several goroutines.
type Outcomes struct {
	view  engine.View
	known func(user []byte) bool

	mu   sync.Mutex
	txns map[TxnID]*Outcome
}

// NewOutcomes judges by what a view holds: that of all ranges, each in its
// newest state. known says of a user key whether the view can be believed where
// it holds nothing for it; nil believes it everywhere.
func NewOutcomes(view engine.View, known func(user []byte) bool) *Outcomes {
	if known == nil {
		known = func([]byte) bool { return true }
	}
	return &Outcomes{view: view, known: known, txns: map[TxnID]*Outcome{}}
}

// Of is what became of the transaction that an intent names.
func (o *Outcomes) Of(t Txn) (*Outcome, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if out := o.txns[t.ID]; out != nil {
		return out, nil
	}
	out, err := o.judge(t)
	if err != nil {
		return nil, fmt.Errorf("judge transaction %x: %w", t.ID, err)
	}
	out.ID, out.Anchor = t.ID, bytes.Clone(t.Anchor)
	o.txns[t.ID] = out
	return out, nil
}

// All are the transactions asked for so far, by ID.
func (o *Outcomes) All() []Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Outcome, 0, len(o.txns))
	for _, t := range o.txns {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b Outcome) int { return cmp.Compare(string(a.ID[:]), string(b.ID[:])) })
	return out
}

// judge reads the record and, if it only staged the commit, its writes.
func (o *Outcomes) judge(t Txn) (*Outcome, error) {
	key := keys.TxnKey(nil, t.Anchor, t.ID)
	value, err := o.inline(key)
	if err != nil {
		return nil, err
	}
	if value == nil {
		if !o.known(key) {
			return &Outcome{Verdict: Unknown, Why: "the range that would hold its record cannot be read whole"}, nil
		}
		return &Outcome{Verdict: Dropped, Why: "it has no record"}, nil
	}
	msg, err := Message(key, value)
	if err != nil {
		return &Outcome{Verdict: Unknown, Why: "its record is damaged"}, nil
	}
	r, err := ParseRecord(msg)
	if err != nil {
		return &Outcome{Verdict: Unknown, Why: "its record is damaged"}, nil
	}
	out := &Outcome{At: r.Write, epoch: r.Epoch, ignored: r.Ignored}
	switch r.State {
	case Committed:
		out.Verdict, out.Why = Done, "its record says committed"
	case Aborted:
		out.Verdict, out.Why = Dropped, "its record says aborted"
	case Pending, Prepared:
		out.Verdict, out.Why = Open, "its record says it was still running"
	case Staging:
		return o.staged(r, out)
	default:
		out.Verdict, out.Why = Unknown, fmt.Sprintf("its record says state %d", r.State)
	}
	return out, nil
}

// inline is the value of a key without version, nil if there is none.
func (o *Outcomes) inline(user []byte) ([]byte, error) {
	it := o.view.Iter(only(user))
	var value []byte
	if it.Next() {
		if _, version, err := keys.Split(it.Key()); err == nil && len(version) == 0 {
			value = bytes.Clone(it.Value())
		}
	}
	return value, closed(it)
}

// staged says whether a transaction that staged its commit is committed: it is
// as soon as every write in flight has arrived (CockroachDB's parallel commit).
func (o *Outcomes) staged(r Record, out *Outcome) (*Outcome, error) {
	out.Verdict, out.Why = Done, "it staged its commit and all its writes arrived"
	for _, w := range r.InFlight {
		arrived, err := o.arrived(r, w)
		if err != nil {
			return nil, err
		}
		switch {
		case arrived == asVersion:
			out.Why = "it staged its commit, and a write of it is resolved already"
			out.Verdict = Done
			return out, nil // nobody resolves before the commit is decided
		case arrived == missing && !o.known(w.Key):
			out.Verdict, out.Why = Unknown, fmt.Sprintf("it staged its commit, and its write to %x cannot be read", w.Key)
		case arrived == missing && out.Verdict == Done:
			out.Verdict, out.Why = Dropped, fmt.Sprintf("it staged its commit, and its write to %x never arrived", w.Key)
		}
	}
	return out, nil
}

// The ways in which a write in flight may be found.
const (
	missing = iota
	asIntent
	asVersion
)

// arrived looks for one write of a transaction that staged its commit.
func (o *Outcomes) arrived(r Record, w Write) (found int, err error) {
	var foreign keys.Timestamp // of another transaction's intent
	look := func(value []byte) {
		m, err := ParseMeta(value)
		switch {
		case err != nil || !m.IsIntent:
		case m.Txn.ID == r.ID && m.Txn.Epoch == r.Epoch && m.Txn.Sequence >= w.Sequence && m.Timestamp.Compare(r.Write) <= 0:
			found = asIntent
		default:
			foreign = m.Timestamp
		}
	}
	locks := o.view.Iter(only(keys.LockKey(nil, w.Key)))
	for locks.Next() {
		if _, version, err := keys.Split(locks.Key()); err == nil && isIntentLock(version) {
			look(locks.Value())
		}
	}
	if err := closed(locks); err != nil {
		return missing, err
	}
	it := o.view.Iter(only(w.Key))
	for it.Next() {
		_, version, err := keys.Split(it.Key())
		if err == nil && len(version) == 0 {
			look(it.Value())
		}
		if at, ok := keys.Version(version); ok && at == r.Write && at != foreign && found == missing {
			found = asVersion
		}
	}
	return found, closed(it)
}

// only is the span of one user key.
func only(user []byte) keys.Span {
	return keys.Span{From: user, To: append(bytes.Clone(user), 0)}
}

// closed closes an iterator and says what went wrong with it.
func closed(it engine.Iter) error {
	if err := it.Err(); err != nil {
		_ = it.Close()
		return err
	}
	return it.Close()
}
