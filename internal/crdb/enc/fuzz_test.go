package enc

import (
	"bytes"
	"testing"
)

// everyType is one type of each family that has values.
var everyType = []string{
	"bool", "int8", "float4", "float8", "decimal", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "text", "char4", "ko", "bytes", "uuid", "inet", "jsonb",
	"varbit", "oid", "lsn", "rarity", "void", "box2d", "name", "geometry", "tsvector", "tsquery", "vector", "refcursor", "int2vector", "pair", "ltree",
	"text[]", "bool[]", "decimal[]", "jsonb[]", "pair[]", "int8[][]",
}

// bounded says that what was made of an input is not larger than a document can
// grow: a bit becomes five bytes ("NULL,"), a byte a few more.
func bounded(t *testing.T, in, out []byte) {
	t.Helper()
	if len(out) > 64*len(in)+2100 {
		t.Errorf("%d bytes became %d", len(in), len(out))
	}
}

func FuzzKey(f *testing.F) {
	for _, row := range realRows(f) {
		f.Add(uint8(0), row.key[2:])
		f.Add(uint8(129), row.key[2:])
	}
	types := make([]*Type, len(everyType))
	for i, name := range everyType {
		types[i] = typeNamed(f, name)
		f.Add(uint8(i), []byte{0x12, 'a', 0, 1})
	}
	f.Add(uint8(17), []byte{0x4b, 0x8b, 0x48, 0x2a, 2, 0, 0, 0x47, 0x12, 'a', 0, 1, 0, 0x46, 0})
	f.Add(uint8(17), []byte{0x4c, 0x89, 0x47, 0x12, 'a', 0, 1, 0, 0x4a, 0})
	f.Add(uint8(33), []byte{0x3f, 0x12, 'a', 0, 1, 1, 0})
	f.Fuzz(func(t *testing.T, kind uint8, key []byte) {
		typ, desc := types[int(kind&127)%len(types)], kind >= 128
		text, rest, _, err := AppendKeyText(nil, typ, desc, key)
		bounded(t, key, text)
		_, value, left, errValue := ValueFromKey(nil, typ, desc, key)
		bounded(t, key, value)
		skipped, errSkip := SkipKey(typ, desc, key)
		if (err == nil || err == ErrKeyOnly) && (errSkip != nil || !bytes.Equal(rest, skipped)) {
			t.Errorf("%x: read, %x are left; skipped, %x are left, %v", key, rest, skipped, errSkip)
		}
		if errValue == nil && !bytes.Equal(left, skipped) {
			t.Errorf("%x: %x are left of the value, %x if skipped", key, left, skipped)
		}
		turned, _, err := KeyFromKey(nil, typ, !desc, key, desc)
		if err == nil && errValue == nil && typ.Family != TupleFamily {
			if back, _, err := KeyFromKey(nil, typ, desc, turned, !desc); err != nil {
				t.Errorf("%x turned is %x, turned back %x, %v", key, turned, back, err)
			}
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, row := range realRows(f) {
		f.Add(uint8(0), row.value[ValueHeader:])
	}
	types := make([]*Type, len(everyType))
	for i, name := range everyType {
		types[i] = typeNamed(f, name)
		f.Add(uint8(i), []byte{0x1f, 0x0f, 0x08, 0x20, 0, 0, 0, 0, 0, 0, 0})
	}
	f.Add(uint8(36), []byte{0x1d, 9, 0x11, 0x1f, 0x10, 2, 2, 2, 3, 2, 6, 0})
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		typ := types[int(kind)%len(types)]
		for col, rest := uint32(0), data; len(rest) > 0; {
			next, vt, payload, left, null, err := TupleNext(rest, col)
			if err != nil {
				break
			}
			if next < col || len(left) >= len(rest) || null != (vt == NullValue) {
				t.Fatalf("column %d after %d, %d bytes left of %d", next, col, len(left), len(rest))
			}
			text, errText := AppendValueText(nil, typ, vt, payload)
			bounded(t, payload, text)
			key, err := KeyFromValue(nil, typ, false, vt, payload)
			if err == nil && errText == nil && typ.Family != TupleFamily {
				if left, err := SkipKey(typ, false, key); err != nil || len(left) > 0 {
					t.Errorf("%x has the key %x, of which %x is left, %v", payload, key, left, err)
				}
			}
			KeyLoses(typ, vt, payload)
			col, rest = next, left
		}
		for tag := range Tag(16) {
			text, _ := AppendSingleText(nil, typ, tag, data)
			bounded(t, data, text)
			_, value, _ := SingleValue(nil, typ, tag, data)
			bounded(t, data, value)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add(unhex(f, jsonDocument))
	f.Add(unhex(f, jsonMixed))
	typ := typeNamed(f, "jsonb")
	f.Fuzz(func(t *testing.T, doc []byte) {
		text, err := AppendValueText(nil, typ, JSONValue, doc)
		bounded(t, doc, text)
		key, errKey := KeyFromValue(nil, typ, true, JSONValue, doc)
		if err != nil || errKey != nil {
			return
		}
		if _, value, rest, err := ValueFromKey(nil, typ, true, key); err != nil || len(rest) > 0 {
			t.Errorf("%s has the key %x, which is %x, %v", text, key, value, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for i, text := range []string{"1", "2020-01-02 03:04:05.123456+09:00 BC", "1e5", "infinity", "10.0.0.1/8", `\x00`, "24:00", "0/1", "-1 years -2 mons +1 day -03:04:05.6"} {
		f.Add(uint8(i), text)
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		typ := typeNamed(t, everyType[int(kind)%len(everyType)])
		d, err := ParseText(typ, text)
		if err != nil {
			return
		}
		shown, err := AppendValueText(nil, typ, d.Type, d.Payload)
		if err != nil {
			t.Fatalf("%q is read as %x, which is nothing: %v", text, d.Payload, err)
		}
		again, err := ParseText(typ, string(shown))
		if err != nil || !bytes.Equal(again.Payload, d.Payload) {
			t.Errorf("%q is %q, which is %x, %v", text, shown, again.Payload, err)
		}
	})
}

// TestDeep holds that nothing nests without end.
func TestDeep(t *testing.T) {
	doc := []byte{0x80, 0, 0, 0}
	for range maxDepth + 1 {
		n := len(doc)
		doc = append([]byte{0x80, 0, 0, 1, 0xd0 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)}, doc...)
	}
	jsonb := typeNamed(t, "jsonb")
	if _, err := AppendValueText(nil, jsonb, JSONValue, doc); err == nil {
		t.Error("a document nests without end")
	}
	if _, err := KeyFromValue(nil, jsonb, false, JSONValue, doc); err == nil {
		t.Error("the key of a document nests without end")
	}
	key := bytes.Repeat([]byte{0x4b, 0x89}, maxDepth+2)
	if _, err := SkipKey(jsonb, false, key); err == nil {
		t.Error("a key nests without end")
	}
	if _, _, _, err := ValueFromKey(nil, jsonb, false, key); err == nil {
		t.Error("a document in a key nests without end")
	}
	if _, err := SkipKey(nil, false, bytes.Repeat([]byte{arrayMarker}, maxDepth+2)); err == nil {
		t.Error("an array in a key nests without end")
	}
	tuple := append(bytes.Repeat([]byte{1, 0x0f, 0x10}, maxDepth+2), 0)
	if _, _, _, _, _, err := TupleNext(append([]byte{0x1f, 0x10}, tuple...), 0); err == nil {
		t.Error("a tuple nests without end")
	}
	query := append([]byte{0, 0xff, 0xff, 0xff}, bytes.Repeat([]byte{2, 1}, maxDepth+2)...)
	if _, err := AppendValueText(nil, typeNamed(t, "tsquery"), TSQueryValue, append(query, 1, 0, 0, 1, 'a')); err == nil {
		t.Error("a query nests without end")
	}
}
