package enc

import (
	"encoding/binary"
	"math"
)

// The markers of documents in the keys of forward indexes (23.2 and later),
// ascending; descending ones are mirrored at jsonMirror.
const (
	jsonEmptyKey     = 0x45 // an array of nothing
	jsonNullKey      = 0x46
	jsonStringKey    = 0x47
	jsonNumberKey    = 0x48
	jsonFalseKey     = 0x49
	jsonTrueKey      = 0x4a
	jsonArrayKey     = 0x4b
	jsonObjectKey    = 0x4c
	jsonEmptyDescKey = 0x54
	jsonMirror       = jsonEmptyKey + jsonEmptyDescKey

	ltreeMarker     = 0x55
	ltreeDescMarker = 0x56
)

func jsonMarker(marker byte, desc bool) byte {
	return either(desc, jsonMirror-marker, marker)
}

// appendKeyJSON appends the ordered encoding of a document from its binary form:
// of containers the number of members, then these; each container, string and
// number has an end.
func appendKeyJSON(dst, b []byte, desc bool, depth int) ([]byte, bool) {
	tag, n, members, ok := jsonContainerOf(b)
	if !ok || depth > maxDepth {
		return dst, false
	}
	end := either(desc, 0xff, 0)
	switch {
	case tag == jsonObjectTag:
		keys, values, ok := jsonMembers(n, members)
		if !ok {
			return dst, false
		}
		dst = appendKeyInt(append(dst, jsonMarker(jsonObjectKey, desc)), int64(n), desc)
		for range n {
			for _, m := range [...]*jsonEntries{&keys, &values} {
				if dst, ok = appendKeyMember(dst, m, desc, depth); !ok {
					return dst, false
				}
			}
		}
		return append(dst, end), true
	case tag == jsonScalarTag:
		return appendKeyMember(dst, &members, desc, depth)
	}
	marker := byte(jsonArrayKey)
	if n == 0 {
		marker = jsonEmptyKey
	}
	dst = appendKeyInt(append(dst, jsonMarker(marker, desc)), int64(n), desc)
	for range n {
		if dst, ok = appendKeyMember(dst, &members, desc, depth); !ok {
			return dst, false
		}
	}
	return append(dst, end), true
}

// appendKeyMember appends the next member of a container.
func appendKeyMember(dst []byte, members *jsonEntries, desc bool, depth int) ([]byte, bool) {
	kind, data, ok := members.next()
	if !ok {
		return dst, false
	}
	end := either(desc, 0xff, 0)
	switch kind {
	case jsonNull:
		return append(dst, jsonMarker(jsonNullKey, desc)), true
	case jsonFalse:
		return append(dst, jsonMarker(jsonFalseKey, desc)), true
	case jsonTrue:
		return append(dst, jsonMarker(jsonTrueKey, desc)), true
	case jsonString:
		dst = appendKeyBytes(append(dst, jsonMarker(jsonStringKey, desc)), data, desc)
		return append(dst, end), true
	case jsonNumber:
		var buf [40]byte
		d, ok := decimalOfJSON(data, buf[:])
		if !ok {
			return dst, false
		}
		dst = d.appendKey(append(dst, jsonMarker(jsonNumberKey, desc)), desc)
		return append(dst, end), true
	case jsonContainer:
		return appendKeyJSON(dst, data, desc, depth+1)
	}
	return dst, false
}

// skipJSON skips a document of a key behind its first marker. The direction is
// in the markers.
func skipJSON(marker byte, key []byte, depth int) (rest []byte, ok bool) {
	desc := marker > jsonObjectKey
	end := either(desc, 0xff, 0)
	if desc {
		marker = jsonMirror - marker
	}
	switch marker {
	case jsonNullKey, jsonFalseKey, jsonTrueKey:
		return key, true
	case jsonStringKey, jsonNumberKey:
		if key, ok = skipKey(key, depth+1); !ok || len(key) == 0 || key[0] != end {
			return nil, false
		}
		return key[1:], true
	}
	if key, ok = skipInts(key, 1); !ok {
		return nil, false
	}
	return skipArray(key, end, depth)
}

