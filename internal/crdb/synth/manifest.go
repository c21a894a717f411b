package synth

import (
	"encoding/binary"
	"fmt"
)

// Tags of a version edit.
const (
	tagComparer      = 1
	tagLogNumber     = 2
	tagNextFile      = 3
	tagLastSeq       = 4
	tagCompactCursor = 5
	tagDeletedFile   = 6
	tagNewFile       = 7 // without sequence numbers
	tagPrevLog       = 9
	tagNewFile2      = 100
	tagNewFile4      = 103 // with fields of its own
	tagNewFile5      = 104 // with range keys
	tagFamily        = 200
	tagFamilyAdd     = 201
	tagFamilyDrop    = 202
	tagMaxFamily     = 203

	customTerminate = 1
	customCreated   = 6
)

// edit is a version edit in the making.
type edit []byte

func (e edit) uint(values ...uint64) edit {
	for _, v := range values {
		e = binary.AppendUvarint(e, v)
	}
	return e
}

func (e edit) bytes(b []byte) edit { return append(e.uint(uint64(len(b))), b...) }

// newFile appends a table.
func (e edit) newFile(t tableMeta) edit {
	switch {
	case t.fromRange != nil:
		return e.newFile5(t)
	case t.number%2 == 0:
		e = e.uint(tagNewFile4, uint64(t.level), t.number, t.size).bytes(t.smallest).bytes(t.largest).uint(t.smallestSeq, t.largestSeq)
		created := binary.AppendUvarint(nil, 1_600_000_000+t.number)
		return e.uint(customCreated).bytes(created).uint(customTerminate)
	}
	return e.uint(tagNewFile2, uint64(t.level), t.number, t.size).bytes(t.smallest).bytes(t.largest).uint(t.smallestSeq, t.largestSeq)
}

// newFile5 appends a table that has range keys and no points.
func (e edit) newFile5(t tableMeta) edit {
	const noPoints = 0
	e = append(e.uint(tagNewFile5, uint64(t.level), t.number, t.size), noPoints)
	return e.bytes(t.fromRange).bytes(t.toRange).uint(t.smallestSeq, t.largestSeq, customTerminate)
}

// writeManifest writes the MANIFEST: what a store's life leaves in it, in the end
// the live tables.
func (s *store) writeManifest(logNumber, lastSeq uint64) error {
	name := fmt.Sprintf("MANIFEST-%06d", s.take())
	gone := s.take() // a table that was there once
	next := s.take()
	out, err := s.create(name)
	if err != nil {
		return err
	}
	l := &logFile{out: out}
	edits := []edit{edit(nil).uint(tagComparer).bytes([]byte("cockroach_comparator")).uint(tagNextFile, 2, tagLastSeq, 0)}
	edits = append(edits, s.history(gone)...)
	tables := s.tables
	for len(tables) > 0 {
		n := min(len(tables), 50)
		e := edit(nil).uint(tagNextFile, next)
		for _, t := range tables[:n] {
			e = e.newFile(t)
		}
		edits, tables = append(edits, e), tables[n:]
	}
	edits = append(edits, edit(nil).uint(tagLogNumber, logNumber, tagNextFile, next, tagLastSeq, lastSeq))
	for _, e := range edits {
		if err := l.append(e); err != nil {
			return err
		}
	}
	if err := out.Finish(); err != nil {
		return err
	}
	return s.pointTo(name)
}

// history is edits that the later ones overtake.
func (s *store) history(gone uint64) []edit {
	t := s.tables[0]
	old := tableMeta{level: 4, number: gone, size: 4711, smallest: t.smallest, largest: t.largest, smallestSeq: 1, largestSeq: 2}
	edits := []edit{
		edit(nil).uint(tagNextFile, gone+1).newFile(old),
		edit(nil).uint(tagDeletedFile, 4, gone),
	}
	if s.spec.Engine != RocksDB {
		return edits
	}
	first := edit(nil).uint(tagPrevLog, 0, tagNewFile, 1, gone, 4711).bytes(t.smallest).bytes(t.largest)
	return append(edits,
		first.uint(tagCompactCursor, 1).bytes(t.smallest),
		edit(nil).uint(tagDeletedFile, 1, gone),
		edit(nil).uint(tagFamily, 1, tagFamilyAdd).bytes([]byte("former")).uint(tagLogNumber, 1, tagMaxFamily, 1),
		edit(nil).uint(tagFamily, 1).newFile(old),
		edit(nil).uint(tagFamily, 1, tagFamilyDrop),
	)
}

// pointTo writes what says which MANIFEST is live, and of which format the store is.
func (s *store) pointTo(manifest string) error {
	if s.spec.Engine.version() == 1 {
		return s.plainFile("CURRENT", []byte(manifest+"\n"))
	}
	if err := s.plainFile(fmt.Sprintf("marker.format-version.%06d.%03d", s.spec.Engine.version(), s.spec.Engine.version()), nil); err != nil {
		return err
	}
	return s.plainFile("marker.manifest.000001."+manifest, nil)
}
