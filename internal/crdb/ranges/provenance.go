package ranges

import (
	"bytes"
	"context"
	"fmt"
	"sort"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// Rest is what a stretch of user keys rests on.
type Rest struct {
	Span    keys.Span
	RangeID uint64
	Store   uint64 // whose keys they are; 0: those of the log over what is left
	Index   uint64 // of the log: what they are the state of
	Doubt   string // why they may not be all, or not the newest; empty if neither
}

// Provenance says for each stretch of a span what it rests on, as far as the
// damage is known: all of it once the span was read. Holes are left out.
func (m *Map) Provenance(span keys.Span) ([]Rest, error) {
	var out []Rest
	err := m.pieces(span.Intersect(everything()), func(p piece) error {
		r := p.part.rng
		rest := Rest{Span: keys.Span{From: bytes.Clone(p.span.From), To: bytes.Clone(p.span.To)}, RangeID: r.RangeID, Index: r.Replay.To}
		if p.base != nil {
			rest.Store = p.base.replica.Store()
		}
		rest.Doubt = r.doubt(p.base == nil)
		if n := len(out) - 1; n >= 0 && out[n].RangeID == rest.RangeID && out[n].Store == rest.Store && bytes.Equal(out[n].Span.To, rest.Span.From) {
			out[n].Span.To = rest.Span.To
			return nil
		}
		out = append(out, rest)
		return nil
	})
	return out, err
}

// doubt is why what the range has may not be all or not the newest.
func (r *Range) doubt(onLog bool) string {
	switch {
	case r.Chosen == nil:
		return "no replica of it is of use"
	case r.Chosen.Lost:
		return fmt.Sprintf("store %d does not say how far it had applied the log", r.Chosen.Store())
	case r.Replay.Problem != "":
		return fmt.Sprintf("its state is that of index %d of %d: %s", r.Replay.To, r.Commit.Target, r.Replay.Problem)
	case onLog && !r.Proof.Made:
		return "it rests on the log, and has not been counted"
	case onLog && !r.Proof.Whole:
		return r.Proof.Why
	case !r.Commit.Majority:
		return "later writes may be lost: " + r.Commit.Why
	}
	return ""
}

// Transaction is a record of a transaction that was not over.
type Transaction struct {
	mvcc.Record
	RangeID uint64 // whose range holds the record
}

// Transactions are the records that say pending, staging or prepared, in the
// order of their anchors.
func (m *Map) Transactions(ctx context.Context) ([]Transaction, error) {
	it := m.View().Iter(keys.RangeLocalSpan(keys.Span{}))
	var out []Transaction
	for it.Next() && ctx.Err() == nil {
		user, version, err := keys.Split(it.Key())
		if err != nil || len(version) > 0 {
			continue
		}
		k, ok := keys.ParseRangeLocal(nil, user)
		if !ok || k.Suffix != keys.TxnRecord {
			continue
		}
		msg, err := mvcc.Message(user, bytes.Clone(it.Value()))
		if err != nil {
			continue // what becomes of its intents says mvcc.Outcomes
		}
		r, err := mvcc.ParseRecord(msg)
		if err == nil && r.State != mvcc.Committed && r.State != mvcc.Aborted {
			out = append(out, Transaction{Record: r, RangeID: m.rangeAt(k.Addr)})
		}
	}
	if err := closed(it); err != nil {
		return nil, err
	}
	return out, ctx.Err()
}

// rangeAt is the range that an address belongs to, 0 for a hole.
func (m *Map) rangeAt(addr []byte) uint64 {
	if len(addr) == 0 {
		addr = keys.LocalMax()
	}
	i := sort.Search(len(m.parts), func(i int) bool { return bytes.Compare(m.parts[i].span.To, addr) > 0 })
	if i == len(m.parts) || !m.parts[i].span.Contains(addr) {
		return 0
	}
	return m.parts[i].rng.RangeID
}
