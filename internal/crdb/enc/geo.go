package enc

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The markers of spatial values in keys.
const (
	geoMarker     = 0x3d
	geoDescMarker = 0x3e
	box2DMarker   = 0x41

	// geoIndexLen is the length of the place on a space-filling curve that keys
	// are ordered by.
	geoIndexLen = 8

	// spatialEWKB is the field of a SpatialObject which is what PostGIS shows.
	spatialEWKB = 2
)

// appendGeo appends the EWKB in a spatial object, in hexadecimal capitals as
// PostGIS shows it.
func appendGeo(dst, payload []byte) ([]byte, bool) {
	for len(payload) > 0 {
		field, kind, n := protowire.ConsumeTag(payload)
		if n < 0 {
			return dst, false
		}
		payload = payload[n:]
		if field == spatialEWKB && kind == protowire.BytesType {
			data, n := protowire.ConsumeBytes(payload)
			if n < 0 {
				return dst, false
			}
			from := len(dst)
			dst = hex.AppendEncode(dst, data)
			for i, c := range dst[from:] {
				if c >= 'a' {
					dst[from+i] = c - 'a' + 'A'
				}
			}
			return dst, true
		}
		if n = protowire.ConsumeFieldValue(field, kind, payload); n < 0 {
			return dst, false
		}
		payload = payload[n:]
	}
	return dst, false
}

// keyGeo appends the spatial object of a key.
func keyGeo(dst, key []byte, desc bool) (out, rest []byte, ok bool) {
	if len(key) < 1+geoIndexLen || key[0] != either(desc, geoDescMarker, geoMarker) {
		return dst, nil, false
	}
	if desc {
		return unescapeDesc(dst, key[1+geoIndexLen:])
	}
	return unescape(dst, key[1+geoIndexLen:])
}

// appendVector appends a pgvector, "[1,2.5]", from a count and that many floats
// of 32 bits.
func appendVector(dst, payload []byte) ([]byte, bool) {
	if len(payload) < 4 {
		return dst, false
	}
	n := binary.BigEndian.Uint32(payload)
	payload = payload[4:]
	if uint64(len(payload)) != uint64(n)*4 {
		return dst, false
	}
	dst = append(dst, '[')
	for i := 0; len(payload) > 0; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		f := math.Float32frombits(binary.BigEndian.Uint32(payload))
		dst = strconv.AppendFloat(dst, float64(f), 'g', -1, 32)
		payload = payload[4:]
	}
	return append(dst, ']'), true
}

// appendLSN appends a position in a log as PostgreSQL shows it.
func appendLSN(dst []byte, v uint64) []byte {
	const upper = "0123456789ABCDEF"
	digits := func(dst []byte, v uint32) []byte {
		for shift := 28; shift >= 0; shift -= 4 {
			if v>>shift != 0 || shift == 0 {
				dst = append(dst, upper[v>>shift&0xf])
			}
		}
		return dst
	}
	return digits(append(digits(dst, uint32(v>>32)), '/'), uint32(v))
}
