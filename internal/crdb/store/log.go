package store

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// The log format of LevelDB, RocksDB and Pebble: blocks of 32 KiB filled with
// chunks, none of which crosses the end of a block. A chunk is
// CRC(4) ‖ size(2) ‖ type(1) ‖ [log number(4)] ‖ [synced offset(8)] ‖ payload.
const (
	logBlock       = 32 << 10
	plainHeader    = 7  // types 1–4
	recycledHeader = 11 // types 5–8: with a log number
	syncedHeader   = 19 // types 9–12: and the offset up to which the log is on disk
)

// Where in its record a chunk stands: its type less one, modulo four.
const (
	fullChunk = iota
	firstChunk
	middleChunk
	lastChunk
)

// A gap is a stretch of a log that holds records which could not be read.
type gap struct {
	offset, size int64
	tail         bool // nothing of this log follows
	torn         bool // a tail as a crash leaves it: the last write is cut off
	why          string
}

// logReader walks the records of one log. It passes over what is damaged, to
// the next chunk of the same log, and keeps the gaps.
type logReader struct {
	file   io.ReaderAt
	size   int64
	number uint32 // the log's own number; a recycled file ends in an older one's chunks

	block  []byte // the current block,
	at     int64  // its offset
	pos    int    // and the next chunk in it
	record []byte
	good   int64  // the end of the last record that was read
	why    string // what is wrong behind it, if something is
	synced int64  // the highest offset that a chunk promised to be on disk
	stale  bool   // chunks of another log stand behind good
	gaps   []gap

	// reach, if it is set, says how long a record is at least, by what its first
	// bytes say. What is damaged within that length does not end the record.
	reach  func(record []byte) int
	last   chunk  // of the record
	before string // what was wrong before it
	holes  []hole // in it

	numbered bool // the chunks of this log have its number
}

func newLogReader(file io.ReaderAt, size int64, number uint64) *logReader {
	return &logReader{file: file, size: size, number: uint32(number), at: -logBlock}
}

// next gives the next whole record, valid until the next call, and its offset;
// false at the end of what can be read.
func (l *logReader) next() (record []byte, offset int64, ok bool) {
	open := false
	for {
		c, broken, more := l.chunk()
		if !more {
			l.finish(open)
			return nil, 0, false
		}
		open = open && (!broken || l.bridge(c))
		if c.place == fullChunk || c.place == firstChunk {
			if open {
				l.wrong("a record has no end")
			}
			open, offset, l.record = true, c.offset, l.record[:0]
			l.before, l.holes = l.why, l.holes[:0]
		} else if !open {
			l.wrong("a record has no beginning")
			continue
		}
		l.record, l.last = append(l.record, c.payload...), c
		if c.place == middleChunk || c.place == firstChunk {
			continue
		}
		if l.why != "" {
			l.gaps = append(l.gaps, gap{offset: l.good, size: offset - l.good, why: l.why})
		}
		l.good, l.why, l.stale = l.at+int64(l.pos), "", false
		return l.record, offset, true
	}
}

// wrong notes the first thing that is wrong behind the last good record.
func (l *logReader) wrong(why string) {
	if l.why == "" {
		l.why = why
	}
}

type chunk struct {
	place   int
	offset  int64
	header  int // bytes
	payload []byte
}

func (c chunk) end() int64 { return c.offset + int64(c.header+len(c.payload)) }

// A hole is a part of a record that could not be read and holds zeroes: so many of
// its bytes, and the blocks of the file where they should be.
type hole struct {
	from, to     int
	offset, size int64
	why          string
}

// bridge goes on with a record at a chunk behind blocks that could not be read, if
// what was read of it says that it goes as far: a chunk that does not end its
// record fills its block, so that these blocks held nothing else, and how many
// bytes of it is known.
func (l *logReader) bridge(c chunk) bool {
	from, to := l.last.end(), c.offset
	if l.reach == nil || from%logBlock != 0 || to%logBlock != 0 || c.header != l.last.header || c.place == fullChunk || c.place == firstChunk {
		return false
	}
	n := int((to - from) / logBlock * int64(logBlock-c.header))
	if l.reach(l.record) < len(l.record)+n {
		return false
	}
	l.holes = append(l.holes, hole{from: len(l.record), to: len(l.record) + n, offset: from, size: to - from, why: cmp.Or(l.why, badSum)})
	l.record, l.why = append(l.record, make([]byte, n)...), l.before
	return true
}

// chunk finds the next good chunk of this log; broken says that bad bytes were
// passed over on the way.
func (l *logReader) chunk() (c chunk, broken, ok bool) {
	for {
		rest := l.block[min(l.pos, len(l.block)):]
		if len(rest) < plainHeader || len(rest) < syncedHeader && zero(rest) {
			if !l.load() {
				return chunk{}, broken, false
			}
			continue
		}
		c, size, why := l.parse(rest)
		if why == "" {
			c.offset = l.at + int64(l.pos)
			l.pos += size
			return c, broken, true
		}
		l.wrong(why)
		broken = true
		if why == otherLog || why == laterLog {
			l.pos += size // whole, though not ours
			continue
		}
		l.resync(size)
	}
}

// resync moves to the next good chunk in the block, or to the block's
// end. A header that can be believed leads right there.
func (l *logReader) resync(size int) {
	if l.fits(l.pos+size) && size > 0 {
		l.pos += size
		return
	}
	if zero(l.block[l.pos:]) {
		l.pos = len(l.block)
	}
	for l.pos++; l.pos+plainHeader <= len(l.block); l.pos++ {
		if l.fits(l.pos) {
			return
		}
	}
}

