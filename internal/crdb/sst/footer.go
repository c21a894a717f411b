package sst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Format is a table format, in the order in which they came.
type Format int

// The formats. From Pebblev5 on blocks are columnar.
const (
	LevelDB Format = iota + 1
	RocksDBv2
	Pebblev1
	Pebblev2
	Pebblev3 // value blocks
	Pebblev4
	Pebblev5 // columnar blocks
	Pebblev6
	Pebblev7
)

func (f Format) String() string {
	switch f {
	case LevelDB:
		return "LevelDB"
	case RocksDBv2:
		return "RocksDB v2"
	case 0:
		return "unknown"
	}
	return fmt.Sprintf("Pebble v%d", int(f-RocksDBv2))
}

func (f Format) columnar() bool { return f >= Pebblev5 }

// ErrFormat is a table that is whole, but of a kind that evac does not read.
var ErrFormat = errors.New("not supported")

// The magic numbers that end a table.
const (
	magicLevelDB = "\x57\xfb\x80\x8b\x24\x75\x47\xdb"
	magicRocksDB = "\xf7\xcf\xf4\x85\xb7\x41\xe2\x88"
	magicPebble  = "\xf0\x9f\xaa\xb3\xf0\x9f\xaa\xb3"
)

// The lengths of footers. LevelDB: two handles in 40 bytes, the magic number.
// RocksDB: checksum kind, two handles in 40 bytes, version, magic number.
// Pebble from v6 on puts a checksum before the version, from v7 on four bytes of
// attributes before that.
const (
	footerLevelDB  = 48
	footerRocksDB  = 53
	footerPebblev6 = 57
	footerPebblev7 = 61
)

var errFooter = errors.New("the footer is missing or broken")

type footer struct {
	format      Format
	checksum    byte
	size        int64 // of the footer itself
	meta, index handle
}

// readFooter reads the footer off the end of a file of so many bytes.
func readFooter(tail []byte, file int64) (footer, error) {
	if len(tail) < footerLevelDB {
		return footer{}, errFooter
	}
	magic := string(tail[len(tail)-8:])
	if magic == magicLevelDB {
		f := footer{format: LevelDB, checksum: checksumCRC32C, size: footerLevelDB}
		return f.handles(tail[len(tail)-footerLevelDB:], file)
	}
	version := binary.LittleEndian.Uint32(tail[len(tail)-12:])
	f := footer{size: footerRocksDB}
	switch {
	case magic == magicRocksDB && version == 2:
		f.format = RocksDBv2
	case magic == magicPebble && version > 7 && version < 16:
		return footer{}, fmt.Errorf("table format version %d: %w", version, ErrFormat)
	case magic == magicPebble && version >= 1 && version <= 7:
		f.format = RocksDBv2 + Format(version)
	default:
		return footer{}, errFooter
	}
	if f.format == Pebblev6 {
		f.size = footerPebblev6
	} else if f.format == Pebblev7 {
		f.size = footerPebblev7
	}
	if int64(len(tail)) < f.size {
		return footer{}, errFooter
	}
	tail = tail[int64(len(tail))-f.size:]
	if f.format >= Pebblev6 && !footerHolds(tail) {
		return footer{}, errFooter
	}
	f.checksum = tail[0]
	if f.checksum != checksumCRC32C && f.checksum != checksumXXHash {
		return footer{}, errFooter
	}
	return f.handles(tail[1:], file)
}

// footerHolds checks the checksum of a footer, which covers all of it but itself.
func footerHolds(tail []byte) bool {
	at := len(tail) - 16
	crc := crc32.Update(crc32.Checksum(tail[:at], castagnoli), castagnoli, tail[at+4:])
	return mask(crc) == binary.LittleEndian.Uint32(tail[at:])
}

func (f footer) handles(b []byte, file int64) (footer, error) {
	var n, m int
	f.meta, n = readHandle(b, file-f.size)
	if n == 0 {
		return footer{}, errFooter
	}
	if f.index, m = readHandle(b[n:], file-f.size); m == 0 {
		return footer{}, errFooter
	}
	return f, nil
}
