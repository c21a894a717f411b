package enc

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// binaryJSON is the binary form of a document.
func binaryJSON(t *testing.T, text string) []byte {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	kind, data := memberJSON(v)
	if kind == jsonContainer {
		return data
	}
	return containerJSON(jsonScalarTag, 1, v)
}

// containerJSON is a container of n members; of an object the keys come first.
func containerJSON(tag uint32, n int, members ...any) []byte {
	out := binary.BigEndian.AppendUint32(nil, tag|uint32(n))
	var all []byte
	for _, m := range members {
		kind, data := memberJSON(m)
		out, all = binary.BigEndian.AppendUint32(out, kind|uint32(len(data))), append(all, data...)
	}
	return append(out, all...)
}

func memberJSON(v any) (kind uint32, data []byte) {
	switch v := v.(type) {
	case nil:
		return jsonNull, nil
	case bool:
		return map[bool]uint32{true: jsonTrue, false: jsonFalse}[v], nil
	case string:
		return jsonString, []byte(v)
	case float64:
		d, _ := decimalOfText(strconv.FormatFloat(v, 'f', -1, 64))
		value := d.appendValue(nil)
		return jsonNumber, append([]byte{byte(len(value))}, value...)
	case []any:
		return jsonContainer, containerJSON(jsonArrayTag, len(v), v...)
	case map[string]any:
		names := slices.Sorted(maps.Keys(v))
		var keys, values []any
		for _, name := range names {
			keys, values = append(keys, name), append(values, v[name])
		}
		return jsonContainer, containerJSON(jsonObjectTag, len(v), append(keys, values...)...)
	}
	panic("no document")
}

// TestInverter holds keys against what CockroachDB's rules give by hand; those
// of real rows are held against a real index in package rows.
func TestInverter(t *testing.T) {
	document := &Type{Family: JSONFamily}
	ints := &Type{Family: ArrayFamily, Elem: &Type{Family: IntFamily, Width: 64}}
	for _, test := range []struct {
		t          *Type
		text, want string
	}{
		{document, `null`, "37 0001 00"},
		{document, `true`, "37 0001 0a"},
		{document, `false`, "37 0001 0b"},
		{document, `"a"`, "37 0001 12610001"},
		{document, `0`, "37 0001 27"},
		{document, `[]`, "37 0001 38"},
		{document, `{}`, "37 0001 39"},
		{document, `[1, 1, "a"]`, "37 0003 0001 12610001, 37 0003 0001 2a0200"},
		{document, `[[]]`, "37 0003 0001 38"},
		{document, `{"n": 0}`, "37 6e 0001 27"},
		{document, `{"n": [], "o": {}}`, "37 6e 0001 38, 37 6f 0001 39"},
		{document, `{"n": [true], "o": {"p": null}}`, "37 6e 0002 0003 0001 0a, 37 6f 0002 70 0001 00"},
		{document, `[{"a": "b"}]`, "37 0003 61 0001 12620001"},
		{ints, "1103040406 0202", "89, 8b"}, // {3,1,NULL,1}
		{ints, "010300", ""},                // {}
		{ints, "11030101", ""},              // {NULL}
	} {
		d := Datum{Type: ArrayValue}
		if test.t == document {
			d = Datum{Type: JSONValue, Payload: binaryJSON(t, test.text)}
		} else {
			d.Payload, _ = hex.DecodeString(strings.ReplaceAll(test.text, " ", ""))
		}
		keys, err := new(Inverter).Keys(test.t, d.Type, d.Payload)
		if err != nil {
			t.Fatal(test.text, err)
		}
		var got []string
		for _, k := range keys {
			got = append(got, hex.EncodeToString(k))
		}
		if diff := cmp.Diff(strings.ReplaceAll(test.want, " ", ""), strings.Join(got, ",")); diff != "" {
			t.Errorf("%s: %s", test.text, diff)
		}
	}
	for _, payload := range []string{"", "40000001", "400000019000000110000001", "a0000000"} {
		b, _ := hex.DecodeString(payload)
		if keys, err := new(Inverter).Keys(document, JSONValue, b); err == nil {
			t.Errorf("%s: %x", payload, keys)
		}
	}
	if !Ambiguous(ints, []byte{0}) || !Ambiguous(ints, []byte{0x43, 1}) || Ambiguous(ints, []byte{0x89}) || Ambiguous(document, []byte{0x37, 0}) {
		t.Error("which entries are ambiguous")
	}
}
