package sst

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// The names under which the metaindex knows the other blocks.
const (
	metaProperties = "rocksdb.properties"
	metaRangeDel   = "rocksdb.range_del2"
	metaRangeDelV1 = "rocksdb.range_del" // RocksDB before fragments; read alike
	metaRangeKey   = "pebble.range_key"
	metaValueIndex = "pebble.value_index"
)

// load reads footer, metaindex, properties, range blocks and index. What it
// cannot read it searches (rescue), or names.
func (t *Table) load(ctx context.Context) error {
	b := &blocks{t: t}
	defer b.close()
	n := min(t.size, footerPebblev7)
	tail, err := b.stretch(t.size-n, n, t.size)
	if err != nil {
		return err
	}
	foot, err := readFooter(tail, t.size)
	if errors.Is(err, ErrFormat) {
		return err
	}
	if err != nil {
		t.damage = append(t.damage, t.damaged(handle{max(0, t.size-footerPebblev7), n}, noKeys(), err.Error()))
		return t.rescueAll(ctx, b, nil)
	}
	t.format, t.checksum, t.prefixed = foot.format, foot.checksum, foot.format >= Pebblev3 && !foot.format.columnar()
	t.props.Format = t.format
	meta, err := metaindex(b, foot.meta)
	if err != nil {
		t.damage = append(t.damage, t.damaged(foot.meta, noKeys(), "metaindex: "+err.Error()))
		return t.rescueAll(ctx, b, &foot)
	}
	if err := t.loadMeta(b, meta); err != nil {
		return err
	}
	return t.loadIndex(ctx, b, foot.index, dataEnd(foot, meta))
}

// dataEnd is the first byte that cannot belong to a data block.
func dataEnd(foot footer, meta map[string][]byte) int64 {
	end := min(foot.index.off, foot.meta.off)
	for _, value := range meta {
		if h, n := readHandle(value, foot.meta.off); n > 0 {
			end = min(end, h.off)
		}
	}
	return end
}

// metaindex reads the names of the other blocks and their handles.
func metaindex(b *blocks, h handle) (map[string][]byte, error) {
	data, err := b.read(h, 0)
	if err != nil {
		return nil, err
	}
	return pairsOf(data)
}

// pairsOf reads a block of names and values. The metaindex is columnar from
// Pebble v6 on, the properties from v7 on; the block itself shows which it is.
func pairsOf(data []byte) (map[string][]byte, error) {
	all := map[string][]byte{}
	add := func(name, value []byte) error {
		all[string(name)] = bytes.Clone(value)
		return nil
	}
	if _, ok := columnsHold(data, 0, 2); ok {
		return all, columnPairs(aligned(data), add)
	}
	return all, rowPairs(data, add)
}

func rowPairs(data []byte, each func(name, value []byte) error) error {
	var c rowCursor
	if err := c.reset(data); err != nil {
		return err
	}
	for c.next() {
		if err := each(c.key, c.value); err != nil {
			return err
		}
	}
	if c.bad {
		return errRow
	}
	return nil
}

// aligned is data at an address that the columnar decoders accept.
func aligned(data []byte) []byte { return bytes.Clone(data) }

// loadMeta reads properties, range blocks and the value index.
func (t *Table) loadMeta(b *blocks, meta map[string][]byte) error {
	if value, ok := meta[metaProperties]; ok {
		if err := t.loadProperties(b, value); err != nil {
			t.damage = append(t.damage, t.damaged(handle{-1, -1}, noKeys(), "properties: "+err.Error()))
		}
	}
	if err := t.supported(); err != nil {
		return err
	}
	dels := metaRangeDel
	if meta[dels] == nil {
		dels = metaRangeDelV1
	}
	for _, name := range []string{dels, metaRangeKey} {
		value, ok := meta[name]
		if !ok {
			continue
		}
		h, n := readHandle(value, t.size)
		data, err := b.read(h, 0)
		if err == nil && n > 0 {
			err = t.addSpans(aligned(data))
		}
		if err != nil || n == 0 {
			t.damage = append(t.damage, t.damaged(h, t.limits, fmt.Sprintf("deletions of ranges (%s): %v", name, err)))
		}
	}
	if value, ok := meta[metaValueIndex]; ok {
		if err := t.loadValues(b, value); err != nil {
			t.damage = append(t.damage, t.damaged(handle{-1, -1}, noKeys(), "index of the value blocks: "+err.Error()))
		}
	}
	return nil
}

