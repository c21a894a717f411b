package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// TableMeta is what the MANIFEST says of one live table.
type TableMeta struct {
	Number  uint64 // names the table; of a virtual one not its file
	Backing uint64 // the number in its file's name
	Level   int    // -1 where no MANIFEST says so
	Size    int64  // bytes, as the MANIFEST says
	// Smallest and Largest are the bounds as engine keys, both included; nil
	// where they are not known.
	Smallest, Largest       []byte
	SmallestSeq, LargestSeq uint64
	Virtual                 bool // Smallest and Largest restrict the file's keys
	Prefix, Suffix          []byte
	RangeKeys               bool
	Blobs                   []uint64 // blob files that hold values of it

	span keys.Span
	open bool // Largest itself is not in the table
}

// noLevel is the level of a table that no MANIFEST names.
const noLevel = -1

type tableRef struct {
	level  int
	number uint64
}

type blobMeta struct {
	id, file uint64
	size     int64
}

// edit is one record of a MANIFEST: what became of the store's set of files.
type edit struct {
	comparer        string
	logNumber       uint64 // logs before it are obsolete
	nextFile        uint64
	lastSeq         uint64
	hasLog, hasNext bool
	deleted         []tableRef
	added           []TableMeta
	backings        map[uint64]int64
	removedBackings []uint64
	blobs           []blobMeta
	removedBlobs    []blobMeta
	otherFamily     bool // of a RocksDB column family other than the default one
}

// Tags of a version edit. RocksDB's own ones are read over.
const (
	tagComparer        = 1
	tagLogNumber       = 2
	tagNextFile        = 3
	tagLastSeq         = 4
	tagCompactCursor   = 5
	tagDeletedFile     = 6
	tagNewFile         = 7
	tagPrevLog         = 9
	tagMinLogToKeep    = 10
	tagNewFile2        = 100
	tagNewFile3        = 102
	tagNewFile4        = 103
	tagNewFile5        = 104
	tagNewBacking      = 105
	tagRemovedBacking  = 106
	tagNewBlob         = 107
	tagRemovedBlob     = 108
	tagColumnFamily    = 200
	tagAddFamily       = 201
	tagDropFamily      = 202
	tagMaxFamily       = 203
	tagInAtomicGroup   = 300
	tagSafeIgnore      = 1 << 13 // RocksDB: such tags carry a length and may be passed over
	maxLevels          = 7
	customEnd          = 1
	customPath         = 65 // RocksDB's
	customVirtual      = 66
	customPrefix       = 67
	customSuffix       = 68
	customBlobs        = 69
	customMustBeKnown  = 1 << 6
	boundsHavePoints   = 1 // of the marker of tagNewFile5: there are point bounds
	boundSmallestPoint = 2
	boundLargestPoint  = 4
)

var errEdit = errors.New("not a version edit")

// cursor reads the fields of a version edit; the first that is not there sticks.
type cursor struct {
	data []byte
	err  error
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.data)
	if n <= 0 {
		c.data, c.err = nil, errEdit
		return 0
	}
	c.data = c.data[n:]
	return v
}

func (c *cursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.data)) {
		c.data, c.err = nil, errEdit
		return nil
	}
	out := c.data[:n:n]
	c.data = c.data[n:]
	return out
}

