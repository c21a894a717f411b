package mvcc

import (
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Reader reads a view as a transaction at one moment would.
type Reader struct {
	view engine.View
	txns *Outcomes
	asOf keys.Timestamp
}

// NewReader reads at a moment; the zero moment is the newest state.
func NewReader(view engine.View, txns *Outcomes, asOf keys.Timestamp) *Reader {
	return &Reader{view: view, txns: txns, asOf: asOf}
}

// Iter walks the user keys of the span that have a value, one version each.
func (r *Reader) Iter(span keys.Span) *Iter {
	it := &Iter{scan: newScan(r.view, r.txns, span, r.asOf)}
	list, err := r.view.RangeTombstones(span)
	if err != nil {
		it.err = err
	}
	it.tombs = newTombs(list, r.asOf)
	return it
}

// Iter is a walk over the keys that have a value.
type Iter struct {
	*scan
	tombs tombs
}

// Next moves to the next key that has a value. No key is met twice, except that
// a key may have both an inline value and versions, which no release writes.
func (it *Iter) Next() bool {
	for it.next() {
		if it.at.IsZero() {
			return true
		}
		it.done = true
		if len(it.value) > 0 && (len(it.tombs) == 0 || !it.tombs.cover(it.user, it.at)) {
			return true
		}
	}
	return false
}

// Key is the user key, until the next call of Next.
func (it *Iter) Key() []byte { return it.user }

// Timestamp is when the value was written: zero for an inline one.
func (it *Iter) Timestamp() keys.Timestamp { return it.at }

// Value is the value with its checksum and type, without the header of newer
// releases; until the next call of Next.
func (it *Iter) Value() []byte { return it.value }

// Doubt says that the key has a newer write of a transaction whose outcome
// cannot be known; the value is the one before it.
func (it *Iter) Doubt() bool { return it.doubt }

// Damage is what of the span could not be read so far.
func (it *Iter) Damage() []engine.Damage { return it.damage() }

// Close ends the walk and says what ended it too early.
func (it *Iter) Close() error { return it.close() }

// Err is what ended the walk too early.
func (it *Iter) Err() error {
	if it.err != nil {
		return it.err
	}
	return it.phys.Err()
}
