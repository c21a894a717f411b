package keys

import (
	"bytes"
	"fmt"
	"time"
)

// Span is a stretch of user keys: From is in it, To is not. An empty From begins
// at the first key there is, a nil To ends behind the last.
type Span struct{ From, To []byte }

// Contains says whether a user key lies in the span.
func (s Span) Contains(user []byte) bool {
	return bytes.Compare(user, s.From) >= 0 && (s.To == nil || bytes.Compare(user, s.To) < 0)
}

// Empty says that no key can lie in the span.
func (s Span) Empty() bool { return s.To != nil && bytes.Compare(s.From, s.To) >= 0 }

// Intersect is what both spans have; it may be empty.
func (s Span) Intersect(o Span) Span {
	out := s
	if bytes.Compare(o.From, out.From) > 0 {
		out.From = o.From
	}
	if out.To == nil || (o.To != nil && bytes.Compare(o.To, out.To) < 0) {
		out.To = o.To
	}
	return out
}

// Clamp is the user key itself, or the span's first key if it is before it.
func (s Span) Clamp(user []byte) []byte {
	if bytes.Compare(user, s.From) < 0 {
		return s.From
	}
	return user
}

// Overlaps says whether some key can lie in both spans.
func (s Span) Overlaps(o Span) bool { return !s.Intersect(o).Empty() }

func (s Span) String() string {
	to := "end"
	if s.To != nil {
		to = fmt.Sprintf("%x", s.To)
	}
	return fmt.Sprintf("[%x, %s)", s.From, to)
}

// PrefixSpan is every key that begins with prefix.
func PrefixSpan(prefix []byte) Span { return Span{From: prefix, To: PrefixEnd(prefix)} }

// PrefixEnd is the first key behind every key that begins with prefix; nil if
// there is none.
func PrefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Timestamp is a moment of CockroachDB's hybrid clock: nanoseconds since 1970
// and a counter within one of them. The zero value is no moment.
type Timestamp struct {
	Wall    int64
	Logical int32
}

// IsZero says that there is no moment.
func (t Timestamp) IsZero() bool { return t == Timestamp{} }

// Compare is -1, 0 or 1 as t is before, at or after o.
func (t Timestamp) Compare(o Timestamp) int {
	switch {
	case t.Wall != o.Wall:
		if t.Wall < o.Wall {
			return -1
		}
		return 1
	case t.Logical < o.Logical:
		return -1
	case t.Logical > o.Logical:
		return 1
	}
	return 0
}

// Time is the wall time, in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(0, t.Wall).UTC() }

// String is CockroachDB's own form, as AS OF SYSTEM TIME takes it:
// nanoseconds, a dot, ten digits of the counter.
func (t Timestamp) String() string { return fmt.Sprintf("%d.%010d", t.Wall, t.Logical) }
