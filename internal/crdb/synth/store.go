package synth

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// Where the sequence numbers of each place begin.
const (
	middleSeq = 1 << 24
	topSeq    = 1 << 40
	logSeq    = 1 << 48

	maxLog     = 64 << 20 // bytes
	logBatch   = 100      // entries
	maxTrapped = 200      // entries of the log that is obsolete
)

// store writes one store directory.
type store struct {
	dir    string
	number int // from 0
	spec   *Spec
	secret *secret
	salt   uint64
	next   uint64       // file number
	bytes  atomic.Int64 // a table is written by a goroutine of its own
	tables []tableMeta

	base, middle, top *level
	obsolete          uint64 // the number of a log that is no longer live
	trapped           []item
	log               *logFile
	logSeq            uint64
	batch             []item
	batchBytes        int
	seen              uint64 // entries so far
	last              []byte // the value before
	lastTable         []byte // and the beginning of its key
}

func newStore(dir string, number int, spec *Spec) (*store, error) {
	s := &store{dir: dir, number: number, spec: spec, salt: mix(spec.Seed + uint64(number)), next: 1, logSeq: logSeq}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("write the store: %w", err)
	}
	if len(spec.StoreKey) > 0 {
		var err error
		if s.secret, err = newSecret(spec.StoreKey, s.salt); err != nil {
			return nil, err
		}
	}
	s.base = &level{store: s, number: 6, zero: true}
	s.middle = &level{store: s, number: 5, seq: middleSeq}
	s.top = &level{store: s, number: 0, seq: topSeq}
	s.obsolete = s.take()
	n := s.take()
	out, err := s.create(fmt.Sprintf("%06d.log", n))
	s.log = &logFile{out: out, form: spec.Engine.chunks(), number: n}
	return s, err
}

// take is the next file number.
func (s *store) take() uint64 {
	s.next++
	return s.next - 1
}

// put takes one entry; entries come in the order of keys.
func (s *store) put(it item) error {
	if !it.in(s.number) {
		return nil
	}
	s.seen++
	h := mix(s.salt ^ s.seen)
	if it.fixed || it.place != anywhere || it.kind != set {
		if it.place == anywhere {
			it.place = inBase
		}
		return s.at(it.place, it)
	}
	where := s.choose(h)
	if !s.spec.Plain {
		if err := s.traps(it, where, mix(h)); err != nil {
			return err
		}
	}
	s.remember(it)
	return s.at(where, it)
}

// choose says where an entry goes: most into the lowest level.
func (s *store) choose(h uint64) place {
	share := s.spec.LogShare
	switch n := int(h % 1000); {
	case n < share && s.log.at < maxLog:
		return inLog
	case s.spec.Plain:
	case n < share+40:
		return inTop
	case n < share+240:
		return inMiddle
	}
	return inBase
}

// traps adds what an entry lies over: another value under the same key, or a
// newer version that was deleted physically. Only a reader that does not go by
// sequence numbers sees them.
func (s *store) traps(it item, where place, h uint64) error {
	user, version, err := keys.Split(it.key)
	if err != nil || len(version) == 0 || len(s.last) < 5 || !bytes.HasPrefix(user, s.lastTable) {
		return nil
	}
	switch {
	case where < inMiddle && h%4 == 0, where == inMiddle && h%8 == 0:
		under := item{key: it.key, value: s.wrong(user), kind: set}
		if h>>8%5 == 0 {
			under.kind, under.value = del, nil
		}
		s.trap(under)
		return s.at(inBase, under)
	case h%128 == 1:
		at, _ := keys.Version(version)
		at.Wall++
		ghost := item{key: keys.Append(nil, user, at), value: s.wrong(user), kind: set}
		if err := s.at(inBase, ghost); err != nil {
			return err
		}
		s.trap(ghost)
		ghost.kind, ghost.value = del, nil
		if h>>8%2 == 0 {
			ghost.kind = singleDel
		}
		return s.at([...]place{inMiddle, inTop, inLog}[h>>16%3], ghost)
	}
	return nil
}

// wrong is the value before, as if it were of this key.
func (s *store) wrong(user []byte) []byte {
	v := bytes.Clone(s.last)
	enc.SetChecksum(user, v)
	return v
}

func (s *store) remember(it item) {
	s.last = append(s.last[:0], it.value...)
	s.lastTable = append(s.lastTable[:0], it.key[:min(5, len(it.key))]...)
}

