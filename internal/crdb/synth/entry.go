package synth

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// kind is what an entry does, by the formats' numbers.
type kind byte

const (
	del       kind = 0
	set       kind = 1
	singleDel kind = 7
	rangeDel  kind = 15
	rangeSet  kind = 21
)

func (k kind) hasValue() bool { return k == set || k == rangeDel || k == rangeSet }

// place is where in a store an entry goes; a lower place is newer.
type place int8

const (
	anywhere place = iota // each store decides by itself
	inLog
	inTop    // L0
	inMiddle // L5
	inBase   // L6
)

// item is one entry that some of the stores get.
type item struct {
	key, value []byte // the engine key; of a range its start, and in value its end
	kind       kind
	place      place
	stores     uint64         // the bit of each store that has it; 0 is all
	fixed      bool           // nothing may be put above or below it
	at         keys.Timestamp // of an MVCC range tombstone
}

func (i item) in(store int) bool { return i.stores == 0 || i.stores>>store&1 == 1 }

// mix is a hash of a number: SplitMix64's.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Forms of the chunks of a log.
const (
	plainChunks    = 0 // MANIFESTs, and registries
	recycledChunks = 4 // with the log's number
	syncedChunks   = 8 // and with an offset that was synced before
	logBlock       = 32 << 10
)

// logFile frames records as the logs of LevelDB, RocksDB and Pebble are: blocks
// of 32 KiB with chunks in them that go over no border.
type logFile struct {
	out    *output
	form   int
	number uint64
	at     int64
}

func (l *logFile) header() int {
	return [...]int{plainChunks: 7, recycledChunks: 11, syncedChunks: 19}[l.form]
}

// append writes one record.
func (l *logFile) append(record []byte) error {
	for first := true; first || len(record) > 0; first = false {
		if left := int(logBlock - l.at%logBlock); left <= l.header() {
			if err := l.write(make([]byte, left)); err != nil {
				return err
			}
		}
		n := min(len(record), int(logBlock-l.at%logBlock)-l.header())
		part := 3 // middle
		switch last := n == len(record); {
		case first && last:
			part = 1
		case first:
			part = 2
		case last:
			part = 4
		}
		if err := l.write(l.chunk(byte(l.form+part), record[:n])); err != nil {
			return err
		}
		record = record[n:]
	}
	return nil
}

func (l *logFile) chunk(kind byte, payload []byte) []byte {
	c := make([]byte, l.header(), l.header()+len(payload))
	binary.LittleEndian.PutUint16(c[4:], uint16(len(payload)))
	c[6] = kind
	if l.form >= recycledChunks {
		binary.LittleEndian.PutUint32(c[7:], uint32(l.number))
	}
	if l.form == syncedChunks {
		binary.LittleEndian.PutUint64(c[11:], uint64(l.at))
	}
	c = append(c, payload...)
	sum := crc32.Checksum(c[6:], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(c, (sum>>15|sum<<17)+0xa282ead8)
	return c
}

func (l *logFile) write(p []byte) error {
	l.at += int64(len(p))
	return l.out.Write(p)
}
