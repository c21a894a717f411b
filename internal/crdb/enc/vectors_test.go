package enc

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Documents in their binary form, the first made by CockroachDB's own encoder.
const (
	jsonDocument = `40000002 90000001 10000001 a0000006 5000001a 61 62 03348901 80000002 c0000000 5000000e 40000001 90000001 90000002 63 78`
	jsonMixed    = `80000003 a0000004 10000001 00000000 03348901 61`
)

// TestKeyVectors are ordered encodings which CockroachDB's own encoder made.
func TestKeyVectors(t *testing.T) {
	for _, c := range []struct{ typ, text, asc, desc string }{
		{"int8", "0", "88", "87ff"},
		{"int8", "1", "89", "87fe"},
		{"int8", "109", "f5", ""},
		{"int8", "110", "f66e", ""},
		{"int8", "256", "f70100", "86feff"},
		{"int8", "-1", "87ff", "88"},
		{"int8", "-256", "86ff00", ""},
		{"int8", "-9223372036854775808", "808000000000000000", ""},
		{"bool", "f", "88", "87ff"},
		{"bool", "t", "89", "87fe"},
		{"oid", "1", "89", ""},
		{"date", "1970-01-02", "89", ""},
		{"time", "00:00:00.000001", "89", ""},
		{"float8", "1.5", "053ff8000000000000", "034007ffffffffffff"},
		{"float8", "-1.5", "034007ffffffffffff", "053ff8000000000000"},
		{"float8", "0", "04", "04"},
		{"float8", "NaN", "02", "06"},
		{"decimal", "1", "2a0200", "24fd00"},
		{"decimal", "1.3", "2a033c00", ""},
		{"decimal", "10000.5", "2c0301016400", ""},
		{"decimal", "0.001", "2887fe1400", ""},
		{"decimal", "-1", "24fd00", "2a0200"},
		{"decimal", "0", "27", "27"},
		{"decimal", "NaN", "18", "36"},
		{"decimal", "Infinity", "35", "19"},
		{"decimal", "-Infinity", "19", "35"},
		{"text", "a\x00b", "126100ff620001", "139eff009dfffe"},
		{"text", "", "120001", "13fffe"},
		{"rarity", "rare", "12400001", ""},
		{"inet", "192.168.1.0/24", "12 00ff 18 c0a801 00ff 0001", ""},
		{"timestamp", "2020-01-02 03:04:05.123456", "14 f95e0d5da5 f9075bca00", "14 84a1f2a25a 84f8a435ff"},
		{"timestamptz", "2020-01-02 03:04:05.123456+00:00", "14 f95e0d5da5 f9075bca00", ""},
		{"timetz", "12:00:00-01:00", "3c fa0ae57f5400 f70e10", ""},
		{"interval", "2 mons 3 days 00:00:05", "16 fc135690ec76f200 8a 8b", ""},
		{"varbit", "10110", "3a fdb000000000000000 00 8d", "3b 80 4fffffffffffffff ff 87fa"},
		{"jsonb", `[1, "a", null]`, "4b8b 482a020000 471261000100 46 00", ""},
		{"int8[]", "{1,NULL,2}", "3f 89 01 8a 00", "40 87fe fe 87fd ff"},
		{"pair", "(1,a)", "89 12610001", ""},
		{"lsn", "0/5", "8d", "87fa"},
		{"void", "", "44", "44"},
	} {
		typ := typeNamed(t, c.typ)
		asc := unhex(t, c.asc)
		vt, value, rest, err := ValueFromKey(nil, typ, false, asc)
		if err != nil || len(rest) > 0 {
			t.Errorf("%s %q: read ascending key %x: %x left, %v", c.typ, c.text, asc, rest, err)
			continue
		}
		text, rest, null, err := AppendKeyText(nil, typ, false, append(bytes.Clone(asc), 0x88))
		if string(text) != c.text || null || err != nil || !bytes.Equal(rest, []byte{0x88}) {
			t.Errorf("%s: key %x is %q, %v, want %q", c.typ, asc, text, err, c.text)
		}
		if c.typ != "pair" {
			checkKey(t, typ, false, asc)
		}
		for dir, want := range []string{c.asc, c.desc} {
			if want == "" {
				continue
			}
			key, err := KeyFromValue(nil, typ, dir == 1, vt, value)
			if err != nil || !bytes.Equal(key, unhex(t, want)) {
				t.Errorf("%s %q: key (descending %v) is %x, want %s, %v", c.typ, c.text, dir == 1, key, want, err)
			}
			if d, err := ParseText(typ, c.text); err == nil {
				key, err := AppendKey(nil, typ, dir == 1, d)
				if err != nil || !bytes.Equal(key, unhex(t, want)) {
					t.Errorf("%s: key of %q as people write it is %x, want %s, %v", c.typ, c.text, key, want, err)
				}
			}
		}
	}
}