// trap keeps an entry for the obsolete log, which nobody may read.
func (s *store) trap(it item) {
	if len(s.trapped) < maxTrapped {
		s.trapped = append(s.trapped, item{key: bytes.Clone(it.key), value: bytes.Clone(it.value), kind: it.kind})
	}
}

// at writes an entry to its place.
func (s *store) at(where place, it item) error {
	switch where {
	case inLog:
		s.batch = append(s.batch, item{key: bytes.Clone(it.key), value: bytes.Clone(it.value), kind: it.kind})
		if s.batchBytes += len(it.key) + len(it.value); len(s.batch) < logBatch && s.batchBytes < 1<<20 {
			return nil
		}
		return s.flush()
	case inTop:
		return s.top.add(it.kind, it.key, it.value)
	case inMiddle:
		return s.middle.add(it.kind, it.key, it.value)
	}
	return s.base.add(it.kind, it.key, it.value)
}

// flush writes the batch at hand to the log.
func (s *store) flush() error {
	if len(s.batch) == 0 {
		return nil
	}
	repr := batchOf(s.logSeq, s.batch)
	s.logSeq += uint64(len(s.batch))
	s.batch, s.batchBytes = s.batch[:0], 0
	return s.log.append(repr)
}

// ingest writes a table of range deletions or range keys, whose sequence number
// only the MANIFEST has.
func (s *store) ingest(ranges []item) error {
	number := s.take()
	w, err := s.table(number)
	if err != nil {
		return err
	}
	for _, r := range ranges {
		if r.kind == rangeDel {
			err = w.DeleteRange(r.key, r.value)
		} else {
			err = w.RangeKeySet(r.key, r.value, keys.Append(nil, nil, r.at)[1:], nil)
		}
		if err != nil {
			return err
		}
	}
	s.top.seq++
	seq := s.top.seq
	return s.finish(w, 0, number, func(m *tableMeta) { m.smallestSeq, m.largestSeq = seq, seq })
}

// local writes the local keys as a table of the lowest level. A third of them has
// another key's value there, and its own in the log.
func (s *store) local(items []item) error {
	if err := s.base.end(); err != nil {
		return err
	}
	var before []byte
	for i, it := range items {
		if !it.in(s.number) {
			continue
		}
		if !s.spec.Plain && before != nil && mix(s.salt+uint64(i))%3 == 0 {
			if err := s.at(inLog, it); err != nil {
				return err
			}
			it.value = before
		}
		before = items[i].value
		if err := s.at(inBase, it); err != nil {
			return err
		}
	}
	return nil
}

// close writes what is left, and the files that say what the store is.
func (s *store) close() error {
	for _, l := range []*level{s.base, s.middle, s.top} {
		if err := l.end(); err != nil {
			return err
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.log.out.Finish(); err != nil {
		return err
	}
	if err := s.writeObsolete(); err != nil {
		return err
	}
	if err := s.whole(fmt.Sprintf("OPTIONS-%06d", s.take()), []byte(s.spec.Engine.options())); err != nil {
		return err
	}
	slices.SortStableFunc(s.tables, func(a, b tableMeta) int { return a.level - b.level })
	if err := s.writeManifest(s.log.number, logSeq-1); err != nil {
		return err
	}
	if err := s.writeVersion(); err != nil {
		return err
	}
	return s.writeSecret()
}

// writeObsolete writes a log that a flush made obsolete.
func (s *store) writeObsolete() error {
	if len(s.trapped) == 0 {
		return nil
	}
	out, err := s.create(fmt.Sprintf("%06d.log", s.obsolete))
	if err != nil {
		return err
	}
	l := &logFile{out: out, form: s.spec.Engine.chunks(), number: s.obsolete}
	if err := l.append(batchOf(1, s.trapped)); err != nil {
		return err
	}
	return out.Finish()
}

// writeVersion writes the files that name the release.
func (s *store) writeVersion() error {
	major, minor := s.spec.Engine.clusterVersion()
	if s.spec.Engine == RocksDB {
		if err := s.plainFile("IDENTITY", []byte("c0c0c0c0-synthetic\n")); err != nil {
			return err
		}
	}
	if s.spec.Engine.version() == 1 {
		return nil
	}
	return s.whole("STORAGE_MIN_VERSION", wire.Message(nil).Int(1, major).Int(2, minor))
}
