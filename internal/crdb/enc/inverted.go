package enc

import (
	"bytes"
	"errors"
	"slices"
)

// The keys of inverted indexes (CockroachDB's): of a document one for each path
// to a value that is no container with members, of an array one for each element.
const (
	invertedJSON        = 0x37
	invertedEmptyArray  = 0x38 // a document's array of nothing
	invertedEmptyObject = 0x39
	invertedTrue        = 0x0a
	invertedFalse       = 0x0b
	invertedEmpty       = 0x43 // an SQL array of nothing, since 21.1

	pathEnd   = 0x01 // behind 00: a value follows
	pathKey   = 0x02 // behind 00: the key of an object ended, and a container follows
	pathArray = 0x03 // behind 00: an element of an array follows
)

var errInverted = errors.New("no value that an inverted index can have")

// Inverts says whether the entries of an inverted index on a column can be made
// anew from its values.
func Inverts(t *Type) bool {
	return t.Family == JSONFamily || t.Family == ArrayFamily && t.elem() != nil
}

// Inverter makes keys of inverted indexes. The zero value is ready for use.
type Inverter struct {
	buf  []byte // all keys, one behind the other
	ends []int
	path []byte // to the container that is being read
	keys [][]byte
}

// Keys are what an inverted index has in its keys for a value that is not NULL:
// sorted, each once, until the next call. Those for NULLs in arrays and for arrays
// of nothing, which releases differ in, are left out: see Ambiguous.
func (v *Inverter) Keys(t *Type, typ ValueType, payload []byte) ([][]byte, error) {
	v.buf, v.ends, v.keys = v.buf[:0], v.ends[:0], v.keys[:0]
	ok := false
	switch {
	case t.Family == JSONFamily && typ == JSONValue:
		v.path = append(v.path[:0], invertedJSON)
		ok = v.container(payload, 0)
	case t.Family == ArrayFamily && typ == ArrayValue:
		ok = v.array(t, payload)
	}
	if !ok {
		return nil, errInverted
	}
	from := 0
	for _, to := range v.ends {
		v.keys, from = append(v.keys, v.buf[from:to:to]), to
	}
	slices.SortFunc(v.keys, bytes.Compare)
	v.keys = slices.CompactFunc(v.keys, bytes.Equal)
	return v.keys, nil
}

// Ambiguous says that an entry of an inverted index, from where the keys of its
// column begin, is one that not all releases write: for NULL in an array, or for
// an array of nothing.
func Ambiguous(t *Type, key []byte) bool {
	return t.Family == ArrayFamily && len(key) > 0 && (key[0] == 0 || key[0] == invertedEmpty)
}

// end ends the key that stands last in the buffer.
func (v *Inverter) end() { v.ends = append(v.ends, len(v.buf)) }

func (v *Inverter) array(t *Type, payload []byte) bool {
	e, ok := elementsOf(t, payload)
	for ok && e.i < e.n {
		var typ ValueType
		var data []byte
		if typ, data, ok = e.next(); !ok || typ == NullValue {
			continue
		}
		var err error
		if v.buf, err = KeyFromValue(v.buf, e.elem, false, typ, data); err != nil {
			return false
		}
		v.end()
	}
	return ok
}

// container adds the keys of a container behind the path that leads to it.
func (v *Inverter) container(b []byte, depth int) bool {
	tag, n, members, ok := jsonContainerOf(b)
	if !ok || depth > maxDepth {
		return false
	}
	names, values := jsonEntries{}, members
	switch tag {
	case jsonObjectTag:
		if names, values, ok = jsonMembers(n, members); !ok {
			return false
		}
		if n == 0 {
			v.buf = append(append(v.buf, v.path...), 0, pathEnd, invertedEmptyObject)
			v.end()
		}
	case jsonArrayTag:
		if n == 0 {
			v.buf = append(append(v.buf, v.path...), 0, pathEnd, invertedEmptyArray)
			v.end()
		}
		v.path = append(v.path, 0, pathArray)
	}
	here := len(v.path)
	for range n {
		v.path = v.path[:here]
		if tag == jsonObjectTag {
			kind, name, ok := names.next()
			if !ok || kind != jsonString {
				return false
			}
			v.path = appendEscaped(v.path, name, false)
			v.path = v.path[:len(v.path)-2] // what ends it depends on the value
		}
		kind, data, ok := values.next()
		if !ok || !v.member(kind, data, tag == jsonObjectTag, depth) {
			return false
		}
	}
	return true
}

// member adds the keys of a member of a container.
func (v *Inverter) member(kind uint32, data []byte, named bool, depth int) bool {
	if kind == jsonContainer {
		if _, n, _, ok := jsonContainerOf(data); named && ok && n > 0 {
			v.path = append(v.path, 0, pathKey)
		}
		return v.container(data, depth+1)
	}
	v.buf = append(append(v.buf, v.path...), 0, pathEnd)
	switch kind {
	case jsonNull:
		v.buf = append(v.buf, 0)
	case jsonTrue:
		v.buf = append(v.buf, invertedTrue)
	case jsonFalse:
		v.buf = append(v.buf, invertedFalse)
	case jsonString:
		v.buf = appendKeyBytes(v.buf, data, false)
	case jsonNumber:
		var buf [40]byte
		d, ok := decimalOfJSON(data, buf[:])
		if !ok {
			return false
		}
		v.buf = d.appendKey(v.buf, false)
	default:
		return false
	}
	v.end()
	return true
}
