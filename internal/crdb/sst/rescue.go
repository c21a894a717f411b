package sst

import (
	"context"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// search lists the blocks in a stretch of the file.
func (t *Table) search(ctx context.Context, from, to int64) ([]found, error) {
	var list []found
	if t.checksum != checksumCRC32C {
		return nil, nil
	}
	own := &blocks{t: t}
	defer own.close()
	s := &scanner{b: own, end: to}
	var hit found
	s.accept = func(h handle, contents []byte, certain bool) bool {
		hit = classify(contents)
		hit.handle = h
		return certain || hit.role != other || s.packed(h)
	}
	for from < to {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, ok, err := s.next(from)
		if err != nil || !ok {
			return list, err
		}
		list = append(list, hit)
		from = h.end()
	}
	return list, nil
}

// packed says whether a block in the scanner's buffer is compressed: that it
// unpacked says something then.
func (s *scanner) packed(h handle) bool { return s.buf[h.off+h.size-s.at] != plain }

// rescueAll reads a table whose footer or metaindex is lost.
func (t *Table) rescueAll(ctx context.Context, b *blocks, foot *footer) error {
	to := t.size
	if foot != nil {
		to -= foot.size
	} else {
		t.checksum = checksumCRC32C // CockroachDB never wrote the other
	}
	list, err := t.search(ctx, 0, to)
	if err != nil {
		return err
	}
	t.indexes(b, list)
	if foot == nil {
		t.guessFormat(list)
	}
	if err := t.rescueMeta(b, list); err != nil {
		return err
	}
	if foot != nil {
		return t.loadIndex(ctx, b, foot.index, min(foot.index.off, foot.meta.off))
	}
	t.addFound(list, 0, t.size, nil)
	return nil
}

// indexes tells row indexes from data: all values of an index are handles of
// blocks that lie one behind the other.
func (t *Table) indexes(b *blocks, list []found) {
	at := map[handle]bool{}
	for _, f := range list {
		at[f.handle] = true
	}
	for i := range list {
		f := &list[i]
		if f.role != entries || f.columnar {
			continue
		}
		var before handle
		n, exact := 0, true
		data, err := b.read(f.handle, 0)
		if err == nil {
			err = rowPairs(data, func(_, value []byte) error {
				h, used := readHandle(value, f.off)
				if used == 0 || (n > 0 && h.off != before.end()) {
					return errRow
				}
				before, exact = h, exact && used == len(value)
				n++
				return nil
			})
		}
		if err == nil && (n > 1 || exact || at[before]) {
			f.role = index
		}
	}
}

// guessFormat concludes from the blocks what the footer would have said. Formats
// whose data blocks look alike are read alike.
func (t *Table) guessFormat(list []found) {
	sets, marks := 0, 0
	t.format = RocksDBv2
	for _, f := range list {
		if f.role == entries {
			sets, marks = sets+f.sets, marks+f.marks
			if f.columnar {
				t.format = Pebblev5
			}
		}
	}
	if !t.format.columnar() && sets > 0 && sets == marks {
		t.format, t.prefixed = Pebblev3, true
	}
	t.props.Format = t.format
}

// rescueMeta takes over what the metaindex would have pointed to.
func (t *Table) rescueMeta(b *blocks, list []found) error {
	for _, f := range list {
		if f.role != directory {
			continue
		}
		if data, err := b.read(f.handle, 0); err == nil {
			if meta, err := pairsOf(data); err == nil {
				return t.loadMeta(b, meta)
			}
		}
	}
	complete := t.o.NoRanges // otherwise the properties say how many deletions of ranges there are
	for _, f := range list {
		if f.role != pairs {
			continue
		}
		if data, err := b.read(f.handle, 0); err == nil && t.setProperties(data) == nil {
			if complete = true; t.supported() != nil {
				return t.supported()
			}
		}
	}
	for _, f := range list {
		if f.role == spans || f.role == other {
			t.rescueOther(b, f, list)
		}
	}
	if !complete || t.props.RangeDels+t.props.RangeKeys > uint64(len(t.rangeDels)+len(t.rangeKeys)) {
		t.damage = append(t.damage, t.damaged(handle{-1, -1}, t.limits, "deletions of ranges may be missing with the metaindex"))
	}
	return nil
}

func (t *Table) rescueOther(b *blocks, f found, list []found) {
	data, err := b.read(f.handle, 0)
	if err == nil && f.role == spans {
		err = t.addSpans(aligned(data))
	}
	if err != nil {
		t.damage = append(t.damage, t.damaged(f.handle, t.limits, err.Error()))
	} else if f.role == other {
		t.guessValues(data, list)
	}
}

// guessValues takes a block for the index of the value blocks if with some
// widths it lists blocks that are there.
func (t *Table) guessValues(data []byte, list []found) {
	at := map[handle]bool{}
	for _, f := range list {
		at[f.handle] = f.role == other
	}
	for widths := range 4 * 6 * 4 {
		w := [3]byte{byte(widths%4 + 1), byte(widths/4%6 + 1), byte(widths/24 + 1)}
		values, err := valueIndex(data, w, t.size)
		if err != nil || len(values) == 0 {
			continue
		}
		known := 0
		for _, h := range values {
			if at[h] {
				known++
			}
		}
		if known > 0 && known >= len(values)/2 {
			t.values = values
		}
	}
}

// rescueData searches a stretch of the file for data blocks whose index is lost.
// No key of them lies behind last, if that is known.
func (t *Table) rescueData(ctx context.Context, b *blocks, from, to int64, last []byte) error {
	if t.checksum != checksumCRC32C {
		t.gap(from, to, last, "blocks without index, and of checksums that do not show where they begin")
		t.nameGaps(len(t.pieces) - 1)
		return nil
	}
	list, err := t.search(ctx, from, to)
	if err != nil {
		return err
	}
	t.indexes(b, list)
	for _, f := range list {
		if f.role == entries && f.columnar != t.format.columnar() { // one bit of the footer
			t.guessFormat(list)
			break
		}
	}
	t.addFound(list, from, to, last)
	return nil
}

const missing = "no block was found here"

// addFound makes pieces of the data blocks that were found in a stretch of the
// file, and of the gaps between them. Data comes first in a table: behind the
// first block that is none there is nothing more of it.
func (t *Table) addFound(list []found, from, to int64, last []byte) {
	first, ended := len(t.pieces), false
	var before []byte // the engine key that ends the block before
	for _, f := range list {
		if ended = f.role != entries; ended {
			to = f.off
			break
		}
		if before != nil && keys.Compare(before, f.first) > 0 {
			continue
		}
		if f.off > from {
			t.gap(from, f.off, t.synthetic(userKey(f.first)), missing)
		}
		t.pieces = append(t.pieces, piece{handle: f.handle, first: t.synthetic(userKey(f.first)), last: t.synthetic(userKey(f.last))})
		from, before = f.end(), f.last
	}
	if from < to || (!ended && to == t.size) { // a file may have been cut between two blocks
		t.gap(from, to, last, missing)
	}
	t.nameGaps(first)
}

// gap makes a piece of a stretch of the file that should have been blocks.
func (t *Table) gap(from, to int64, last []byte, why string) {
	t.pieces = append(t.pieces, piece{handle: handle{from, to - from}, last: last, gap: why})
}

// nameGaps makes damage of the gaps among the last pieces.
func (t *Table) nameGaps(first int) {
	for i := first; i < len(t.pieces); i++ {
		if why := t.pieces[i].gap; why != "" {
			t.damage = append(t.damage, t.lost(i, why))
		}
	}
}
