package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// WAL says what was read of one log.
type WAL struct {
	File    string `json:"file"`
	Bytes   int64  `json:"bytes"`
	Batches int64  `json:"batches"`
	First   uint64 `json:"first"` // sequence number of the first operation
	Last    uint64 `json:"last"`
}

// replay reads the live logs into the store's memory table, in the order of
// their writing.
func (s *Store) replay(ctx context.Context, logs []logFile) error {
	for i, f := range logs {
		if err := ctx.Err(); err != nil {
			return err
		}
		goesOn := i+1 < len(logs) && logs[i+1].number == f.number
		w, err := s.replayLog(f, i == len(logs)-1, goesOn)
		if err != nil {
			return fmt.Errorf("read log %q: %w", f.Name, err)
		}
		s.facts.WALs = append(s.facts.WALs, w)
	}
	if s.replayed > 0 {
		s.expect(s.replayed, s.version.lastSeq, "the newest log")
	}
	s.mem.freeze()
	return nil
}

// before is the last sequence number before a log. What a MANIFEST says may be
// the last one or the one after it; without one nothing is known.
func (s *Store) before() uint64 {
	switch {
	case s.replayed > 0:
		return s.replayed
	case s.version.edits > 0:
		return s.version.lastSeq + 1
	}
	return math.MaxUint64 - 1
}

// between is the first sequence number behind one that is in no log although the
// next one there is a higher one; that one if there is none. A table that is added
// takes a number as well.
func (s *Store) between(last, next uint64) uint64 {
	seq := last + 1
	for seq < next && s.version.ingested[seq] {
		seq++
	}
	return seq
}

// expect notes writes that are in no log although a higher sequence number than
// the last one that was read says that they were made.
func (s *Store) expect(last, next uint64, where string) {
	if seq := s.between(last, next); seq < next {
		s.loseLog(where, gap{offset: -1, size: -1, why: fmt.Sprintf("up to %d writes before number %d are in no log", next-seq, next)}, false)
	}
}

// replayLog reads one file of a log. Where it goes on in a further segment, that
// one repeats what was under way: whether all is there, the sequence numbers show.
func (s *Store) replayLog(f logFile, newest, goesOn bool) (WAL, error) {
	w := WAL{File: f.Name, Bytes: f.Size}
	file, err := f.fs.Open(f.Name)
	if err != nil {
		s.loseLog(f.Name, gap{offset: 0, size: f.Size, why: err.Error()}, newest)
		return w, nil
	}
	defer file.Close()
	l := newLogReader(file, file.Size(), f.number)
	l.reach = reach
	for named := 0; ; {
		record, offset, ok := l.next()
		for ; named < len(l.gaps); named++ { // before what was written behind them
			if g := l.gaps[named]; !g.tail || !goesOn {
				s.loseLog(f.Name, g, newest)
			}
		}
		if !ok {
			return w, nil
		}
		b, err := readBatch(record)
		if err != nil {
			s.loseLog(f.Name, gap{offset: offset, size: int64(len(record)), why: err.Error()}, newest)
			continue
		}
		if err := s.replayBatch(b, &w, l, newest); err != nil {
			return w, err
		}
		if b.err != nil {
			s.loseLog(f.Name, gap{offset: offset, size: int64(len(record)), why: b.err.Error()}, newest)
		}
	}
}

// replayBatch takes a batch. One that came before, as a log's next segment
// repeats it, is passed over.
func (s *Store) replayBatch(b *batch, w *WAL, l *logReader, newest bool) error {
	first := b.seq + 1
	if b.count > 0 && first+uint64(b.count)-1 <= s.replayed {
		return nil
	}
	if w.First == 0 && b.count > 0 {
		w.First = first
		s.expect(s.before(), first, w.File)
	} else if s.between(s.replayed, first) < first {
		clear(s.appended) // perhaps a table whose adding the MANIFEST has forgotten, perhaps a loss
	}
	for b.next() {
		if b.kind == ingest {
			s.ingest(b)
			continue
		}
		if h := b.holed(len(l.record), l.holes); h != nil {
			if err := s.loseValue(w.File, b, *h, newest); err != nil {
				return err
			}
			continue
		}
		s.append(b.kind, b.key)
		err := s.mem.add(b.kind, b.seq, b.key, b.value)
		if errors.Is(err, errBatch) {
			b.err = err
		} else if err != nil {
			return err
		}
	}
	if len(l.holes) > 0 && b.err == nil && b.seq+1 != first+uint64(b.count) {
		b.err = errBatch
	}
	w.Batches++
	w.Last, s.replayed = b.seq, max(s.replayed, b.seq)
	return nil
}

// ingest takes a table that was added through the log and that no MANIFEST
// names yet.
func (s *Store) ingest(b *batch) {
	c := cursor{data: b.key}
	n := c.uvarint()
	if c.err != nil {
		b.err = errBatch
		return
	}
	s.addTable(TableMeta{Number: n, Backing: n, Level: noLevel, Size: s.dir.tables[n].Size, SmallestSeq: b.seq, LargestSeq: b.seq, RangeKeys: true})
}

// append notes that an entry was appended to the Raft log of a range.
func (s *Store) append(kind sst.Kind, key []byte) {
	if kind != sst.Set || !bytes.HasPrefix(key, rangeIDKeys) {
		return
	}
	k, ok := keys.ParseRangeID(userOf(key))
	if ok && !k.Replicated && k.Suffix == keys.RaftLog && len(k.Detail) == 8 {
		s.appended[k.RangeID] = binary.BigEndian.Uint64(k.Detail)
	}
}

// rangeIDKeys is what all keys by range ID begin with.
var rangeIDKeys = []byte("\x01i")

// Appended is where the Raft logs of ranges end for certain: the index of the last
// entry of each one that was appended behind everything that the write-ahead logs
// lost. A Raft log ends with what was appended to it last: what else of it the
// damage took lies before that. Of a range that is not in it, the damage may
// have taken the end.
func (s *Store) Appended() map[uint64]uint64 { return s.appended }

// loseValue notes an operation whose value cannot be read. An entry of a Raft log
// that it replaced must not stand for it.
func (s *Store) loseValue(file string, b *batch, h hole, newest bool) error {
	switch b.kind {
	case logData:
		return nil
	case sst.Set, sst.SetWithDelete, sst.Merge:
	default: // the value is the end of a stretch of keys
		s.loseLog(file, gap{offset: h.offset, size: h.size, why: h.why}, newest)
		return nil
	}
	user := bytes.Clone(userOf(b.key))
	s.damage = append(s.damage, engine.Damage{Store: s.name, File: file, Offset: h.offset, Size: h.size,
		Span: keys.Span{From: user, To: append(user[:len(user):len(user)], 0)}, Why: h.why + "; it is within the value of one key"})
	k, ok := keys.ParseRangeID(user)
	if !ok || k.Suffix != keys.RaftLog {
		return nil
	}
	delete(s.appended, k.RangeID)
	return s.mem.add(sst.Delete, b.seq, b.key, nil)
}

// loseLog notes a stretch of a log that cannot be read. Which keys it held
// nobody knows; the end of any range's Raft log may be among them.
func (s *Store) loseLog(file string, g gap, newest bool) {
	if !g.torn || !newest {
		clear(s.appended)
	}
	s.damage = append(s.damage, engine.Damage{
		Store: s.name, File: file, Offset: g.offset, Size: g.size, Span: keys.Span{}, Torn: g.torn && newest,
		Why: g.why + "; which keys were written there is not known",
	})
}
