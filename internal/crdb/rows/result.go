package rows

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// maxDoubts bounds the doubts that a Result names one by one.
const maxDoubts = 100

// maxAmong bounds the tables that a Result names among its own.
const maxAmong = 1000

// Reason is why something is doubtful.
type Reason string

// The reasons. Rows of the first three are not proved and go to
// Output.Doubtful; the others only stand beside a row that is given out.
const (
	BadChecksum Reason = "checksum"    // the value is not what was written
	Undecodable Reason = "undecodable" // a key or a value which the table's descriptor does not explain
	Incomplete  Reason = "incomplete"  // family 0 of the row is missing
	Unsettled   Reason = "unsettled"   // a transaction wrote the key whose outcome cannot be known; the row is the one before it
	NullBroken  Reason = "null"        // NULL in a column that is declared NOT NULL
)

// Doubt is something that is not as it should be.
type Doubt struct {
	Table  string    `json:"table"`
	Index  uint32    `json:"index"`
	Reason Reason    `json:"reason"`
	Why    string    `json:"why"`
	Span   keys.Span `json:"span"` // the keys which it is about
}

func (d Doubt) String() string {
	return fmt.Sprintf("table %q: %s: %s, keys %s", d.Table, d.Reason, d.Why, d.Span)
}

// Result is what a walk over keys found. Results of tasks are added up in any
// order, but for the lists of doubts, which are in the order of keys.
type Result struct {
	Rows       int64      `json:"rows"`     // given out
	Withheld   int64      `json:"withheld"` // not proved
	Pairs      int64      `json:"pairs"`    // key-value pairs of the table
	Bytes      int64      `json:"bytes"`    // their keys and values
	Sum        uint64     `json:"sum"`      // of numbers made of the CRC-32 and the length of each pair, bad ones too
	Verified   int64      `json:"verified"` // checksums
	Unverified int64      `json:"unverified"`
	Bad        int64      `json:"bad"`
	Entries    []EntrySum `json:"entries,omitempty"` // by index
	Doubts     []Doubt    `json:"doubts,omitempty"`  // the first of them
	DoubtCount int64      `json:"doubt_count"`
	Among      []uint32   `json:"among,omitempty"` // tables whose rows are interleaved into this one's, sorted
	First      []byte     `json:"first,omitempty"` // keys of the first and the last row
	Last       []byte     `json:"last,omitempty"`
}

// EntrySum is the headcount of one index: what the rows ask for, and what the
// index has.
type EntrySum struct {
	Index   uint32 `json:"index"`
	Want    int64  `json:"want"`
	WantSum uint64 `json:"want_sum"`
	Have    int64  `json:"have"`
	HaveSum uint64 `json:"have_sum"`
}

// Add adds what another walk found.
func (r *Result) Add(o Result) {
	r.Rows += o.Rows
	r.Withheld += o.Withheld
	r.Pairs += o.Pairs
	r.Bytes += o.Bytes
	r.Sum += o.Sum
	r.Verified += o.Verified
	r.Unverified += o.Unverified
	r.Bad += o.Bad
	for _, e := range o.Entries {
		r.entry(e.Index).add(e)
	}
	r.Among = append(r.Among, o.Among...)
	slices.Sort(r.Among)
	r.Among = slices.Compact(r.Among)
	r.DoubtCount += o.DoubtCount
	r.Doubts = append(r.Doubts, o.Doubts...)
	slices.SortStableFunc(r.Doubts, func(a, b Doubt) int {
		return cmp.Or(bytes.Compare(a.Span.From, b.Span.From), cmp.Compare(a.Why, b.Why))
	})
	r.Doubts = r.Doubts[:min(len(r.Doubts), maxDoubts)]
	if r.First == nil || o.First != nil && bytes.Compare(o.First, r.First) < 0 {
		r.First = o.First
	}
	if bytes.Compare(o.Last, r.Last) > 0 {
		r.Last = o.Last
	}
}

func (e *EntrySum) add(o EntrySum) {
	e.Want += o.Want
	e.WantSum += o.WantSum
	e.Have += o.Have
	e.HaveSum += o.HaveSum
}

// entry is the headcount of an index.
func (r *Result) entry(index uint32) *EntrySum {
	at, found := slices.BinarySearchFunc(r.Entries, index, func(e EntrySum, id uint32) int { return cmp.Compare(e.Index, id) })
	if !found {
		r.Entries = slices.Insert(r.Entries, at, EntrySum{Index: index})
	}
	return &r.Entries[at]
}

// doubt notes a doubt.
func (r *Result) doubt(d Doubt) {
	r.DoubtCount++
	if len(r.Doubts) < maxDoubts {
		r.Doubts = append(r.Doubts, d)
	}
}
