package enc

import "bytes"

// SkipKey is what follows one column of an index key. Without a type every
// encoding but that of a tuple is recognized by its first byte.
func SkipKey(t *Type, desc bool, key []byte) (rest []byte, err error) {
	ok := false
	switch {
	case t != nil && t.Family == TupleFamily:
		rest, ok = skipTuple(t, desc, key, 0)
	case len(key) > 0 && key[0] >= zeroInt && key[0] <= bigInt: // an integer of one byte
		return key[1:], nil
	default:
		if t != nil && t.Family == UUIDFamily {
			if _, rest, ok = keyUUID(key); ok {
				return rest, nil
			}
		}
		rest, ok = skipKey(key, 0)
	}
	if !ok {
		return nil, damaged("key column")
	}
	return rest, nil
}

func skipTuple(t *Type, desc bool, key []byte, depth int) (rest []byte, ok bool) {
	if t.Family != TupleFamily {
		return skipKey(key, depth)
	}
	if depth > maxDepth {
		return nil, false
	}
	for i := range t.Tuple {
		if key, ok = skipTuple(&t.Tuple[i], desc, key, depth+1); !ok {
			return nil, false
		}
	}
	return key, true
}

// skipKey recognizes an encoding by its first byte.
func skipKey(key []byte, depth int) (rest []byte, ok bool) {
	if len(key) == 0 || depth > maxDepth {
		return nil, false
	}
	marker := key[0]
	switch {
	case marker >= minInt && marker <= maxInt:
		return skipInts(key, 1)
	case marker == bytesMarker || marker == ltreeMarker:
		return skipEscaped(key[1:], false)
	case marker == bytesDescMarker || marker == ltreeDescMarker:
		return skipEscaped(key[1:], true)
	case marker == timeMarker || marker == timeTZMarker:
		return skipInts(key[1:], 2)
	case marker == durationMarker:
		return skipInts(key[1:], 3)
	case marker >= decNaN && marker <= decNaNDesc:
		return skipDecimal(marker, key[1:])
	case marker >= jsonEmptyKey && marker <= jsonEmptyDescKey:
		return skipJSON(marker, key[1:], depth)
	}
	n := 1
	switch marker {
	case nullMarker, nullDescMarker, arrayNull, arrayDescNull, floatNaN, floatZero, floatNaNDesc, voidMarker:
	case floatNeg, floatPos:
		n = 9
	case bitMarker:
		return skipBits(key[1:], 0)
	case bitDescMarker:
		return skipBits(key[1:], 0xff)
	case geoMarker, geoDescMarker:
		if len(key) < 1+geoIndexLen {
			return nil, false
		}
		return skipEscaped(key[1+geoIndexLen:], marker == geoDescMarker)
	case box2DMarker:
		key = key[1:]
		n = box2DLen(key)
	case arrayMarker:
		return skipArray(key[1:], arrayEnd, depth)
	case arrayDescMarker:
		return skipArray(key[1:], arrayDescEnd, depth)
	default:
		return nil, false
	}
	if n < 0 || n > len(key) {
		return nil, false
	}
	return key[n:], true
}

// skipInts skips n ordered integers of either direction and sign.
func skipInts(key []byte, n int) (rest []byte, ok bool) {
	for range n {
		if len(key) == 0 || key[0] < minInt || key[0] > maxInt {
			return nil, false
		}
		size := 1
		if marker := int(key[0]); marker < zeroInt {
			size += zeroInt - marker
		} else if marker > bigInt {
			size += marker - bigInt
		}
		if size > len(key) {
			return nil, false
		}
		key = key[size:]
	}
	return key, true
}

func skipDecimal(marker byte, key []byte) (rest []byte, ok bool) {
	switch marker {
	case decNaN, decNaNDesc, decInf, decNegInf, decZero:
		return key, true
	case decNegLarge, decPosLarge, decNegSmall, decPosSmall:
		if key, ok = skipInts(key, 1); !ok {
			return nil, false
		}
	}
	end := bytes.IndexByte(key, 0)
	if end < 0 {
		return nil, false
	}
	return key[end+1:], true
}

func skipBits(key []byte, end byte) (rest []byte, ok bool) {
	for len(key) > 0 && key[0] != end {
		if key, ok = skipInts(key, 1); !ok {
			return nil, false
		}
	}
	if len(key) == 0 {
		return nil, false
	}
	return skipInts(key[1:], 1)
}

func skipArray(key []byte, end byte, depth int) (rest []byte, ok bool) {
	for len(key) > 0 && key[0] != end {
		if key, ok = skipKey(key, depth+1); !ok {
			return nil, false
		}
	}
	if len(key) == 0 {
		return nil, false
	}
	return key[1:], true
}
