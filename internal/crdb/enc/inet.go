package enc

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// The families of an address in its encoding: family, bits of the mask, bytes.
const (
	inetV4 = 0
	inetV6 = 1
)

// inetLen is the length of an address's encoding, -1 if it is none.
func inetLen(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	switch b[0] {
	case inetV4:
		return 2 + 4
	case inetV6:
		return 2 + 16
	}
	return -1
}

// appendInet appends an address; a mask of all bits is not shown.
func appendInet(dst, payload []byte) ([]byte, bool) {
	if n := inetLen(payload); n < 0 || n != len(payload) {
		return dst, false
	}
	addr, _ := netip.AddrFromSlice(payload[2:])
	mask := int(payload[1])
	if mask > addr.BitLen() {
		return dst, false
	}
	dst = addr.AppendTo(dst)
	if mask == addr.BitLen() {
		return dst, true
	}
	return strconv.AppendInt(append(dst, '/'), int64(mask), 10), true
}

// inetOf is the encoding of an address as people write it.
func inetOf(text string) ([]byte, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return nil, false
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	family := byte(inetV4)
	if prefix.Addr().Is6() {
		family = inetV6
	}
	return append([]byte{family, byte(prefix.Bits())}, prefix.Addr().AsSlice()...), true
}

// appendUUID appends the usual form of a UUID.
func appendUUID(dst, u []byte) ([]byte, bool) {
	if len(u) != 16 {
		return dst, false
	}
	dst = append(dst, "00000000-0000-0000-0000-000000000000"...)
	b := dst[len(dst)-36:]
	var tail [16]byte
	putHex(b, binary.BigEndian.Uint32(u))
	putHex(tail[:], binary.BigEndian.Uint32(u[4:]))
	putHex(tail[8:], binary.BigEndian.Uint32(u[8:]))
	copy(b[9:13], tail[:])
	copy(b[14:18], tail[4:])
	copy(b[19:23], tail[8:])
	copy(b[24:28], tail[12:])
	putHex(b[28:], binary.BigEndian.Uint32(u[12:]))
	return dst, true
}