// TestValueVectors are values which CockroachDB's own encoder made.
func TestValueVectors(t *testing.T) {
	for _, c := range []struct {
		typ, value, text string
		col              uint32
	}{
		{"int8", "2302", "1", 2},
		{"float8", "14 3ff8000000000000", "1.5", 1},
		{"decimal", "15 03 348982", "1.30", 1},
		{"decimal", "15 05 348d0f4272", "10000.50", 1},
		{"decimal", "15 01 27", "0", 1},
		{"decimal", "15 02 2889", "0.00", 1},
		{"decimal", "15 02 1a89", "-0", 1},
		{"text", "16 02 6869", "hi", 1},
		{"bytes", "16 02 6869", `\x6869`, 1},
		{"char4", "16 02 6869", "hi  ", 1},
		{"text", "16 822c" + strings.Repeat("61", 300), strings.Repeat("a", 300), 1},
		{"timestamp", "18 caf6eae00b 80a8de75", "2020-01-02 03:04:05.123456", 1},
		{"interval", "19 04 06 80c8afa025", "2 mons 3 days 00:00:05", 1},
		{"bool", "1a", "t", 1},
		{"bool", "811b", "f", 9},
		{"inet", "1e 00 18 c0a80100", "192.168.1.0/24", 1},
		{"jsonb", "3f 0f 08 20000000 00000000", "null", 3},
		{"jsonb", "824f 0f 08 20000000 40000000", "true", 20},
		{"jsonb", "1f0f 0c 20000000 20000004 0334890f", "1.5", 1},
		{"jsonb", "1f0f 0a 20000000 10000002 6162", `"ab"`, 1},
		{"jsonb", "1f0f 04 80000000", "[]", 1},
		{"jsonb", "1f0f 04 40000000", "{}", 1},
		{"jsonb", "1f0f 34" + jsonDocument, `{"a": 1, "b": [true, {"c": "x"}]}`, 1},
		{"jsonb", "1f0f 15" + jsonMixed, `[1, "a", null]`, 1},
		{"varbit", "1f11 05 b000000000000000", "10110", 1},
		{"timetz", "1f13 80c0ddeec102 a038", "12:00:00-01:00", 1},
		{"pair", "1f10 02 03 02 06 01 61", "(1,a)", 1},
		{"void", "1f19", "", 1},
	} {
		data := unhex(t, c.value)
		typ := typeNamed(t, c.typ)
		col, vt, payload, rest, null, err := TupleNext(append(bytes.Clone(data), 0x13, 0x02), 0)
		if err != nil || null || col != c.col || !bytes.Equal(rest, []byte{0x13, 0x02}) {
			t.Errorf("%s %s: column %d, %x left, %v", c.typ, c.value, col, rest, err)
			continue
		}
		if text, err := AppendValueText(nil, typ, vt, payload); err != nil || string(text) != c.text {
			t.Errorf("%s %s: %q, %v, want %q", c.typ, c.value, text, err, c.text)
		}
		if again := AppendValue(nil, col, Datum{vt, payload}); !bytes.Equal(again, data) {
			t.Errorf("%s: %x written again is %x", c.typ, data, again)
		}
		if d, err := ParseText(typ, c.text); err == nil {
			if again := AppendValue(nil, col, d); !bytes.Equal(again, data) {
				t.Errorf("%s: %q as people write it is %x, want %x", c.typ, c.text, again, data)
			}
		}
	}
}

// TestStride holds that every 32nd entry of a document says where its data ends.
func TestStride(t *testing.T) {
	jsonb := typeNamed(t, "jsonb")
	key := append(append([]byte{jsonArrayKey, 0x88 + 33}, bytes.Repeat([]byte{jsonNullKey}, 33)...), 0)
	want := unhex(t, "80000021 80000000"+strings.Repeat("00000000", 31)+"80000000")
	if _, value, _, err := ValueFromKey(nil, jsonb, false, key); err != nil || !bytes.Equal(value, want) {
		t.Errorf("33 nulls are %x, %v, want %x", value, err, want)
	}
	key = append(append([]byte{jsonObjectKey, 0x88 + 33}, bytes.Repeat([]byte{jsonStringKey, 0x12, 'a', 0, 1, 0, jsonTrueKey}, 33)...), 0)
	want = unhex(t, "40000021 90000001"+strings.Repeat("10000001", 31)+"90000021 c0000021"+strings.Repeat("40000000", 31)+"c0000021"+strings.Repeat("61", 33))
	if _, value, _, err := ValueFromKey(nil, jsonb, false, key); err != nil || !bytes.Equal(value, want) {
		t.Errorf("33 members are %x, %v, want %x", value, err, want)
	}
}