func (c *cursor) byte() byte {
	if len(c.data) == 0 {
		c.err = errEdit
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return b
}

func (c *cursor) level() int {
	l := c.uvarint()
	if l >= maxLevels {
		c.data, c.err = nil, errEdit
	}
	return int(l)
}

// parseEdit decodes a record of a MANIFEST. What it keeps of record is copied.
func parseEdit(record []byte) (*edit, error) {
	e := &edit{}
	c := &cursor{data: append([]byte(nil), record...)}
	for len(c.data) > 0 && c.err == nil {
		tag := c.uvarint()
		if c.err == nil {
			e.field(c, tag)
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return e, nil
}

func (e *edit) field(c *cursor, tag uint64) {
	switch tag {
	case tagComparer:
		e.comparer = string(c.bytes())
	case tagLogNumber:
		e.logNumber, e.hasLog = c.uvarint(), true
	case tagNextFile:
		e.nextFile, e.hasNext = c.uvarint(), true
	case tagLastSeq:
		e.lastSeq = c.uvarint()
	case tagCompactCursor:
		c.level()
		c.bytes()
	case tagDeletedFile:
		e.deleted = append(e.deleted, tableRef{c.level(), c.uvarint()})
	case tagNewFile, tagNewFile2, tagNewFile3, tagNewFile4, tagNewFile5:
		e.added = append(e.added, newFile(c, tag))
	case tagNewBacking:
		if e.backings == nil {
			e.backings = map[uint64]int64{}
		}
		file := c.uvarint()
		e.backings[file] = int64(c.uvarint())
	case tagRemovedBacking:
		e.removedBackings = append(e.removedBackings, c.uvarint())
	case tagNewBlob:
		b := blobMeta{id: c.uvarint(), file: c.uvarint(), size: int64(c.uvarint())}
		c.uvarint() // bytes of values
		c.uvarint() // creation time
		e.blobs = append(e.blobs, b)
	case tagRemovedBlob:
		e.removedBlobs = append(e.removedBlobs, blobMeta{id: c.uvarint(), file: c.uvarint()})
	default:
		e.rocksField(c, tag)
	}
}

// rocksField reads the fields that only RocksDB writes. A store of CockroachDB
// has one column family, number 0.
func (e *edit) rocksField(c *cursor, tag uint64) {
	switch {
	case tag == tagPrevLog, tag == tagMinLogToKeep, tag == tagMaxFamily, tag == tagInAtomicGroup:
		c.uvarint()
	case tag == tagColumnFamily:
		e.otherFamily = c.uvarint() != 0
	case tag == tagAddFamily:
		c.bytes()
	case tag == tagDropFamily:
	case tag&tagSafeIgnore != 0:
		c.bytes()
	default:
		c.data, c.err = nil, fmt.Errorf("%w: unknown field %d", errEdit, tag)
	}
}

func newFile(c *cursor, tag uint64) TableMeta {
	t := TableMeta{Level: c.level(), Number: c.uvarint()}
	t.Backing = t.Number
	if tag == tagNewFile3 {
		c.uvarint() // path
	}
	t.Size = int64(c.uvarint())
	if tag == tagNewFile5 {
		t.rangeBounds(c)
	} else {
		t.Smallest, _ = bound(c)
		t.Largest, t.open = bound(c)
	}
	if tag != tagNewFile {
		t.SmallestSeq, t.LargestSeq = c.uvarint(), c.uvarint()
	}
	if tag == tagNewFile4 || tag == tagNewFile5 {
		t.custom(c)
	}
	return t
}

// rangeBounds reads the bounds of a table with range keys: those of its points,
// if it has some, and those of the range keys; the wider counts on each side.
func (t *TableMeta) rangeBounds(c *cursor) {
	t.RangeKeys = true
	mark := c.byte()
	var from, to []byte
	var open bool
	if mark&boundsHavePoints != 0 {
		from, _ = bound(c)
		to, open = bound(c)
	}
	t.Smallest, _ = bound(c)
	t.Largest, t.open = bound(c)
	if mark&boundSmallestPoint != 0 && from != nil {
		t.Smallest = from
	}
	if mark&boundLargestPoint != 0 && to != nil {
		t.Largest, t.open = to, open
	}
}

// bound reads an internal key: an engine key, and eight bytes of sequence number
// and kind. The end of a range deletion or a range key, which itself is not in
// the table, has the highest sequence number there is.
func bound(c *cursor) (key []byte, open bool) {
	key = c.bytes()
	n := len(key) - 8
	if n < 0 {
		c.data, c.err = nil, errEdit
		return nil, false
	}
	trailer := binary.LittleEndian.Uint64(key[n:])
	kind := sst.Kind(trailer)
	open = trailer>>8 == 1<<56-1 && (kind == sst.RangeDelete || kind >= sst.RangeKeyDel && kind <= sst.RangeKeySet)
	return key[:n:n], open
}

func (t *TableMeta) custom(c *cursor) {
	for c.err == nil {
		switch tag := c.uvarint(); {
		case tag == customEnd:
			return
		case tag == customVirtual:
			t.Virtual, t.Backing = true, c.uvarint()
		case tag == customPrefix:
			t.Prefix = c.bytes()
		case tag == customSuffix:
			t.Suffix = c.bytes()
		case tag == customBlobs:
			c.uvarint() // depth
			for n := c.uvarint(); n > 0 && c.err == nil; n-- {
				t.Blobs = append(t.Blobs, c.uvarint())
				c.uvarint() // bytes of values
			}
		case tag&customMustBeKnown != 0 && tag != customPath && tag < tagSafeIgnore:
			c.data, c.err = nil, fmt.Errorf("%w: unknown property %d of a table", errEdit, tag)
		default:
			c.bytes()
		}
	}
}