// supported refuses what the properties say cannot be read, and takes over what
// they say of the sequence numbers.
func (t *Table) supported() error {
	if t.props.KeySchema != "" && t.props.KeySchema != schemaName {
		return fmt.Errorf("key schema %q: %w", t.props.KeySchema, ErrFormat)
	}
	if t.props.BlobValues > 0 {
		return fmt.Errorf("%d values in blob files (value separation): %w", t.props.BlobValues, ErrFormat)
	}
	if t.o.SeqNum == nil && t.props.GlobalSeqNum != nil && *t.props.GlobalSeqNum != 0 {
		t.o.SeqNum = t.props.GlobalSeqNum
	}
	return nil
}

func (t *Table) loadProperties(b *blocks, value []byte) error {
	h, n := readHandle(value, t.size)
	if n == 0 {
		return errRow
	}
	data, err := b.read(h, 0)
	if errors.Is(err, errChecksum) {
		raw, again := b.stretch(h.off, h.size+trailerLen, 0)
		if again != nil {
			return again
		}
		if unset := bytes.Clone(raw); !unsetSeqNum(unset) || verify(unset, t.checksum) != nil {
			return err
		}
		data = raw[:h.size]
	} else if err != nil {
		return err
	}
	return t.setProperties(data)
}

func (t *Table) setProperties(data []byte) error {
	pairs, err := pairsOf(data)
	if err != nil {
		return err
	}
	all := make(map[string]string, len(pairs))
	for name, value := range pairs {
		all[name] = string(value)
	}
	t.props = newProperties(t.format, all)
	return nil
}

// loadIndex lists the data blocks. Where the index, or a part of a two-level
// one, is broken, the stretch of the file that it spoke of is searched.
func (t *Table) loadIndex(ctx context.Context, b *blocks, h handle, end int64) error {
	top, err := t.indexBlock(b, h)
	if err != nil {
		t.damage = append(t.damage, t.damaged(h, noKeys(), "index: "+err.Error()))
		return t.rescueData(ctx, b, 0, end, nil)
	}
	if len(top) == 0 || top[0].off == 0 { // the first data block begins the file, hence this points to data
		t.pieces = top
		return t.ordered(ctx, b, end)
	}
	var at int64 // where the data blocks of the next part begin
	for i := range top {
		part, err := t.indexBlock(b, top[i].handle)
		if err == nil {
			t.pieces = append(t.pieces, part...)
			if len(part) > 0 {
				at = part[len(part)-1].end()
			}
			continue
		}
		t.damage = append(t.damage, t.damaged(top[i].handle, noKeys(), "part of the index: "+err.Error()))
		until := end
		for _, next := range top[i+1:] { // the next part that can be read says where this one's blocks end
			if part, err := t.indexBlock(b, next.handle); err == nil && len(part) > 0 {
				until = part[0].off
				break
			}
		}
		if err := t.rescueData(ctx, b, at, until, top[i].last); err != nil {
			return err
		}
		at = until
	}
	return t.ordered(ctx, b, end)
}

// indexBlock reads one block of the index.
func (t *Table) indexBlock(b *blocks, h handle) ([]piece, error) {
	data, err := b.read(h, 0)
	if err != nil {
		return nil, err
	}
	return t.indexEntries(data)
}

func (t *Table) indexEntries(data []byte) ([]piece, error) {
	var list []piece
	add := func(separator, value []byte) error {
		h, n := readHandle(value, t.size)
		if n == 0 {
			return errRow
		}
		list = append(list, piece{handle: h, last: t.synthetic(userKey(separator))})
		return nil
	}
	if t.format.columnar() {
		return list, columnIndex(aligned(data), add)
	}
	return list, rowPairs(data, func(key, value []byte) error {
		if len(key) < 8 {
			return errRow
		}
		return add(key[:len(key)-8], value)
	})
}

// ordered checks that the index lists blocks one after the other in the file and
// in the order of keys; one that does not is as good as none.
func (t *Table) ordered(ctx context.Context, b *blocks, end int64) error {
	for i := 1; i < len(t.pieces); i++ {
		p, before := &t.pieces[i], &t.pieces[i-1]
		if p.off < before.off || (before.last != nil && p.last != nil && bytes.Compare(before.last, p.last) > 0) {
			t.damage = append(t.damage, t.damaged(p.handle, noKeys(), "index: blocks out of order"))
			t.pieces = nil
			return t.rescueData(ctx, b, 0, end, nil)
		}
	}
	return nil
}
