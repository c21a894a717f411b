package sst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/minio/minlz"
)

// trailerLen is what follows each block: one byte that names the compression and
// four of checksum.
const trailerLen = 5

// maxBlock bounds what one block may become when unpacked. A block holds at
// least one entry whole, and the largest entries are Raft commands of 64 MiB.
const maxBlock = 256 << 20

// The compressions that Pebble or CockroachDB's RocksDB ever wrote.
const (
	plain     = 0
	snappied  = 1
	zstandard = 7
	minlzed   = 8
)

func compression(typ byte) bool {
	return typ == plain || typ == snappied || typ == zstandard || typ == minlzed
}

// The checksums of blocks, by the number in the footer.
const (
	checksumCRC32C = 1
	checksumXXHash = 3
)

var errChecksum = errors.New("the block's checksum does not hold")

// castagnoli is the table of CRC-32C; the standard library turns it into
// instructions of the processor.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// mask is how LevelDB stores a CRC: rotated and shifted, so that a checksum of
// bytes that hold checksums stays a good one.
func mask(crc uint32) uint32 { return (crc>>15 | crc<<17) + 0xa282ead8 }

func unmask(stored uint32) uint32 {
	rotated := stored - 0xa282ead8
	return rotated>>17 | rotated<<15
}

// verify checks a block with its trailer.
func verify(raw []byte, checksum byte) error {
	body := raw[:len(raw)-4]
	stored := binary.LittleEndian.Uint32(raw[len(raw)-4:])
	switch checksum {
	case checksumCRC32C:
		if mask(crc32.Checksum(body, castagnoli)) != stored {
			return errChecksum
		}
	case checksumXXHash:
		if uint32(xxhash.Sum64(body)) != stored {
			return errChecksum
		}
	default:
		return fmt.Errorf("checksum of kind %d", checksum)
	}
	return nil
}

// codec unpacks blocks. It is used by one goroutine.
type codec struct{ zstd *zstd.Decoder }

func (c *codec) close() {
	if c.zstd != nil {
		c.zstd.Close()
		c.zstd = nil
	}
}

// unpack returns the contents of a block: in dst, which may be replaced by a
// larger buffer, or, if it was not compressed, in packed itself.
func (c *codec) unpack(dst, packed []byte, typ byte) (contents, buf []byte, err error) {
	switch typ {
	case plain:
		return packed, dst, nil
	case snappied:
		n, err := s2.DecodedLen(packed)
		if err != nil || n > 32*len(packed)+64 { // three bytes make 64 at most
			return nil, dst, fmt.Errorf("unpack a Snappy block of %d bytes: claims %d bytes", len(packed), n)
		}
		dst = sized(dst, n)
		contents, err = s2.Decode(dst, packed)
		return contents, dst, err
	case zstandard:
		n, skip := binary.Uvarint(packed)
		if skip <= 0 || n > maxBlock {
			return nil, dst, fmt.Errorf("unpack a zstd block of %d bytes: claims %d bytes", len(packed), n)
		}
		if c.zstd == nil {
			if c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock)); err != nil {
				return nil, dst, err
			}
		}
		contents, err = c.zstd.DecodeAll(packed[skip:], dst[:0])
		return contents, contents, err
	case minlzed:
		n, err := minlz.DecodedLen(packed)
		if err != nil || n > minlz.MaxBlockSize {
			return nil, dst, fmt.Errorf("unpack a MinLZ block of %d bytes: claims %d bytes", len(packed), n)
		}
		dst = sized(dst, n)
		contents, err = minlz.Decode(dst, packed)
		return contents, dst, err
	}
	return nil, dst, fmt.Errorf("unpack a block: compression of kind %d", typ)
}

// sized is a buffer of n bytes, if possible the given one.
func sized(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, n, n+n/4)
	}
	return buf[:n]
}