// TestRow is a row of a real backup of 20.1: a column which only a mutation
// knows stands behind those of the table.
func TestRow(t *testing.T) {
	key, value := unhex(t, "c1 89 80 8004000000000000 88"), unhex(t, "4b8ae03c 0a 13 02 25 03 34890d")
	if ok, has := Checksum(key, value); !ok || !has {
		t.Error("checksum differs")
	}
	if ok, _ := Checksum(key[1:], value); ok {
		t.Error("checksum is that of another key too")
	}
	rowid, rest, _, err := AppendKeyText(nil, typeNamed(t, "int8"), false, key[2:])
	if err != nil || string(rowid) != "-9222246136947933184" || !bytes.Equal(rest, []byte{0x88}) {
		t.Errorf("rowid %s, %x left, %v", rowid, rest, err)
	}
	_, data, err := SplitValue(value)
	if err != nil {
		t.Fatal(err)
	}
	one, typ, payload, data, _, err := TupleNext(data, 0)
	if text, _ := AppendValueText(nil, typeNamed(t, "int8"), typ, payload); err != nil || one != 1 || string(text) != "1" {
		t.Errorf("column %d is %s, %v", one, text, err)
	}
	three, typ, payload, data, _, err := TupleNext(data, one)
	if text, _ := AppendValueText(nil, typeNamed(t, "decimal"), typ, payload); err != nil || three != 3 || string(text) != "1.3" || len(data) > 0 {
		t.Errorf("column %d is %s, %v", three, text, err)
	}
	SetChecksum(key, value)
	if !bytes.Equal(value[:4], unhex(t, "4b8ae03c")) {
		t.Errorf("checksum set is %x", value[:4])
	}
	if ok, has := Checksum(key, unhex(t, "00000000 03")); !ok || has {
		t.Error("a value without checksum has one")
	}
}

// TestSingle are the values of column families with one column.
func TestSingle(t *testing.T) {
	for _, c := range []struct {
		typ  string
		tag  Tag
		data string
		text string
	}{
		{"int8", TagInt, "02", "1"},
		{"bool", TagInt, "02", "t"},
		{"bool", TagInt, "00", "f"},
		{"date", TagInt, "02", "1970-01-02"},
		{"float8", TagFloat, "3ff8000000000000", "1.5"},
		{"text", TagBytes, "6869", "hi"},
		{"bytes", TagBytes, "6869", `\x6869`},
		{"uuid", TagBytes, "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"},
		{"inet", TagBytes, "00 18 c0a80100", "192.168.1.0/24"},
		{"rarity", TagBytes, "c0", "전설"},
		{"jsonb", TagBytes, jsonMixed, `[1, "a", null]`},
		{"int8[]", TagBytes, "11 03 03 02 02 04", "{1,NULL,2}"},
		{"decimal", TagDecimal, "348982", "1.30"},
		{"timestamp", TagTime, "14 f95e0d5da5 f9075bca00", "2020-01-02 03:04:05.123456"},
		{"timetz", TagTimeTZ, "3c fa0ae57f5400 f70e10", "12:00:00-01:00"},
		{"interval", TagDuration, "16 fc135690ec76f200 8a 8b", "2 mons 3 days 00:00:05"},
		{"varbit", TagBitArray, "05 b000000000000000", "10110"},
		{"tsquery", TagBytes, "00000003 02 02 01 00 00 62 00 01 00 00 61 00", "'a' & 'b'"},
	} {
		typ := typeNamed(t, c.typ)
		data := unhex(t, c.data)
		text, err := AppendSingleText([]byte("x"), typ, c.tag, data)
		if err != nil || string(text) != "x"+c.text {
			t.Errorf("%s %s: %q, %v, want %q", c.typ, c.data, text, err, c.text)
		}
		vt, payload, err := SingleValue(nil, typ, c.tag, data)
		if c.typ == "tsquery" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, err := AppendValueText(nil, typ, vt, payload); err != nil || string(text) != c.text {
			t.Errorf("%s %s as in a row: %q, %v, want %q", c.typ, c.data, text, err, c.text)
		}
	}
	if _, err := AppendSingleText(nil, typeNamed(t, "int8"), TagTuple, []byte{0x13, 0x02}); err == nil {
		t.Error("a tuple is read as one column")
	}
}
