package mvcc

import (
	"bytes"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Versions walks every committed version of the keys of a span: keys ascending,
// of each the newest first, tombstones among them.
func (r *Reader) Versions(span keys.Span) *VersionIter {
	it := &VersionIter{scan: newScan(r.view, r.txns, span, r.asOf)}
	list, err := r.view.RangeTombstones(span)
	if err != nil {
		it.err = err
	}
	for _, t := range list {
		if r.asOf.IsZero() || t.At.Compare(r.asOf) <= 0 {
			it.tombs = append(it.tombs, t)
		}
	}
	return it
}

// History walks what Versions does, and what transactions wrote without being
// committed: see VersionIter.Open.
func (r *Reader) History(span keys.Span) *VersionIter {
	it := r.Versions(span)
	it.all = true
	return it
}

// VersionIter is a walk over versions.
type VersionIter struct {
	*scan
	tombs []engine.RangeTombstone
}

// Next moves to the next version.
func (it *VersionIter) Next() bool { return it.next() }

// First says that this is the newest version of its key.
func (it *VersionIter) First() bool { return it.fresh }

// Key is the user key, until the next call of Next.
func (it *VersionIter) Key() []byte { return it.user }

// Timestamp is when the version was written.
func (it *VersionIter) Timestamp() keys.Timestamp { return it.at }

// Value is empty for a tombstone; until the next call of Next.
func (it *VersionIter) Value() []byte { return it.value }

// Doubt says that the key has a write of a transaction whose outcome cannot be known.
func (it *VersionIter) Doubt() bool { return it.doubt }

// Open is what became of the transaction whose write this is, if the write is
// not committed (of a walk by History); else nil.
func (it *VersionIter) Open() *Outcome { return it.open }

// Err is what ended the walk too early.
func (it *VersionIter) Err() error {
	if it.err != nil {
		return it.err
	}
	return it.phys.Err()
}

// DeletedAt is when a range tombstone first deleted this version; zero if none did.
func (it *VersionIter) DeletedAt() (at keys.Timestamp) {
	for _, t := range it.tombs {
		if t.Span.Contains(it.user) && t.At.Compare(it.at) > 0 && (at.IsZero() || t.At.Compare(at) < 0) {
			at = t.At
		}
	}
	return at
}

// Damage is what of the span could not be read so far.
func (it *VersionIter) Damage() []engine.Damage { return it.damage() }

// Close ends the walk and says what ended it too early.
func (it *VersionIter) Close() error { return it.close() }

// Version is one committed version of a key.
type Version struct {
	At        keys.Timestamp
	Value     []byte         // empty for a tombstone
	DeletedAt keys.Timestamp // when a range tombstone deleted it; zero if none did
}

// AllVersions is the history of one key, the newest first.
func (r *Reader) AllVersions(user []byte) ([]Version, error) {
	it := r.Versions(only(user))
	var out []Version
	for it.Next() {
		out = append(out, Version{At: it.at, Value: bytes.Clone(it.value), DeletedAt: it.DeletedAt()})
	}
	return out, it.Close()
}
