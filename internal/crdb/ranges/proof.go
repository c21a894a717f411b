package ranges

import (
	"context"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// Proof is whether the keys of a range are all there although some of them rest
// on the log, or the replica's own state is lost.
type Proof struct {
	Made  bool // Prove was called
	Whole bool
	Why   string
}

// Prove finds out whether a range is whole of which something rests on the log,
// or whose replica does not say what its keys are the state of: the database's
// own statistics must be those of what is there. It then reads the range.
func (m *Map) Prove(ctx context.Context, r *Range) (Proof, error) {
	if r.Chosen == nil {
		r.Proof = Proof{Made: true, Why: "no replica of it is of use"}
		return r.Proof, nil
	}
	rests := false
	for _, s := range r.Spans {
		err := m.pieces(s, func(p piece) error {
			rests = rests || p.base == nil
			return ctx.Err()
		})
		if err != nil {
			return Proof{}, err
		}
	}
	if !rests && !r.Chosen.Lost && r.Replay.Problem == "" {
		r.Proof = Proof{Made: true, Whole: true, Why: "nothing of it rests on the log"}
		return r.Proof, nil
	}
	got, err := m.countRange(r)
	if err != nil {
		return Proof{}, fmt.Errorf("count range %d: %w", r.RangeID, err)
	}
	r.Proof = r.judge(got)
	return r.Proof, nil
}

// countRange counts a range's user keys as the map reads them. New damage that a
// walk meets changes what the next one reads, so it ends.
func (m *Map) countRange(r *Range) (raftlog.Stats, error) {
	for {
		var sum raftlog.Stats
		var err error
		for _, s := range r.Spans {
			var one raftlog.Stats
			if one, err = countSpan(m.View(), s); err != nil {
				break
			}
			sum = sum.Add(one)
		}
		if !errors.Is(err, ErrReadAgain) {
			return sum, err
		}
	}
}

// judge compares what is there with what the range said of itself.
func (r *Range) judge(got raftlog.Stats) Proof {
	want := r.Replay.Stats
	p := Proof{Made: true}
	span := r.Span()
	switch {
	case want.Estimates == 0 && (r.Chosen.Lost || !r.Chosen.Counted):
		p.Why = "the range's statistics are lost"
	case want.Estimates != 0:
		p.Why = "the range's statistics are estimates"
	case len(r.Spans) != 1 || keys.Span.String(r.Spans[0]) != span.String():
		p.Why = "the statistics are of more keys than the range speaks for"
	case r.Replay.Problem != "":
		p.Why = r.Replay.Problem
	case !got.SameData(want):
		p.Why = fmt.Sprintf("the range's statistics say %s, but there are %s: rows are lost, or newer versions and deletions of rows, so that older ones show", want, got)
	default:
		p.Whole, p.Why = true, fmt.Sprintf("the range's statistics agree: %s", want)
	}
	return p
}
