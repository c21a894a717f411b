package enc

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// TestTexts are value encodings and how they are shown.
func TestTexts(t *testing.T) {
	for _, c := range []struct {
		typ  string
		vt   ValueType
		data string
		text string
	}{
		{"int8", IntValue, "ffffffffffffffffff01", "-9223372036854775808"},
		{"int8", IntValue, "feffffffffffffffff01", "9223372036854775807"},
		{"oid", IntValue, "feffffff1f", "4294967295"},
		{"lsn", IntValue, "feffffffffffffffff01", "7FFFFFFF/FFFFFFFF"},
		{"lsn", IntValue, "20", "0/10"},
		{"float8", FloatValue, "8000000000000000", "-0"},
		{"float8", FloatValue, "7ff0000000000000", "+Inf"},
		{"float8", FloatValue, "fff0000000000000", "-Inf"},
		{"float8", FloatValue, "4132d68800000000", "1.234568e+06"},
		{"float4", FloatValue, "3fb99999a0000000", "0.1"},
		{"float8", FloatValue, "3fb99999a0000000", "0.10000000149011612"},
		{"float4", FloatValue, "3fb999999999999a", "0.1"},
		{"float4", FloatValue, "3fd5555555555555", "0.3333333333333333"}, // more than a FLOAT4 holds
		{"decimal", DecimalValue, "18", "NaN"},
		{"decimal", DecimalValue, "19", "-Infinity"},
		{"decimal", DecimalValue, "35", "Infinity"},
		{"decimal", DecimalValue, "1a8a", "-0E+1"},
		{"decimal", DecimalValue, "28f67c", "0." + strings.Repeat("0", 125)},
		{"decimal", DecimalValue, "348b01", "1E+2"},
		{"decimal", DecimalValue, "28f6c801", "1E-201"},
		{"decimal", DecimalValue, "288d01", "0.000001"},
		{"decimal", DecimalValue, "288e01", "1E-7"},
		{"decimal", DecimalValue, "1a890f", "-1.5"},
		{"decimal", DecimalValue, "3489", "0"},
		{"decimal", DecimalValue, "3494 ffffffffffffffff", "184467440737.09551615"},
		{"decimal", DecimalValue, "3492 010000000000000000", "1844674407.3709551616"},
		{"decimal", DecimalValue, "34ab ffffffffffffffffffffffffffffffff", "34028236692093846346337460743176821.1455"},
		{"decimal", DecimalValue, "34ab 00ffffffffffffffffffffffffffffffff", "34028236692093846346337460743176821.1455"},
		{"date", IntValue, "00", "1970-01-01"},
		{"date", IntValue, "ffffffffffffffffff01", "-infinity"},
		{"date", IntValue, "feffffffffffffffff01", "infinity"},
		{"uuid", UUIDValue, "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"},
		{"inet", IPAddrValue, "00207f000001", "127.0.0.1"},
		{"inet", IPAddrValue, "014020010db8000000000000000000000000", "2001:db8::/64"},
		{"inet", IPAddrValue, "018000000000000000000000ffffc0a80101", "::ffff:192.168.1.1"},
		{"bytes", BytesValue, "", `\x`},
		{"bytes", BytesValue, "00ff", `\x00ff`},
		{"name", BytesValue, "61", "a"},
		{"refcursor", BytesValue, "61", "a"},
		{"ltree", LTreeValue, "612e62", "a.b"},
		{"char4", BytesValue, "ed959c", "한   "},
		{"char4", BytesValue, "6162636465", "abcde"},
		{"varbit", BitArrayValue, "00", ""},
		{"varbit", BitArrayValue, "41 ffffffffffffffff 8000000000000000", strings.Repeat("1", 65)},
		{"box2d", Box2DValue, "053ff0000000000000 054000000000000000 034007ffffffffffff 04", "BOX(1 -1.5,2 0)"},
		{"vector", PGVectorValue, "00000003 3f800000 c0200000 3dcccccd", "[1,-2.5,0.1]"},
		{"geometry", GeoValue, "0801 1203 0101ff 1800", "0101FF"},
		{"int2vector", ArrayValue, "01 03 02 02 04", "1 2"},
		{"old oidvector", ArrayValue, "01 03 02 02 04", "1 2"},
		{"tsvector", TSVectorValue, "00000003 03636174 0002 c003 0005 03666174 0000 02275c 0001 4001", `'cat':3A,5 'fat' '''\\':1C`},
		{"tsquery", TSQueryValue, "00000000", ""},
		{"tsquery", TSQueryValue, "00000001 01 00 00 03636174", "'cat'"},
		{"tsquery", TSQueryValue, "00000006 02 02 02 03 01 00 00 0161 01 08 01 0162 02 01 01 03 00 0163", "( 'a' | 'b':*A ) & !'c':CD"},
		{"tsquery", TSQueryValue, "00000005 02 04 0001 01 00 00 0161 02 04 0003 01 00 00 0162 01 00 00 0163", "'a' <-> 'b' <3> 'c'"},
		{"text[]", ArrayValue, "11 06 08 04 00 04 6e756c6c 03 612062 03 227d5c 03 ed959c 01 2c 01 0b",
			`{"","null",NULL,"a b","\"}\\",한,",","` + "\v" + `"}`},
		{"float8[]", ArrayValue, "01 04 04 8000000000000000 3ff8000000000000 412e848000000000 7ff0000000000000", "{-0.0,1.5,1e+06,+Inf}"},
		{"bytes[]", ArrayValue, "01 06 01 01 ff", `{"\\xff"}`},
		{"interval[]", ArrayValue, "01 09 02 02 00 00 00 00 00", `{"1 mon",00:00:00}`},
		{"jsonb[]", ArrayValue, "01 0f0f 01 09 80000001 90000001 61", `{"[\"a\"]"}`},
		{"rarity[]", ArrayValue, "01 06 02 01 c0 01 20", "{전설,common}"},
		{"bool[]", ArrayValue, "11 0a 03 04 0a 0b", "{t,f,NULL}"},
		{"int8[]", ArrayValue, "01 03 00", "{}"},
		{"date[]", ArrayValue, "01 08 01 02", "{1970-01-02}"}, // 1.1 wrote the wrong type
		{"pair", TupleValue, "02 01 06 03 612022", `(,"a """)`},
		{"jsonb", JSONValue, "20000000 10000009 61 22 5c 08 0c 0a 0d 09 7f", `"a\"\\\u0008\u000c\n\r\t` + "\x7f" + `"`},
		{"jsonb", JSONValue, "20000000 10000003 61ff62", `"a` + "\ufffd" + `b"`},
		{"jsonb", JSONValue, "20000000 10000009 616161616161610a61", `"aaaaaaa\na"`},
		{"jsonb", JSONValue, "20000000 10000009 6161615c6161616161", `"aaa\\aaaaa"`},
		{"jsonb", JSONValue, "20000000 10000009 6161611f6161616161", `"aaa\u001faaaaa"`},
		{"jsonb", JSONValue, "20000000 10000009 616161226161616161", `"aaa\"aaaaa"`},
		{"jsonb", JSONValue, "20000000 1000000c 616120217e7fed959cf09f8d", `"aa !~` + "\x7f한\ufffd" + `"`},
		{"jsonb", JSONValue, "20000000 20000003 02 1a89", "-0"},
	} {
		typ := typeNamed(t, c.typ)
		text, err := AppendValueText([]byte("x"), typ, c.vt, unhex(t, c.data))
		if err != nil || string(text) != "x"+c.text {
			t.Errorf("%s %s: %q, %v, want %q", c.typ, c.data, text[1:], err, c.text)
		}
	}
}