// fits says that a good chunk, of this log or an older one, stands at a place of
// the block.
func (l *logReader) fits(pos int) bool {
	if pos+plainHeader > len(l.block) {
		return false
	}
	data := l.block[pos:]
	if data[6] > 4 && len(data) >= recycledHeader {
		if n := binary.LittleEndian.Uint32(data[plainHeader:]); n > l.number+1 || n == 0 && l.number > 0 {
			return false // not even an older log's; spares the checksum
		}
	}
	_, _, why := l.parse(data)
	return why == "" || why == otherLog
}

// load reads the next block.
func (l *logReader) load() bool {
	l.at += logBlock
	l.pos = 0
	n := min(l.size-l.at, logBlock)
	if n <= 0 {
		l.block = l.block[:0]
		return false
	}
	if l.block == nil {
		l.block = make([]byte, logBlock)
	}
	got, err := l.file.ReadAt(l.block[:n], l.at)
	l.block = l.block[:got]
	if err != nil && err != io.EOF {
		l.wrong(err.Error())
	}
	return true
}

const (
	tooLong    = "a chunk goes beyond its block"
	otherLog   = "a chunk of another log"
	laterLog   = "a chunk of a later log" // a recycled file was an older one's
	tornWrite  = "the log ends in the middle of a write"
	notAsLong  = "the log ends before the offset that it promised"
	badSum     = "a chunk's checksum does not match"
	noChunk    = "bytes that are no chunk of a log"
	sizeUnsure = 0
)

// parse reads a chunk at the head of data; why says what is wrong with it. The
// size is what its header says, 0 if the header cannot be believed.
func (l *logReader) parse(data []byte) (c chunk, size int, why string) {
	kind := int(data[6])
	header := plainHeader
	switch {
	case kind < 1 || kind > 12 || kind <= 4 && l.numbered:
		return chunk{}, sizeUnsure, noChunk
	case kind > 8:
		header = syncedHeader
	case kind > 4:
		header = recycledHeader
	}
	size = header + int(binary.LittleEndian.Uint16(data[4:]))
	if size > len(data) {
		return chunk{}, sizeUnsure, tooLong
	}
	number := l.number
	if header > plainHeader {
		number = binary.LittleEndian.Uint32(data[plainHeader:])
	}
	if binary.LittleEndian.Uint32(data) != logSum(data[6:size]) {
		return chunk{}, size, badSum
	}
	switch {
	case number > l.number:
		return chunk{}, size, laterLog
	case number < l.number:
		l.stale = true
		return chunk{}, size, otherLog
	}
	l.numbered = header > plainHeader
	if header == syncedHeader {
		l.synced = max(l.synced, int64(binary.LittleEndian.Uint64(data[recycledHeader:])))
	}
	return chunk{place: (kind - 1) & 3, header: header, payload: data[header:size]}, size, ""
}

// finish decides what stands behind the last record: the ordinary end of a log
// (nothing, zeroes, an older log's chunks), a write that was cut off, or damage.
func (l *logReader) finish(open bool) {
	g := gap{offset: l.good, size: max(l.size, l.synced) - l.good, tail: true, why: l.why}
	switch {
	case l.good < l.synced && (l.why != "" || open || l.size < l.synced):
		g.why = notAsLong
	case open && l.why == "":
		g.torn, g.why = true, tornWrite
	case l.stale && l.own():
		g.torn = true // over an older log a write that was cut off looks like damage
	case l.stale || l.padding():
		return
	case l.cut():
		g.torn, g.why = true, tornWrite
	case l.numbered && !l.own() && l.why != laterLog:
		g.torn = true // most likely the rest of an older log's chunk
	}
	l.gaps = append(l.gaps, g)
}

// cut says that the bytes behind the last record begin a chunk which the end of
// the file cuts off.
func (l *logReader) cut() bool {
	head, ok := l.head(l.good)
	if !ok || l.good+int64(len(head)) < l.size {
		return false
	}
	if len(head) < plainHeader {
		return true
	}
	_, _, why := l.parse(head)
	return why == tooLong
}

// own says that the bytes behind the last record look like a chunk of this log.
func (l *logReader) own() bool {
	head, ok := l.head(l.good)
	return ok && len(head) >= recycledHeader && head[6] > 4 && head[6] <= 12 && binary.LittleEndian.Uint32(head[plainHeader:]) == l.number
}

// padding says that nothing but zeroes follows the last record in its block, and
// in the next one if only padding is left there.
func (l *logReader) padding() bool {
	rest := make([]byte, min(logBlock-l.good%logBlock, l.size-l.good))
	n, err := l.file.ReadAt(rest, l.good)
	if err != nil && err != io.EOF || !zero(rest[:n]) {
		return false
	}
	next, ok := l.head(l.good)
	return ok && zero(next)
}

// head is the rest of the block at an offset, or the next block if only padding
// is left of it.
func (l *logReader) head(offset int64) ([]byte, bool) {
	left := logBlock - offset%logBlock
	if left < plainHeader {
		offset, left = offset+left, logBlock
	}
	head := make([]byte, max(min(left, l.size-offset), 0))
	n, err := l.file.ReadAt(head, offset)
	return head[:n], err == nil || err == io.EOF
}

func zero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}

// logSum is the checksum of a chunk: CRC-32C, masked as LevelDB does it.
func logSum(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}
