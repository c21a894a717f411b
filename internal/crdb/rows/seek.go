package rows

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Path is an index, the primary one or another, as a way to rows.
type Path struct {
	Index   catalog.Index
	Columns []catalog.Column // by which it is asked, in their order: all of its key but the bucket of a hash-sharded one

	d      *Decoder
	layout *layout
	entry  *Index // of a secondary index
	shard  int    // which part of the key is the bucket, -1 if none is
}

// Path is the way by an index of that name, by the primary one if it is empty.
func (d *Decoder) Path(name string) (*Path, error) {
	p := &Path{d: d, shard: -1}
	switch at := slices.IndexFunc(d.table.Indexes, func(ix catalog.Index) bool { return ix.Name == name }); {
	case name == "" || name == d.table.Primary.Name:
		p.Index, p.layout = d.table.Primary, &d.primary
	case at < 0:
		return nil, fmt.Errorf("table %q has no index %q", d.name, name)
	default:
		p.Index, p.entry = d.table.Indexes[at], d.indexes[at]
		if p.entry.Check == No {
			return nil, fmt.Errorf("index %q of table %q leads to no rows: %s", name, d.name, p.entry.Why)
		}
		p.layout = &p.entry.layout
	}
	for i, part := range p.layout.parts {
		c := d.columns[part.cell]
		if p.Index.Shards > 0 && c.Name == p.Index.ShardColumn {
			p.shard = i
			continue
		}
		p.Columns = append(p.Columns, c)
	}
	return p, nil
}

// Spans are where the keys lie that begin with values of the first columns, nil
// for NULL: one stretch, or one in each bucket of a hash-sharded index.
func (p *Path) Spans(values []*string) ([]keys.Span, error) {
	if len(values) > len(p.Columns) {
		return nil, fmt.Errorf("%d values are given for %d columns", len(values), len(p.Columns))
	}
	key := bytes.Clone(p.layout.prefix)
	if p.shard < 0 || len(values) == 0 {
		key, err := p.append(key, 0, values)
		return []keys.Span{keys.PrefixSpan(key)}, err
	}
	before := min(p.shard, len(values))
	key, err := p.append(key, 0, values[:before])
	if err != nil || before == len(values) {
		return []keys.Span{keys.PrefixSpan(key)}, err
	}
	var out []keys.Span
	part := &p.layout.parts[p.shard]
	for bucket := range p.Index.Shards {
		one, err := enc.AppendKey(append(bytes.Clone(key), part.before...), part.typ, part.desc, enc.Int(int64(bucket)))
		if err == nil {
			one, err = p.append(one, p.shard+1, values[before:])
		}
		if err != nil {
			return nil, err
		}
		out = append(out, keys.PrefixSpan(one))
	}
	return out, nil
}

// append appends values of the parts of the key from one on.
func (p *Path) append(key []byte, from int, values []*string) (_ []byte, err error) {
	for i, text := range values {
		part := &p.layout.parts[from+i]
		value := enc.Null()
		if text != nil {
			if value, err = enc.ParseText(part.typ, *text); err != nil {
				return nil, fmt.Errorf("column %q: %w", p.d.columns[part.cell].Name, err)
			}
		}
		if key, err = enc.AppendKey(append(key, part.before...), part.typ, part.desc, value); err != nil {
			return nil, fmt.Errorf("column %q: %w", p.d.columns[part.cell].Name, err)
		}
	}
	if from+len(values) == len(p.layout.parts) {
		key = append(key, p.layout.tail...)
	}
	return key, nil
}

// RowKey is the key, without family, of the row that a key-value pair of the
// index belongs to; nil if it is another table's, or says nothing of the row.
func (p *Path) RowKey(key, value []byte) []byte {
	columns := make([][]byte, len(p.layout.parts))
	rest, whose := p.layout.split(key, columns)
	if whose != mine {
		return nil
	}
	if p.entry == nil {
		return bytes.Clone(key[:len(key)-len(rest)])
	}
	extra := rest
	if _, isFamily := family(rest); isFamily && len(p.entry.extra) > 0 {
		if len(value) < enc.ValueHeader || enc.Tag(value[4]) != enc.TagBytes {
			return nil // another family of the entry, or a tombstone
		}
		extra = value[enc.ValueHeader:]
	}
	return p.rowKey(columns, extra)
}

// Rows is a function that gives the key, without family, of the row that a key of
// the table belongs to; nil if it is another table's. It serves one goroutine.
func (d *Decoder) Rows() func(key []byte) []byte {
	columns := make([][]byte, len(d.primary.parts))
	return func(key []byte) []byte {
		rest, whose := d.primary.split(key, columns)
		if whose != mine {
			return nil
		}
		return key[:len(key)-len(rest)]
	}
}

// rowKey puts a row's key together from what an entry has of it.
func (p *Path) rowKey(columns [][]byte, extra []byte) []byte {
	type place struct {
		key  []byte
		desc bool
	}
	found := map[int]place{}
	for i, part := range p.layout.parts {
		found[part.cell] = place{columns[i], part.desc}
	}
	for _, part := range p.entry.extra {
		rest, err := enc.SkipKey(part.typ, false, extra)
		if err != nil {
			return nil
		}
		found[part.cell] = place{key: extra[:len(extra)-len(rest)]}
		extra = rest
	}
	out := bytes.Clone(p.d.primary.prefix)
	for i := range p.d.primary.parts {
		part := &p.d.primary.parts[i]
		at, ok := found[part.cell]
		if !ok {
			return nil
		}
		out = append(out, part.before...)
		if at.desc == part.desc {
			out = append(out, at.key...)
			continue
		}
		var err error
		if out, _, err = enc.KeyFromKey(out, part.typ, part.desc, at.key, at.desc); err != nil {
			return nil
		}
	}
	return append(out, p.d.primary.tail...)
}