// TestTimes are times of every kind and how they are shown.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		typ  string
		d    Datum
		text string
	}{
		{"timestamp", Timestamp(0, 0), "1970-01-01 00:00:00"},
		{"timestamp", Timestamp(-1, 999999999), "1969-12-31 23:59:59.999999999"},
		{"timestamptz", Timestamp(951782400, 5e8), "2000-02-29 00:00:00.5+00:00"},
		{"timestamp", Timestamp(253402300800, 0), "10000-01-01 00:00:00"},
		{"timestamp", Timestamp(-62135596800, 0), "0001-01-01 00:00:00"},
		{"timestamp", Timestamp(-62135596801, 0), "0001-12-31 23:59:59 BC"},
		{"timestamptz", Timestamp(-210866803200, 0), "4714-11-24 00:00:00+00:00 BC"},
		{"timestamp", Timestamp(9224318015999, 999999000), "294276-12-31 23:59:59.999999"},
		{"date", Int(-719162), "0001-01-01"},
		{"date", Int(-719163), "0001-12-31 BC"},
		{"date", Int(2932896), "9999-12-31"},
		{"date", Int(2932897), "10000-01-01"},
		{"date", Int(firstDate), "4714-11-24 BC"},
		{"date", Int(lastDate), "5874897-12-31"},
		{"date", Int(math.MaxInt64), "infinity"},
		{"date", Int(math.MinInt64), "-infinity"},
		{"time", Int(0), "00:00:00"},
		{"time", Int(dayMicros - 1), "23:59:59.999999"},
		{"time", Int(dayMicros), "24:00:00"},
		{"timetz", TimeTZ(0, 0), "00:00:00+00:00"},
		{"timetz", TimeTZ(1, -57540), "00:00:00.000001+15:59"},
		{"timetz", TimeTZ(dayMicros, 57599), "24:00:00-15:59:59"},
		{"interval", Interval(0, 0, 0), "00:00:00"},
		{"interval", Interval(11, 0, 0), "11 mons"},
		{"interval", Interval(14, 1, 1), "1 year 2 mons 1 day 00:00:00.000000001"},
		{"interval", Interval(-14, 1, 0), "-1 years -2 mons +1 day"},
		{"interval", Interval(0, -1, 1e9), "-1 days +00:00:01"},
		{"interval", Interval(0, 1, -1e9), "1 day -00:00:01"},
		{"interval", Interval(0, 0, math.MinInt64), "-2562047:47:16.854775808"},
	} {
		typ := typeNamed(t, c.typ)
		text, err := AppendValueText(nil, typ, c.d.Type, c.d.Payload)
		if err != nil || string(text) != c.text {
			t.Errorf("%s: %q, %v, want %q", c.typ, text, err, c.text)
		}
		if c.typ == "timetz" {
			continue
		}
		d, err := ParseText(typ, c.text)
		if err != nil || d.Type != c.d.Type || !bytes.Equal(d.Payload, c.d.Payload) {
			t.Errorf("%s %q is read as %x, %v, want %x", c.typ, c.text, d.Payload, err, c.d.Payload)
		}
	}
}

