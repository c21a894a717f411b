package salvage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// The most that the history of one row is: older versions are left out.
const (
	maxVersions     = 100
	maxVersionBytes = 64 << 20
)

// write is one version of one key-value pair of a row.
type write struct {
	key, value []byte // an empty value is a tombstone
	at         keys.Timestamp
	deleted    keys.Timestamp // when a range tombstone deleted it
	open       *mvcc.Outcome  // of a transaction that is not committed
}

// row reads one row with its history.
func (l *lookup) row(ctx context.Context, h *hit, out *Found) (*FoundRow, error) {
	row := &FoundRow{Matches: h.live, Versions: []Version{}}
	span := keys.PrefixSpan(h.key)
	var writes []write
	err := l.key(ctx, h.key, row)
	if err != nil {
		return nil, err
	}
	err = l.c.patiently(func() (err error) {
		writes, row.More, err = l.writes(ctx, h.key, span)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := l.versions(ctx, writes, row, out); err != nil {
		return nil, err
	}
	row.name()
	if err := l.c.doubts(span, out); err != nil {
		return nil, err
	}
	if row.Rests, err = l.c.rests(span); err != nil {
		return nil, err
	}
	if l.c.Map == nil {
		return row, nil
	}
	row.Since = l.c.collected(row.Rests)
	compared, err := l.c.Map.Compare(ctx, span, nil)
	row.Compared, row.Differs = compared.Compared, compared.Differing
	if row.Differs > 0 {
		out.doubt(fmt.Sprintf("the replicas have not the same of a row: %d pairs differ", row.Differs))
	}
	return row, err
}

// noColumns is the value of a row all of whose columns are NULL or in its key:
// without a checksum, an empty tuple.
const noColumns = "\x00\x00\x00\x00\x0a"

// familyZero ends the key of a row's first pair.
const familyZero = 0x88

// key is a row's key as the columns that are in it.
func (l *lookup) key(ctx context.Context, key []byte, row *FoundRow) error {
	var v Version
	family := append(bytes.Clone(key), familyZero)
	if err := l.values(ctx, &pairs{list: []write{{key: family, value: []byte(noColumns)}}}, &v); err != nil {
		return err
	}
	row.Key = Values{}
	for _, id := range l.table.Primary.Columns {
		if col := l.table.Column(id); col != nil {
			row.Key[col.Name] = v.Values[col.Name]
		}
	}
	return nil
}

// name takes the key's values from the newest version that has values: the key
// alone does not tell all of a composite value, such as a collated string.
func (r *FoundRow) name() {
	for _, v := range r.Versions {
		if v.Values == nil {
			continue
		}
		for column := range r.Key {
			r.Key[column] = v.Values[column]
		}
		return
	}
}

// collected is the moment before which the garbage collector may have taken
// versions of what rests on a range; empty if it has not come yet.
func (c *Cluster) collected(rests []Rest) string {
	var at keys.Timestamp
	for _, r := range c.Map.Ranges {
		if r.Chosen != nil && slices.ContainsFunc(rests, func(x Rest) bool { return x.Range == r.RangeID }) && r.Chosen.GC.Compare(at) > 0 {
			at = r.Chosen.GC
		}
	}
	if at.IsZero() {
		return ""
	}
	return at.Time().Format(time.RFC3339Nano)
}

// writes gathers all that was ever written to a row, as far as it is still there.
func (l *lookup) writes(ctx context.Context, row []byte, span keys.Span) (list []write, more bool, err error) {
	it := l.c.Reader().History(span)
	defer func() { err = errors.Join(err, it.Close()) }()
	size := 0
	for it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		if !bytes.Equal(l.d.RowStart(it.Key()), row) { // a row that is interleaved
			continue
		}
		if size += len(it.Key()) + len(it.Value()); size > maxVersionBytes {
			return list, true, nil
		}
		list = append(list, write{key: bytes.Clone(it.Key()), value: bytes.Clone(it.Value()), at: it.Timestamp(), deleted: it.DeletedAt(), open: it.Open()})
	}
	return list, false, nil
}

// versions makes a row's versions out of what was written to its pairs: one for
// each moment at which something was, and one for each transaction that is not
// committed.
func (l *lookup) versions(ctx context.Context, writes []write, row *FoundRow, out *Found) error {
	moments, open := moments(writes)
	for _, o := range open {
		v := Version{}
		v.State, v.Transaction, v.Why = transaction(o)
		for _, w := range writes {
			if w.open == o {
				v.stamp(w.at)
			}
		}
		if v.State == StateUnknown {
			out.doubt(fmt.Sprintf("a transaction wrote a row, and nobody can say whether it is committed: %s", v.Why))
		}
		if err := l.values(ctx, snapshot(writes, keys.Timestamp{}, o), &v); err != nil {
			return err
		}
		row.Versions = append(row.Versions, v)
	}
	if len(moments) > maxVersions {
		moments, row.More = moments[:maxVersions], true
	}
	for i, at := range moments {
		v := Version{State: StateCommitted}
		v.stamp(at)
		if err := l.values(ctx, snapshot(writes, at, nil), &v); err != nil {
			return err
		}
		if v.Values == nil {
			v.State = StateDeleted
		}
		if i == 0 {
			row.Now = v.Values
			if v.Doubt != "" {
				out.doubt("a row is not proved: " + v.Doubt)
			}
		}
		row.Versions = append(row.Versions, v)
	}
	return nil
}

func (v *Version) stamp(at keys.Timestamp) {
	v.At, v.Timestamp = at.Time().Format(time.RFC3339Nano), at.String()
}

// moments are when something was committed, the newest first, and which
// transactions wrote without committing.
func moments(writes []write) (at []keys.Timestamp, open []*mvcc.Outcome) {
	for _, w := range writes {
		if w.open != nil {
			if !slices.Contains(open, w.open) {
				open = append(open, w.open)
			}
			continue
		}
		at = append(at, w.at)
		if !w.deleted.IsZero() {
			at = append(at, w.deleted)
		}
	}
	slices.SortFunc(at, func(a, b keys.Timestamp) int { return b.Compare(a) })
	return slices.Compact(at), open
}

// snapshot is the pairs of a row at a moment, the zero one being the newest, with
// what one transaction wrote over it.
func snapshot(writes []write, at keys.Timestamp, open *mvcc.Outcome) *pairs {
	var out pairs
	var last []byte
	for _, w := range writes { // of each key the newest first
		if bytes.Equal(last, w.key) && last != nil {
			continue
		}
		switch {
		case w.open != nil && w.open != open, w.open == nil && !at.IsZero() && w.at.Compare(at) > 0:
			continue
		}
		last = w.key
		gone := !w.deleted.IsZero() && (at.IsZero() || w.deleted.Compare(at) <= 0)
		if len(w.value) > 0 && (!gone || w.open != nil) {
			out.list = append(out.list, w)
		}
	}
	return &out
}

// pairs is a rows.Source of pairs in memory.
type pairs struct {
	list []write
	next int
}

func (p *pairs) Next() bool    { p.next++; return p.next <= len(p.list) }
func (p *pairs) Key() []byte   { return p.list[p.next-1].key }
func (p *pairs) Value() []byte { return p.list[p.next-1].value }
func (p *pairs) Doubt() bool   { return false } // what is not settled is a version of its own
func (p *pairs) Err() error    { return nil }

// values reads the one row that the pairs are into a version.
func (l *lookup) values(ctx context.Context, from *pairs, v *Version) error {
	all := &reading{l: l, v: v}
	res, err := l.d.Read(ctx, from, rows.Output{Rows: all, Doubtful: all})
	for _, d := range res.Doubts {
		if d.Reason != rows.NullBroken && v.Doubt == "" { // a column may have been declared NOT NULL since
			v.Doubt = d.Why
		}
	}
	return err
}

// reading is a sink that keeps the values of a row.
type reading struct {
	l *lookup
	v *Version
}

// Begin implements rows.Sink.
func (c *reading) Begin(*rows.Decoder) error { return nil }

// End implements rows.Sink.
func (c *reading) End() error { return nil }

// Row implements rows.Sink.
func (c *reading) Row(r *rows.Row) error {
	c.v.Values = Values{}
	for i, col := range c.l.d.Columns() {
		var text *string
		if !r.Null(i) {
			b, err := r.AppendText(nil, i)
			if err != nil {
				b = r.Raw(nil, i)
				c.v.Doubt = err.Error()
			}
			s := string(b)
			text = &s
		}
		c.v.Values[col.Name] = text
	}
	return nil
}
