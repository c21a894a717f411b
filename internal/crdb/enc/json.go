package enc

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The binary form of documents (CockroachDB's JSONB encoding): a container is a
// header, the entries of its members, and their data. An entry says the type of
// a member and its length, or where it ends.
const (
	jsonArrayTag  = 0x80000000
	jsonObjectTag = 0x40000000
	jsonScalarTag = 0x20000000
	jsonCountMask = 0x1fffffff

	jsonOffsetFlag = 0x80000000
	jsonTypeMask   = 0x70000000
	jsonSizeMask   = 0x0fffffff

	jsonNull      = 0x00000000
	jsonString    = 0x10000000
	jsonNumber    = 0x20000000
	jsonFalse     = 0x30000000
	jsonTrue      = 0x40000000
	jsonContainer = 0x50000000
)

// jsonEntries walks over the entries of a container and the data that belongs
// to them.
type jsonEntries struct {
	entries, data []byte
	offset        uint32
}

// next is the type and the data of the next member.
func (e *jsonEntries) next() (kind uint32, data []byte, ok bool) {
	if len(e.entries) < 4 {
		return 0, nil, false
	}
	entry := binary.BigEndian.Uint32(e.entries)
	end := entry & jsonSizeMask
	if entry&jsonOffsetFlag == 0 {
		end += e.offset
	}
	if end < e.offset || uint64(end) > uint64(len(e.data)) {
		return 0, nil, false
	}
	data = e.data[e.offset:end]
	e.entries, e.offset = e.entries[4:], end
	return entry & jsonTypeMask, data, true
}

// jsonContainerOf opens a container: its tag, how many members it has, and their
// entries; an object has one for each key, then one for each value.
func jsonContainerOf(b []byte) (tag uint32, n int, entries jsonEntries, ok bool) {
	if len(b) < 4 {
		return 0, 0, entries, false
	}
	header := binary.BigEndian.Uint32(b)
	tag, n = header&^jsonCountMask, int(header&jsonCountMask)
	size := n
	switch tag {
	case jsonArrayTag:
	case jsonObjectTag:
		size *= 2
	case jsonScalarTag:
		n, size = 1, 1
	default:
		return 0, 0, entries, false
	}
	if b = b[4:]; uint64(len(b)) < uint64(size)*4 {
		return 0, 0, entries, false
	}
	return tag, n, jsonEntries{entries: b[:size*4], data: b[size*4:]}, true
}

// jsonMembers opens an object: the entries of its keys and those of its values,
// whose data stands behind that of all keys.
func jsonMembers(n int, all jsonEntries) (keys, values jsonEntries, ok bool) {
	end := uint32(0)
	for i := range n {
		entry := binary.BigEndian.Uint32(all.entries[4*i:])
		if entry&jsonOffsetFlag != 0 {
			end = 0
		}
		if end += entry & jsonSizeMask; uint64(end) > uint64(len(all.data)) {
			return keys, values, false
		}
	}
	keys, values = all, all
	keys.entries, values.entries = all.entries[:4*n], all.entries[4*n:]
	values.offset = end
	return keys, values, true
}

// jsonQuotes is how quotes are written, and the words in which they stand before
// and behind keys.
type jsonQuotes struct {
	n               int // bytes of a quote
	open, next, end uint64
}

// The quotes of a document by itself, and of one that stands between quotes.
var (
	jsonPlain   = jsonQuotes{1, '"', ',' | ' '<<8 | '"'<<16, '"' | ':'<<8 | ' '<<16}
	jsonDoubled = jsonQuotes{2, '"' | '"'<<8, ',' | ' '<<8 | '"'<<16 | '"'<<24, '"' | '"'<<8 | ':'<<16 | ' '<<24}
)

// appendJSON appends a document as PostgreSQL shows a jsonb: a blank behind
// each colon and comma. Numbers keep their sign and scale.
func appendJSON(dst, b []byte, q *jsonQuotes, depth int) ([]byte, bool) {
	if len(b) < 4 || depth > maxDepth {
		return dst, false
	}
	header := binary.BigEndian.Uint32(b)
	n := int(header & jsonCountMask)
	switch header &^ jsonCountMask {
	case jsonObjectTag:
		return appendJSONObject(dst, b, n, q, depth)
	case jsonArrayTag:
		dst, ok := appendJSONArray(append(dst, '['), b, n, q, depth)
		return append(dst, ']'), ok
	case jsonScalarTag:
		return appendJSONArray(dst, b, 1, q, depth)
	}
	return dst, false
}

// appendJSONObject appends an object of n members: behind the header stand the
// entries of the keys, those of the values, all keys, and all values. A document
// is mostly short keys, numbers and strings; so these take no further calls than
// they must.
func appendJSONObject(dst, b []byte, n int, q *jsonQuotes, depth int) ([]byte, bool) {
	values := 4 + 4*n
	data := values + 4*n
	if data > len(b) {
		return dst, false
	}
	key, value := data, data
	for at := 4; at < values; at += 4 {
		_, value = jsonMember(b, at, data, value)
	}
	if value > len(b) {
		return dst, false
	}
	dst = append(dst, '{')
	before, gap := q.open, q.n
	for at := 4; at < values; at += 4 {
		kind, end := jsonMember(b, at, data, key)
		size := end - key
		if kind != jsonString || uint(size) > uint(len(b)-key) {
			return dst, false
		}
		if w := lastBytes(b, end, size); size <= 8 && (w|specialJSON(w)&lowBytes(size))&highs == 0 {
			n := len(dst)
			dst = room(dst, 24)
			to := (*[24]byte)(dst[n:])
			putWord(to[:], before)
			putWord(to[gap:], w)
			putWord(to[gap+size:], q.end)
			dst = dst[:n+gap+size+q.n+2]
		} else {
			if gap > q.n {
				dst = append(dst, ',', ' ')
			}
			dst = append(appendJSONString(dst, b, key, end, q.n), ':', ' ')
		}
		before, gap, key = q.next, q.n+2, end

		var ok bool
		kind, end = jsonMember(b, at+4*n, data, value)
		if uint(end-value) > uint(len(b)-value) {
			return dst, false
		}
		switch kind {
		case jsonString:
			dst, ok = appendJSONString(dst, b, value, end, q.n), true
		case jsonNumber:
			dst, ok = appendJSONNumber(dst, b, value, end)
		default:
			dst, ok = appendJSONValue(dst, kind, b, value, end, q, depth)
		}
		if !ok {
			return dst, false
		}
		value = end
	}
	return append(dst, '}'), true
}

// appendJSONArray appends the n members of an array, or the one of a scalar.
func appendJSONArray(dst, b []byte, n int, q *jsonQuotes, depth int) ([]byte, bool) {
	data := 4 + 4*n
	if data > len(b) {
		return dst, false
	}
	from := data
	for at := 4; at < data; at += 4 {
		if at > 4 {
			dst = append(dst, ',', ' ')
		}
		kind, end := jsonMember(b, at, data, from)
		if uint(end-from) > uint(len(b)-from) {
			return dst, false
		}
		var ok bool
		if dst, ok = appendJSONValue(dst, kind, b, from, end, q, depth); !ok {
			return dst, false
		}
		from = end
	}
	return dst, true
}

// jsonMember is what the entry at a place of a container says of a member that
// begins at from: its type and where it ends.
func jsonMember(b []byte, at, data, from int) (kind uint32, end int) {
	entry := binary.BigEndian.Uint32(b[at:])
	if entry&jsonOffsetFlag != 0 {
		from = data
	}
	return entry & jsonTypeMask, from + int(entry&jsonSizeMask)
}

// lastBytes is the n bytes, at most eight, before the end of something that a
// container has: its header and an entry are as long, so that there always are so
// many.
func lastBytes(b []byte, end, n int) uint64 {
	return binary.LittleEndian.Uint64(b[end-8:]) >> uint(64-8*n)
}

// lowBytes is a word in which n bytes are set.
func lowBytes(n int) uint64 { return 1<<uint(8*n) - 1 }

// appendJSONValue appends a member of a container.
func appendJSONValue(dst []byte, kind uint32, b []byte, from, end int, q *jsonQuotes, depth int) ([]byte, bool) {
	switch kind {
	case jsonString:
		return appendJSONString(dst, b, from, end, q.n), true
	case jsonNumber:
		return appendJSONNumber(dst, b, from, end)
	case jsonNull:
		return append(dst, "null"...), true
	case jsonFalse:
		return append(dst, "false"...), true
	case jsonTrue:
		return append(dst, "true"...), true
	case jsonContainer:
		return appendJSON(dst, b[from:end], q, depth+1)
	}
	return dst, false
}

// appendJSONNumber appends a number of a document: a decimal's value encoding
// behind its length.
func appendJSONNumber(dst, b []byte, from, end int) ([]byte, bool) {
	if n := end - from - 3; n >= 0 && n <= 8 && int(b[from]) == n+2 {
		coefficient := binary.BigEndian.Uint64(b[end-8:]) & lowBytes(n)
		if out, ok := appendPlain(dst, b[from+1], coefficient, int(b[from+2])-zeroInt); ok {
			return out, true
		}
	}
	n, data, ok := uvarint(b[from:end])
	if !ok || n != uint64(len(data)) {
		return dst, false
	}
	return appendDecimal(dst, data)
}

// decimalOfJSON reads a number of a document: a decimal's value encoding behind
// its length.
func decimalOfJSON(data, buf []byte) (decimal, bool) {
	n, data, ok := uvarint(data)
	if !ok || n != uint64(len(data)) {
		return decimal{}, false
	}
	return decimalOfValue(data, buf)
}

// appendJSONString appends the string which a container has from one place to
// another, between quotes. Escaped are quotes, backslashes and control
// characters; bytes that are not UTF-8 become the replacement character.
func appendJSONString(dst, b []byte, from, end, quotes int) []byte {
	const quote = '"' | '"'<<8
	n, size := len(dst), end-from
	dst = room(dst, size+16)
	to := dst[n:]
	binary.LittleEndian.PutUint16(to, quote)
	to = to[quotes:]
	var special, all uint64
	for ; size >= 8; size -= 8 {
		w := binary.LittleEndian.Uint64(b[end-size:])
		special, all = special|specialJSON(w), all|w
		putWord(to, w)
		to = to[8:]
	}
	w := lastBytes(b, end, size)
	special, all = special|specialJSON(w)&lowBytes(size), all|w
	putWord(to, w)
	if (special|all)&highs != 0 {
		text := b[from:end]
		valid := all&highs == 0 || utf8.Valid(text)
		if !valid {
			text = bytes.ToValidUTF8(text, []byte("\ufffd"))
		}
		if !valid || special&highs != 0 {
			return appendJSONEscaped(dst[:n], text, quotes)
		}
	}
	binary.LittleEndian.PutUint16(to[size:], quote)
	return dst[:n+end-from+2*quotes]
}

// specialJSON has the high bit of each byte of a word set that has to be escaped,
// and perhaps of others behind it: taking what is looked for from each byte makes
// those borrow that were below it. With a bit turned, a quote is the last of the
// control characters.
func specialJSON(w uint64) uint64 {
	const turned = ' ' ^ '"'
	control, slash := w^ones*turned, w^ones*'\\'
	return ((control - ones*(' '+1)) | (slash - ones)) &^ w
}

// appendJSONEscaped appends a string which does not stand in a document as it is.
func appendJSONEscaped(dst, s []byte, quotes int) []byte {
	const doubled = `""`
	quote := doubled[:quotes]
	dst = append(dst, quote...)
	for {
		n := plainJSON(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, quote...)
		}
		switch c := s[n]; c {
		case '"':
			dst = append(append(dst, '\\'), quote...)
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		s = s[n+1:]
	}
}

// plainJSON is how many bytes stand before the first that has to be escaped.
func plainJSON(s []byte) int {
	for n := 0; n < len(s); n += 8 {
		if special := specialJSON(word(s[n:])) & highs; special != 0 { // zeros behind the end too
			return min(n+bits.TrailingZeros64(special)/8, len(s))
		}
	}
	return len(s)
}

// lossyJSON says that the key of a document does not tell it from others.
func lossyJSON(b []byte, depth int) bool {
	_, _, members, ok := jsonContainerOf(b)
	for ok && depth <= maxDepth && len(members.entries) > 0 {
		var kind uint32
		var data []byte
		if kind, data, ok = members.next(); !ok {
			return false
		}
		switch kind {
		case jsonNumber:
			var buf [40]byte
			if d, ok := decimalOfJSON(data, buf[:]); ok && d.lossy() {
				return true
			}
		case jsonContainer:
			if lossyJSON(data, depth+1) {
				return true
			}
		}
	}
	return false
}
