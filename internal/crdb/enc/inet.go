package enc

import (
	"encoding/binary"
	"net/netip"
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
	mask, bits := int(payload[1]), 8*len(payload[2:])
	if mask > bits {
		return dst, false
	}
	if payload[0] == inetV4 {
		dst = appendOctets(dst, payload[2:])
	} else {
		addr, _ := netip.AddrFromSlice(payload[2:])
		dst = addr.AppendTo(dst)
	}
	if mask == bits {
		return dst, true
	}
	return appendUint(append(dst, '/'), uint64(mask)), true
}

// appendOctets appends bytes as numbers between points.
func appendOctets(dst, b []byte) []byte {
	n := len(dst)
	dst = room(dst, 4*len(b)+4)
	for _, c := range b {
		w := thousand[c]
		binary.LittleEndian.PutUint32(dst[n:], w)
		n += int(w>>24) + 1
		dst[n-1] = '.'
	}
	return dst[:n-1]
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
	n := len(dst)
	dst = room(dst, 36)
	b := (*[36]byte)(dst[n:])
	second, third := hexOf(binary.BigEndian.Uint32(u[4:])), hexOf(binary.BigEndian.Uint32(u[8:]))
	putWord(b[0:], hexOf(binary.BigEndian.Uint32(u)))
	putWord(b[9:], second)
	putWord(b[14:], second>>32)
	putWord(b[19:], third)
	putWord(b[24:], third>>32)
	putWord(b[28:], hexOf(binary.BigEndian.Uint32(u[12:])))
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return dst, true
}
