package synth

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
)

const mergerName = "cockroach_merge_operator"

// tableMeta is what the MANIFEST says of a table.
type tableMeta struct {
	level                   int
	number                  uint64
	size                    uint64
	smallest, largest       []byte // of points and range deletions, internal keys
	fromRange, toRange      []byte // of range keys
	smallestSeq, largestSeq uint64
}

// level writes the tables of one level, one behind the other.
type level struct {
	store  *store
	number int  // in the LSM
	zero   bool // entries have no sequence numbers of their own
	seq    uint64
	tables int // how many were begun

	w        *sstable.Writer
	file     uint64
	ingested bool
	first    uint64 // sequence number, of an ingested table the one of all
	entries  int
}

// add appends an entry.
func (l *level) add(k kind, key, value []byte) error {
	if l.w == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	l.entries++
	seq := uint64(0)
	if !l.zero && !l.ingested {
		l.seq++
		seq = l.seq
	}
	ik := sstable.InternalKey{UserKey: key, Trailer: pebble.InternalKeyTrailer(seq<<8 | uint64(k))}
	if err := l.w.Raw().Add(ik, value, false); err != nil {
		return fmt.Errorf("write table %d: %w", l.file, err)
	}
	if l.entries%64 == 0 && l.w.Raw().EstimatedSize() >= uint64(l.store.spec.TableSize) {
		return l.end()
	}
	return nil
}

// begin opens the next table. Of a level above the lowest every third one is an
// ingested one: its entries have no sequence number, the MANIFEST gives them one.
func (l *level) begin() (err error) {
	l.file = l.store.take()
	l.tables++
	l.ingested = !l.zero && !l.store.spec.Plain && l.tables%3 == 1
	l.seq++
	l.first, l.entries = l.seq, 0
	l.w, err = l.store.table(l.file)
	return err
}

// end closes the table at hand.
func (l *level) end() error {
	if l.w == nil {
		return nil
	}
	w := l.w
	l.w = nil
	return l.store.finish(w, l.number, l.file, func(m *tableMeta) {
		switch {
		case l.zero:
		case l.ingested:
			m.smallestSeq, m.largestSeq = l.first, l.first
		default:
			m.smallestSeq, m.largestSeq = l.first+1, l.seq
			if m.smallestSeq == m.largestSeq { // would be read as an ingested table's
				m.largestSeq++
				l.seq++
			}
		}
	})
}

// table opens a table file.
func (s *store) table(number uint64) (*sstable.Writer, error) {
	out, err := s.create(fmt.Sprintf("%06d.sst", number))
	if err != nil {
		return nil, err
	}
	return sstable.NewWriter(out, s.spec.Engine.tableOptions()), nil
}

func (e Engine) tableOptions() sstable.WriterOptions {
	schema := cockroachkvs.KeySchema
	return sstable.WriterOptions{
		Comparer: &cockroachkvs.Comparer, MergerName: mergerName, KeySchema: &schema, BlockSize: 32 << 10, IndexBlockSize: 256 << 10,
		Compression: sstable.SnappyCompression, TableFormat: e.tableFormat(),
	}
}

// finish closes a table and puts it on the MANIFEST's list.
func (s *store) finish(w *sstable.Writer, level int, number uint64, seqs func(*tableMeta)) error {
	if err := w.Close(); err != nil {
		return fmt.Errorf("close table %d: %w", number, err)
	}
	m, err := w.Metadata()
	if err != nil {
		return fmt.Errorf("close table %d: %w", number, err)
	}
	t := tableMeta{level: level, number: number, size: m.Size}
	if m.HasPointKeys {
		t.smallest, t.largest = encoded(m.SmallestPoint), encoded(m.LargestPoint)
	}
	if m.HasRangeDelKeys {
		t.smallest, t.largest = outer(t.smallest, t.largest, m.SmallestRangeDel, m.LargestRangeDel)
	}
	if m.HasRangeKeys {
		t.fromRange, t.toRange = encoded(m.SmallestRangeKey), encoded(m.LargestRangeKey)
	}
	seqs(&t)
	t.reseq()
	s.tables = append(s.tables, t)
	return nil
}

// reseq makes the bounds of an ingested table those with its sequence number.
func (t *tableMeta) reseq() {
	if t.smallestSeq != t.largestSeq {
		return
	}
	for _, key := range [][]byte{t.smallest, t.largest, t.fromRange, t.toRange} {
		if len(key) < 8 {
			continue
		}
		trailer := key[len(key)-8:]
		if trailer[7] == 0xff { // an exclusive bound keeps its mark
			continue
		}
		for i := range 7 {
			trailer[1+i] = byte(t.smallestSeq >> (8 * i))
		}
	}
}

// encoded is an internal key as it is stored.
func encoded(k sstable.InternalKey) []byte {
	out := make([]byte, len(k.UserKey)+8)
	copy(out, k.UserKey)
	for i := range 8 {
		out[len(k.UserKey)+i] = byte(uint64(k.Trailer) >> (8 * i))
	}
	return out
}

// outer widens bounds by those of range deletions.
func outer(smallest, largest []byte, from, to sstable.InternalKey) (s, l []byte) {
	if smallest == nil || cockroachkvs.Compare(from.UserKey, smallest[:len(smallest)-8]) < 0 {
		smallest = encoded(from)
	}
	if largest == nil || cockroachkvs.Compare(to.UserKey, largest[:len(largest)-8]) > 0 {
		largest = encoded(to)
	}
	return smallest, largest
}
