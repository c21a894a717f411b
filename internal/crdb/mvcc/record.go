package mvcc

import (
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// State is what a transaction's record says.
type State uint8

// The states of a record, by their numbers in the database.
const (
	Pending State = iota
	Committed
	Aborted
	Staging  // committed once all its writes in flight have arrived
	Prepared // for a commit in two phases
)

// Record is a transaction's record (CockroachDB's TransactionRecord).
type Record struct {
	Txn
	State    State
	InFlight []Write
	Ignored  []Ignored
}

// Write is one write that was in flight when its transaction staged its commit.
type Write struct {
	Key      []byte
	Sequence int32
}

// Ignored is a stretch of a transaction's writes that a savepoint rolled back,
// both ends in it.
type Ignored struct{ First, Last int32 }

// ParseRecord reads a record; its slices are parts of b.
func ParseRecord(b []byte) (r Record, err error) {
	err = wire.Each(b, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			r.Txn, err = parseTxn(f.Data)
		case 4:
			r.State = State(f.Int)
		case 17:
			var w Write
			w, err = parseWrite(f.Data)
			r.InFlight = append(r.InFlight, w)
		case 18:
			var i Ignored
			i, err = parseIgnored(f.Data)
			r.Ignored = append(r.Ignored, i)
		}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("read transaction record: %w", err)
	}
	return r, nil
}

func parseWrite(b []byte) (w Write, err error) {
	err = wire.Each(b, func(f wire.Field) error {
		switch f.Num {
		case 1:
			w.Key = f.Data
		case 2:
			w.Sequence = int32(f.Int)
		}
		return nil
	})
	return w, err
}

func parseIgnored(b []byte) (i Ignored, err error) {
	err = wire.Each(b, func(f wire.Field) error {
		switch f.Num {
		case 1:
			i.First = int32(f.Int)
		case 2:
			i.Last = int32(f.Int)
		}
		return nil
	})
	return i, err
}

// Verdict is what became of a transaction.
type Verdict uint8

// The verdicts. Only Done makes an intent a version.
const (
	Done    Verdict = iota // committed
	Dropped                // aborted, or its record is gone and no write of it counts
	Open                   // was still running
	Unknown                // what would decide it could not be read
)

func (v Verdict) String() string {
	return [...]string{"committed", "aborted", "open", "unknown"}[v]
}

// Outcome is a verdict and why.
type Outcome struct {
	ID      TxnID
	Anchor  []byte
	Verdict Verdict
	Why     string
	At      keys.Timestamp // of Done: when it happened
	epoch   int32
	ignored []Ignored
}

// resolved is what an intent comes to.
type resolved struct {
	keep    bool // it is a version at the moment at
	at      keys.Timestamp
	earlier *Earlier // which stands in its place, if its own write was rolled back
	doubt   bool     // nobody can say
}

// resolve decides one intent by its transaction's outcome.
func (o *Outcome) resolve(m *Meta) resolved {
	if o.Verdict == Unknown {
		return resolved{doubt: true}
	}
	if o.Verdict != Done || o.epoch != m.Txn.Epoch || m.Timestamp.Compare(o.At) > 0 {
		return resolved{}
	}
	r := resolved{keep: true, at: o.At}
	if !o.ignores(m.Txn.Sequence) {
		return r
	}
	for i := len(m.History) - 1; i >= 0; i-- {
		if !o.ignores(m.History[i].Sequence) {
			r.earlier = &m.History[i]
			return r
		}
	}
	return resolved{}
}

func (o *Outcome) ignores(sequence int32) bool {
	for _, i := range o.ignored {
		if i.First <= sequence && sequence <= i.Last {
			return true
		}
	}
	return false
}

var states = [...]string{Pending: "pending", Committed: "committed", Aborted: "aborted", Staging: "staging", Prepared: "prepared"}

// String is the state in a word.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return fmt.Sprintf("state %d", s)
}
