package pg

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/testenv"
)

// TestBinaryForms holds the bytes of values against those that a server sends of
// them; what must be left to the server is.
func TestBinaryForms(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testenv.Database(t, testenv.Postgres(t, testenv.Newer)).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "set timezone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	cases := map[string][]string{
		"bool":        {"t", "f", "true", "false"},
		"int8":        {"0", "-1", "999999999999999999", "-999999999999999999"},
		"int4":        {"0", "2147483647", "-2147483648"},
		"int2":        {"0", "32767", "-32768"},
		"float8":      {"0", "-1.5", "1e+15", "2.2250738585072014e-308", "1.7976931348623157e+308"},
		"text":        {"", "왕국", "a\tb\\"},
		"bytea":       {`\x`, `\x00ff10`},
		"uuid":        {"00112233-4455-6677-8899-aabbccddeeff"},
		"jsonb":       {`{"b": 1, "aa": [true, null]}`, `"x"`},
		"date":        {"2000-01-01", "1999-12-31", "0001-01-01", "9999-12-31", "2000-02-29", "1900-03-01", "2024-02-29"},
		"timestamp":   {"2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "0001-01-01 00:00:00.5", "9999-12-31 23:59:59.12"},
		"timestamptz": {"2000-01-01 00:00:00+00:00", "1969-07-20 20:17:40.000001+00"},
		"numeric":     {"0", "0.00", "-0.0", "1", "10000", "-12345.6789", "0.0001", "0.00001234500", "100000000", "99999999999999999999.9999", "7.5000", "12300000000.00005", "0001"},
		"float4":      {"0", "1.5", "-3.4e+38", "0.1"},
		"oid":         {"0", "4294967295"},
		"time":        {"00:00:00", "23:59:59.999999", "12:00:00.5"},
		"timetz":      {"04:15:30.25+09:00", "04:15:30.25-03:30", "00:00:00+00:00"},
		"interval":    {"00:00:00", "1 year 2 mons 3 days 04:05:06.789", "-1 days +02:03:04", "1 mon", "-00:00:01", "-1 years -2 mons +3 days -04:05:06.7", "100:00:00", "5 days", "2 years 3 days"},
		"varbit":      {"", "1", "10110011", "101100111"},
		"inet":        {"10.1.2.3", "10.1.2.3/8", "::1", "2001:db8::1/64", "::ffff:1.2.3.4"},
		"text[]":      {"{}", "{a}", `{a,"b c",NULL,"q\"\\","","null"}`, "{왕국}"},
		"bigint[]":    {"{1,-2,NULL}"},
	}
	dice := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		at := time.Unix(dice.Int64N(253402300800+62135596800)-62135596800, dice.Int64N(1e6)*1000).UTC()
		cases["date"] = append(cases["date"], at.Format(time.DateOnly))
		cases["timestamptz"] = append(cases["timestamptz"], at.Format("2006-01-02 15:04:05.999999+00:00"))
		cases["numeric"] = append(cases["numeric"], strconv.FormatFloat(dice.NormFloat64()*math.Pow(10, float64(dice.IntN(20))), 'f', dice.IntN(12), 64))
		if f := math.Float64frombits(dice.Uint64()); f-f == 0 && math.Abs(f) > leastNormal {
			cases["float8"] = append(cases["float8"], strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	senders := map[string]string{"bool": "boolsend", "int8": "int8send", "int4": "int4send", "int2": "int2send", "float8": "float8send", "text": "textsend", "bytea": "byteasend",
		"uuid": "uuid_send", "jsonb": "jsonb_send", "date": "date_send", "timestamp": "timestamp_send", "timestamptz": "timestamptz_send",
		"numeric": "numeric_send", "float4": "float4send", "oid": "oidsend", "time": "time_send", "timetz": "timetz_send", "interval": "interval_send", "varbit": "varbit_send", "inet": "inet_send",
		"text[]": "array_send", "bigint[]": "array_send"}
	for name, values := range cases {
		var oid uint32
		var want [][]byte
		err := conn.QueryRow(t.Context(), fmt.Sprintf("select $1::regtype::oid, array(select %s(v::%s) from unnest($2::text[]) with ordinality u(v, n) order by n)", senders[name], name), name, values).Scan(&oid, &want)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if got, ok := binaryFormOf(oid)(nil, []byte(v)); !ok || !bytes.Equal(got, want[i]) {
				t.Errorf("%s %q is %x, %v, the server sends %x", name, v, got, ok, want[i])
			}
		}
	}
}

// TestNoBinaryForm leaves to the server what is not certain.
func TestNoBinaryForm(t *testing.T) {
	t.Parallel()
	for oid, values := range map[uint32][]string{
		16:   {"", "yes", "T"},
		20:   {"", "-", "+1", "1_0", "9223372036854775807", " 1"},
		23:   {"2147483648", "-2147483649"},
		21:   {"32768"},
		701:  {"", "NaN", "Infinity", "1e400", "5e-324", "-0", "0x1p3"},
		17:   {"", "abc", `\x0`, `\xgg`},
		1700: {"", "-", ".5", "5.", "1e3", "NaN", "Infinity", "1.2.3"},
		26:   {"-1", "4294967296"},
		1083: {"", "24:00:00", "12:00", "12:60:00"},
		1266: {"", "04:15:30", "04:15:30+09", "04:15:30+16:00", "24:00:00+00:00"},
		1186: {"1 week", "1 day ago", "P1Y", "1 year ", "x days", "1:2", "99999999 days", "00:00:61"},
		1562: {"2"},
		869:  {"", "10.1", "10.1.2.3/33", "fe80::1%eth0"},
		1009: {"", "{", "{{a}}", "{a,}", "{a b}", `{"a}`, `{"a"b}`, "{null}", "[0:1]={a,b}"},
		2950: {"", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg"},
		1082: {"", "infinity", "0001-01-01 BC", "10000-01-01", "0000-01-01", "2023-02-29", "1900-02-29", "2023-13-01", "2023-04-31"},
		1184: {"", "infinity", "2023-01-01", "2023-01-01 24:00:00+00:00", "2023-01-01 00:00:60+00", "2023-01-01 00:00:00+09:00", "2023-01-01 00:00:00.+00", "2023-01-01 00:00:00.1234567"},
	} {
		for _, v := range values {
			if got, ok := binaryFormOf(oid)(nil, []byte(v)); ok {
				t.Errorf("%d %q is %x", oid, v, got)
			}
		}
	}
}

// FuzzBinaryForms reads anything.
func FuzzBinaryForms(f *testing.F) {
	for _, seed := range []string{"", "-1", "2020-01-02 03:04:05.123+00:00", "00112233-4455-6677-8899-aabbccddeeff", `\x00`, `{a,"b",NULL}`, "1 year -2 days 03:04:05", "-123.45", "::1/64"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		for _, oid := range []uint32{16, 17, 20, 21, 23, 26, 700, 701, 869, 1009, 1016, 1082, 1083, 1184, 1186, 1266, 1562, 1700, 2950, 3802} {
			binaryFormOf(oid)(nil, []byte(text))
		}
	})
}
