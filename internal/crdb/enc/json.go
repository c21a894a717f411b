package enc

import (
	"bytes"
	"encoding/binary"
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

// appendJSON appends a document as PostgreSQL shows a jsonb: a blank behind
// each colon and comma. Numbers keep their sign and scale. Every quote is written
// twice where the document is to stand between quotes itself.
func appendJSON(dst, b []byte, double bool, depth int) ([]byte, bool) {
	tag, n, members, ok := jsonContainerOf(b)
	if !ok || depth > maxDepth {
		return dst, false
	}
	if tag == jsonObjectTag {
		return appendJSONObject(dst, n, members, double, depth)
	}
	if tag == jsonArrayTag {
		dst = append(dst, '[')
	}
	for i := range n {
		if i > 0 {
			dst = append(dst, ',', ' ')
		}
		kind, data, ok := members.next()
		if !ok {
			return dst, false
		}
		if dst, ok = appendJSONValue(dst, kind, data, double, depth); !ok {
			return dst, false
		}
	}
	if tag == jsonArrayTag {
		dst = append(dst, ']')
	}
	return dst, true
}

func appendJSONObject(dst []byte, n int, members jsonEntries, double bool, depth int) ([]byte, bool) {
	keys, values, ok := jsonMembers(n, members)
	if !ok {
		return dst, false
	}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',', ' ')
		}
		kind, key, ok := keys.next()
		if !ok || kind != jsonString {
			return dst, false
		}
		dst = append(appendJSONString(dst, key, double), ':', ' ')
		kind, data, ok := values.next()
		if !ok {
			return dst, false
		}
		if dst, ok = appendJSONValue(dst, kind, data, double, depth); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func appendJSONValue(dst []byte, kind uint32, data []byte, double bool, depth int) ([]byte, bool) {
	switch kind {
	case jsonNull:
		return append(dst, "null"...), true
	case jsonFalse:
		return append(dst, "false"...), true
	case jsonTrue:
		return append(dst, "true"...), true
	case jsonString:
		return appendJSONString(dst, data, double), true
	case jsonNumber:
		n, data, ok := uvarint(data)
		if !ok || n != uint64(len(data)) {
			return dst, false
		}
		return appendDecimal(dst, data)
	case jsonContainer:
		return appendJSON(dst, data, double, depth+1)
	}
	return dst, false
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

// appendJSONString appends a string between quotes. Escaped are quotes,
// backslashes and control characters; bytes that are not UTF-8 become the
// replacement character.
func appendJSONString(dst, s []byte, double bool) []byte {
	plain, ascii := plainJSON(s)
	if !ascii && !utf8.Valid(s) {
		s = bytes.ToValidUTF8(s, []byte("\ufffd"))
	}
	dst = appendQuote(dst, double)
	if plain {
		return appendQuote(append(dst, s...), double)
	}
	for _, c := range s {
		switch {
		case c == '"':
			dst = appendQuote(append(dst, '\\'), double)
		case c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	return appendQuote(dst, double)
}

func appendQuote(dst []byte, double bool) []byte {
	if double {
		return append(dst, '"', '"')
	}
	return append(dst, '"')
}

// plainJSON says whether a string stands in a document as it is, and whether it
// is of ASCII only. It looks at eight bytes at a time: taking what is looked for
// from each sets the high bit of those that were below it or the same.
func plainJSON(s []byte) (plain, ascii bool) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	var special, all uint64
	for len(s) >= 8 {
		w := binary.LittleEndian.Uint64(s)
		all |= w
		quote, slash := w^ones*'"', w^ones*'\\'
		special |= (w-ones*' ')&^w | (quote-ones)&^quote | (slash-ones)&^slash
		s = s[8:]
	}
	for _, c := range s {
		all |= uint64(c)
		if c < ' ' || c == '"' || c == '\\' {
			special |= 0x80
		}
	}
	return special&high == 0, all&high == 0
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