// TestCivil holds for each day of 800 years around the first.
func TestCivil(t *testing.T) {
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	year, month, day := int64(-400), 1, 1
	for n := daysOf(-400, 1, 1); year < 400; n++ {
		if y, m, d := civil(n); y != year || m != month || d != day || daysOf(y, m, d) != n {
			t.Fatalf("day %d is %d-%d-%d, want %d-%d-%d", n, y, m, d, year, month, day)
		}
		last := days[month-1]
		if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			last++
		}
		if day++; day > last {
			month, day = month+1, 1
		}
		if month > 12 {
			year, month = year+1, 1
		}
	}
}

// TestParse reads what people write in other words than the database, and
// refuses what means nothing.
func TestParse(t *testing.T) {
	for _, c := range []struct{ typ, text, want string }{
		{"int8", "+7", "7"},
		{"int8", "7.0", ""},
		{"int8", "9223372036854775808", ""},
		{"bool", "TRUE", "t"},
		{"bool", "maybe", ""},
		{"decimal", "+1.50", "1.50"},
		{"decimal", "15e-1", "1.5"},
		{"decimal", ".5", "0.5"},
		{"decimal", "5.", "5"},
		{"decimal", "-000.0", "-0.0"},
		{"decimal", "inf", "Infinity"},
		{"decimal", "", ""},
		{"decimal", ".", ""},
		{"decimal", "1.2.3", ""},
		{"decimal", "1e99999999999", ""},
		{"float4", "0.1", "0.1"},
		{"float8", "1e400", ""},
		{"uuid", "{01014ADAC3C036AF1F35A7DA9ACC4235}", "01014ada-c3c0-36af-1f35-a7da9acc4235"},
		{"uuid", "01014ada", ""},
		{"timestamptz", "2020-01-02T03:04:05Z", "2020-01-02 03:04:05+00:00"},
		{"timestamptz", "2020-01-02 03:04:05.5+09:00", "2020-01-01 18:04:05.5+00:00"},
		{"timestamptz", "2020-01-02 03:04-03", "2020-01-02 06:04:00+00:00"},
		{"timestamptz", "2020-01-02", "2020-01-02 00:00:00+00:00"},
		{"timestamp", "2020-02-30", ""},
		{"timestamp", "2021-02-29 00:00:00", ""},
		{"timestamp", "2020-01-02 25:00:00", ""},
		{"timestamp", "2020-13-01", ""},
		{"timestamp", "now", ""},
		{"date", "0000-01-01", ""},
		{"time", "12:30", "12:30:00"},
		{"time", "12:60:61", ""},
		{"bytes", `\x00FF`, `\x00ff`},
		{"bytes", "ab", `\x6162`},
		{"bytes", `\x0`, ""},
		{"rarity", "전설", "전설"},
		{"rarity", "mythic", ""},
		{"char4", "a  ", "a   "},
		{"inet", "10.0.0.1/8", "10.0.0.1/8"},
		{"inet", "10.0.0.256", ""},
		{"lsn", "16/B374D848", "16/B374D848"},
		{"varbit", "012", ""},
		{"jsonb", "{}", ""},
	} {
		typ := typeNamed(t, c.typ)
		d, err := ParseText(typ, c.text)
		if err != nil {
			if c.want != "" {
				t.Errorf("%s %q: %v", c.typ, c.text, err)
			}
			continue
		}
		if text, err := AppendValueText(nil, typ, d.Type, d.Payload); err != nil || string(text) != c.want {
			t.Errorf("%s %q is %q, %v, want %q", c.typ, c.text, text, err, c.want)
		}
	}
}