// keyJSON appends the binary form of a document from its key.
func keyJSON(dst, key []byte, desc bool, depth int) (out, rest []byte, ok bool) {
	n := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0) // header and entry of a scalar
	kind, dst, rest, ok := memberOfKey(dst, key, desc, depth)
	if !ok {
		return dst[:n], nil, false
	}
	if kind == jsonContainer { // is a root by itself
		return append(dst[:n], dst[n+8:]...), rest, true
	}
	binary.BigEndian.PutUint32(dst[n:], jsonScalarTag)
	binary.BigEndian.PutUint32(dst[n+4:], kind|uint32(len(dst)-n-8))
	return dst, rest, true
}

// memberOfKey appends the data of a member, and says of what type it is.
func memberOfKey(dst, key []byte, desc bool, depth int) (kind uint32, out, rest []byte, ok bool) {
	if len(key) == 0 || depth > maxDepth {
		return 0, dst, nil, false
	}
	marker := key[0]
	if desc {
		marker = jsonMirror - marker
	}
	key = key[1:]
	switch marker {
	case jsonNullKey:
		return jsonNull, dst, key, true
	case jsonFalseKey:
		return jsonFalse, dst, key, true
	case jsonTrueKey:
		return jsonTrue, dst, key, true
	case jsonStringKey:
		kind = jsonString
		dst, rest, ok = keyBytes(dst, key, desc)
	case jsonNumberKey:
		kind = jsonNumber
		var buf [64]byte
		var d decimal
		if d, rest, ok = decimalOfKey(key, buf[:], desc); ok {
			value := d.appendValue(buf[:0:0])
			dst = append(binary.AppendUvarint(dst, uint64(len(value))), value...)
		}
	case jsonArrayKey, jsonObjectKey, jsonEmptyKey:
		dst, rest, ok = containerOfKey(dst, key, marker == jsonObjectKey, desc, depth)
		return jsonContainer, dst, rest, ok
	}
	if !ok || len(rest) == 0 || rest[0] != either(desc, 0xff, 0) {
		return 0, dst, nil, false
	}
	return kind, dst, rest[1:], true
}

// containerOfKey appends a container from its key: the header, the entries, the
// data. The values of an object stand behind all its keys.
func containerOfKey(dst, key []byte, object, desc bool, depth int) (out, rest []byte, ok bool) {
	v, key, ok := keyInt(key, desc)
	if !ok || v < 0 || v > int64(len(key)) || v > jsonCountMask/2 {
		return dst, nil, false
	}
	n := int(v)
	size, tag := n, uint32(jsonArrayTag)
	if object {
		size, tag = 2*n, jsonObjectTag
	}
	dst = binary.BigEndian.AppendUint32(dst, tag|uint32(n))
	at := len(dst)
	dst = append(dst, make([]byte, 4*size)...)
	var keys, values jsonBuilder
	for range n {
		if object {
			if key, ok = keys.add(key, desc, depth); !ok || keys.kind != jsonString {
				return dst, nil, false
			}
		}
		if key, ok = values.add(key, desc, depth); !ok {
			return dst, nil, false
		}
	}
	if len(key) == 0 || key[0] != either(desc, 0xff, 0) || len(keys.data)+len(values.data) > math.MaxInt32>>3 {
		return dst, nil, false
	}
	keys.entries(dst[at:], 0)
	values.entries(dst[at+4*(size-n):], uint32(len(keys.data)))
	return append(append(dst, keys.data...), values.data...), key[1:], true
}

// jsonBuilder collects the members of a container.
type jsonBuilder struct {
	kind  uint32 // of the last member
	kinds []uint32
	ends  []uint32
	data  []byte
}

// jsonStride is how often an entry says where its data ends instead of how long
// it is.
const jsonStride = 32

func (b *jsonBuilder) add(key []byte, desc bool, depth int) (rest []byte, ok bool) {
	b.kind, b.data, rest, ok = memberOfKey(b.data, key, desc, depth+1)
	b.kinds, b.ends = append(b.kinds, b.kind), append(b.ends, uint32(len(b.data)))
	return rest, ok
}

// entries writes the entries of the members, whose data begins at start.
func (b *jsonBuilder) entries(dst []byte, start uint32) {
	from := uint32(0)
	for i, end := range b.ends {
		size := end - from
		if i%jsonStride == 0 {
			size = jsonOffsetFlag | (start + end)
		}
		binary.BigEndian.PutUint32(dst[4*i:], b.kinds[i]|size)
		from = end
	}
}
