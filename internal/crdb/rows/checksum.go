package rows

import (
	"encoding/binary"
	"hash/crc32"
)

// lead is how many zero bytes stand before each pair in a buffer, for crcBehind.
const lead = 64

var zeros [lead]byte

// crcBehind is the CRC-32 (IEEE) of buf[at:], before which lead zeros stand. The
// processor's instruction takes 64 bytes and then 16 at a time; what is left goes
// byte by byte, which costs as much as all the rest. Zeros in front do not change a
// CRC that begins at zero, and one that begins at ones is that of the same bytes
// with the first four inverted: so the pair is made a multiple of 16 at its front.
func crcBehind(buf []byte, at int) uint32 {
	n := len(buf) - at
	if n < 4 {
		return crc32.ChecksumIEEE(buf[at:])
	}
	first := buf[at : at+4]
	plain := binary.LittleEndian.Uint32(first)
	binary.LittleEndian.PutUint32(first, ^plain)
	crc := crc32.Update(1<<32-1, crc32.IEEETable, buf[len(buf)-max(lead, (n+15)&^15):])
	binary.LittleEndian.PutUint32(first, plain)
	return crc
}

// checksum counts and verifies the checksum of the pair that buf has behind at:
// the CRC-32 of its key and its value behind the checksum, where 0 stands for none
// and is written as 1.
func (r *Result) checksum(stored uint32, buf []byte, at int) bool {
	crc := crcBehind(buf, at)
	r.Sum += mix(uint64(crc), uint64(len(buf)-at))
	switch {
	case stored == 0:
		r.Unverified++
	case max(crc, 1) == stored:
		r.Verified++
	default:
		r.Bad++
		return false
	}
	return true
}
