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
	}
	dice := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		at := time.Unix(dice.Int64N(253402300800+62135596800)-62135596800, dice.Int64N(1e6)*1000).UTC()
		cases["date"] = append(cases["date"], at.Format(time.DateOnly))
		cases["timestamptz"] = append(cases["timestamptz"], at.Format("2006-01-02 15:04:05.999999+00:00"))
		if f := math.Float64frombits(dice.Uint64()); f-f == 0 && math.Abs(f) > leastNormal {
			cases["float8"] = append(cases["float8"], strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	senders := map[string]string{"bool": "boolsend", "int8": "int8send", "int4": "int4send", "int2": "int2send", "float8": "float8send", "text": "textsend", "bytea": "byteasend",
		"uuid": "uuid_send", "jsonb": "jsonb_send", "date": "date_send", "timestamp": "timestamp_send", "timestamptz": "timestamptz_send"}
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
	for _, seed := range []string{"", "-1", "2020-01-02 03:04:05.123+00:00", "00112233-4455-6677-8899-aabbccddeeff", `\x00`} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		for _, oid := range []uint32{16, 17, 20, 21, 23, 701, 1082, 1184, 2950, 3802} {
			binaryFormOf(oid)(nil, []byte(text))
		}
	})
}