// TestNull is NULL in keys and rows.
func TestNull(t *testing.T) {
	typ := typeNamed(t, "text")
	for desc, want := range map[bool]byte{false: 0x00, true: 0xff} {
		key, err := AppendKey(nil, typ, desc, Null())
		if err != nil || !bytes.Equal(key, []byte{want}) {
			t.Errorf("key of NULL is %x, %v", key, err)
		}
		if out, rest, null, err := AppendKeyText([]byte("x"), typ, desc, append(key, 0x88)); !null || err != nil || string(out) != "x" || len(rest) != 1 {
			t.Errorf("key %x is %q, %v, %v", key, out, null, err)
		}
	}
	_, typ2, payload, rest, null, err := TupleNext(AppendValue(nil, 3, Null()), 0)
	if !null || typ2 != NullValue || len(payload)+len(rest) > 0 || err != nil {
		t.Errorf("NULL in a row is %d, %v", typ2, err)
	}
	if _, err := AppendValueText(nil, typ, NullValue, nil); err == nil {
		t.Error("NULL has a text")
	}
}

// TestLossy is which values a row repeats beside its key.
func TestLossy(t *testing.T) {
	for _, c := range []struct {
		typ   string
		vt    ValueType
		data  string
		lossy bool
	}{
		{"ko", BytesValue, "61", true},
		{"text", BytesValue, "61", false},
		{"float8", FloatValue, "8000000000000000", true},
		{"float8", FloatValue, "0000000000000000", false},
		{"decimal", DecimalValue, "34890d", false},
		{"decimal", DecimalValue, "348982", true},
		{"decimal", DecimalValue, "27", true},
		{"decimal[]", ArrayValue, "01 05 02 03 34890d 03 348982", true},
		{"decimal[]", ArrayValue, "11 05 02 01 03 34890d", false},
		{"jsonb", JSONValue, "20000000 20000004 0334890f", false},
		{"jsonb", JSONValue, "80000001 d000000c 80000001 a0000004 03348982", true},
		{"pair", TupleValue, "02 03 02 06 01 61", false},
	} {
		if got := KeyLoses(typeNamed(t, c.typ), c.vt, unhex(t, c.data)); got != c.lossy {
			t.Errorf("%s %s is repeated beside its key: %v", c.typ, c.data, got)
		}
	}
}

// TestAllocations holds that the common types cost no allocation, from keys and
// from rows.
func TestAllocations(t *testing.T) {
	var buf []byte
	for _, row := range realRows(t) {
		if row.table == "nicknames" {
			continue // a collator has its own
		}
		def := tables[row.table]
		var types []*Type
		for name := range strings.FieldsSeq(def.columns) {
			types = append(types, typeNamed(t, name))
		}
		first := strings.Fields(def.key)[0]
		desc := first[0] == '-'
		keyed := types[first[len(first)-1]-'1']
		_, data, _ := SplitValue(row.value)
		long := false // a decimal of more than 38 digits
		n := testing.AllocsPerRun(3, func() {
			var err error
			if buf, _, _, err = AppendKeyText(buf[:0], keyed, desc, row.key[2:]); err != nil {
				t.Fatal(err)
			}
			for col, rest := uint32(0), data; len(rest) > 0; {
				var typ ValueType
				var payload []byte
				if col, typ, payload, rest, _, err = TupleNext(rest, col); err != nil {
					t.Fatal(err)
				}
				long = long || typ == DecimalValue && len(payload) > 18
				if buf, err = AppendValueText(buf, types[col-1], typ, payload); err != nil {
					t.Fatal(err)
				}
				if buf, err = KeyFromValue(buf, types[col-1], true, typ, payload); err != nil {
					t.Fatal(err)
				}
			}
			if ok, _ := Checksum(row.key, row.value); !ok {
				t.Fatal("checksum differs")
			}
		})
		if n > 0 && !long {
			t.Errorf("%s %x: %.0f allocations", row.table, row.key, n)
		}
	}
}
