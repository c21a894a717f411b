package rows

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// ReadEntries counts the entries of an index which a source has. They may be cut
// anywhere.
func (d *Decoder) ReadEntries(ctx context.Context, index uint32, src Source) (Result, error) {
	ix := d.index(index)
	if ix == nil || ix.Check == No {
		return Result{}, fmt.Errorf("count index %d of table %q: it cannot be checked", index, d.name)
	}
	w := newEntryWalk(d, ix)
	err := w.walk(ctx, src)
	return w.res, err
}

func (d *Decoder) index(id uint32) *Index {
	for _, ix := range d.indexes {
		if ix.ID == id {
			return ix
		}
	}
	return nil
}

// entryWalk is one walk over the entries of an index.
type entryWalk struct {
	d       *Decoder
	ix      *Index
	res     Result
	sum     *EntrySum
	each    func(w *entryWalk, key []byte, part uint64, hash uint64, data []byte) // looks at each part; may be nil
	among   bool                                                                  // other tables' keys
	columns [][]byte
	buf     []byte
}

func newEntryWalk(d *Decoder, ix *Index) *entryWalk {
	w := &entryWalk{d: d, ix: ix, among: ix.layout.interleaved(), columns: make([][]byte, len(ix.layout.parts)), buf: make([]byte, lead, 4<<10)}
	w.sum = w.res.entry(ix.ID)
	return w
}

func (w *entryWalk) walk(ctx context.Context, src Source) error {
	for n := 1; src.Next(); n++ {
		if n%heartbeat == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		w.pair(src.Key(), src.Value(), src.Doubt())
	}
	return src.Err()
}

// pair takes one key-value pair of an entry in: most entries are one pair.
func (w *entryWalk) pair(key, value []byte, unsettled bool) {
	if w.among {
		if _, whose := w.ix.layout.split(key, w.columns); whose == other {
			return
		}
	}
	w.res.Pairs++
	w.res.Bytes += int64(len(key) + len(value))
	if unsettled {
		w.doubt(key, Unsettled, "a transaction wrote this entry whose outcome cannot be known")
	}
	if len(value) < enc.ValueHeader {
		w.doubt(key, Undecodable, "the value is too short to be one")
		return
	}
	w.buf = append(append(w.buf[:lead], key...), value[4:]...)
	if !w.res.checksum(binary.BigEndian.Uint32(value), w.buf, lead) {
		w.doubt(key, BadChecksum, "the value is not what was written")
	}
	entry, family, ok := cutFamily(key)
	if !ok || !bytes.HasPrefix(entry, w.ix.layout.prefix) {
		w.doubt(key, Undecodable, "the key is no entry of the index")
		return
	}
	if w.ix.inverted >= 0 && w.ambiguous(entry) {
		return
	}
	hash := xxhash.Sum64(entry)
	if family == 0 {
		w.sum.Have++
		w.add(entry, 0, hash, nil)
	}
	if err := w.content(entry, hash, enc.Tag(value[4]), value[5:], family); err != nil {
		w.doubt(key, Undecodable, err.Error())
	}
}

// ambiguous says that an entry of an inverted index is one that not all releases
// write, so that rows do not ask for it.
func (w *entryWalk) ambiguous(entry []byte) bool {
	rest, whose := w.ix.layout.split(entry, w.columns)
	return whose == mine && enc.Ambiguous(&w.d.columns[w.ix.inverted].Type, rest)
}

// content counts what an entry's value has: of a unique index the rest of the
// primary key, and columns.
func (w *entryWalk) content(entry []byte, hash uint64, tag enc.Tag, data []byte, family uint32) error {
	if tag != enc.TagTuple && tag != enc.TagBytes {
		return fmt.Errorf("an entry's value has the tag %d", tag)
	}
	if w.ix.unique && len(w.ix.extra) > 0 && family == 0 && tag == enc.TagBytes {
		rest := data
		for i := range w.ix.extra {
			var err error
			if rest, err = enc.SkipKey(w.ix.extra[i].typ, false, rest); err != nil {
				return err
			}
		}
		extra := data[:len(data)-len(rest)]
		w.add(entry, extraPart, partHash(hash, extraPart, extra), extra)
		data = rest
	}
	var id uint32
	for len(data) > 0 {
		col, typ, payload, rest, ok := enc.NextValue(data, id)
		if !ok {
			return enc.TupleError(col, typ)
		}
		if col < uint32(len(w.ix.byColumn)) && w.ix.byColumn[col] && typ != enc.NullValue {
			column := columnPart(col, typ)
			w.add(entry, column, partHash(hash, column, payload), payload)
		}
		id, data = col, rest
	}
	return nil
}

func (w *entryWalk) add(entry []byte, part, hash uint64, data []byte) {
	w.sum.HaveSum += hash
	if w.each != nil {
		w.each(w, entry, part, hash, data)
	}
}

func (w *entryWalk) doubt(key []byte, reason Reason, why string) {
	w.res.doubt(Doubt{Table: w.d.name, Index: w.ix.ID, Reason: reason, Why: why, Span: only(key)})
}
