package pg

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/testenv"
)

// TestOwnText holds the own text of values against what a server says of them.
func TestOwnText(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), testenv.Database(t, testenv.Postgres(t, testenv.Newer)).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	dice := rand.New(rand.NewPCG(1, 2))
	cases := map[string][]string{
		"timestamptz": {"2020-01-02 03:04:05.123+00:00", "infinity", "2020-01-02 03:04:05+00"},
		"timetz":      {"04:15:30.25+09:00", "04:15:30.25-03:30", "24:00:00+00:00"},
		"float8":      {"0", "-0", "1e+15", "100000000000000", "9.9e+08", "123456.789e+3", "0.0001", "0.00001", "1e-05", "NaN", "5e-324", "1.7976931348623157e+308", "-1.5"},
		"float4":      {"0", "-0", "1e+06", "999999", "64.25", "1.234567e+06", "16777216", "1e-45"},
		"numeric":     {"1.50E+20", "1E+2", "1.2345E+2", "-1.5E-8", "1E-7", "0E+3", "-0", "-0.00", "0E-4", "12.30", "NaN", "-12.5E-1", "123E-2", "123E-3", "-1E-1", "1.0E+1", "0.5E+1", "-0.05E+1"},
		"jsonb": {`{"aa": 1, "b": 2}`, `{"b": {"zz": [], "y": {}}, "aa": [{"long": null, "k": true}, "x, {y}: z"]}`, `[]`, `{}`, `"{"`, `1.50`,
			`{"a": "q\"q", "b": 1}`, `{"bb": "q\"q\\", "a": "\n\t/"}`, `{"한글": 1, "abcdefg": 2, "z": "ü"}`},
	}
	for range 2000 {
		f := math.Float64frombits(dice.Uint64())
		s := math.Float32frombits(dice.Uint32())
		if f-f == 0 && s-s == 0 {
			cases["float8"] = append(cases["float8"], strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(math.Trunc(dice.NormFloat64()*1e9)/1e4, 'g', -1, 64))
			cases["float4"] = append(cases["float4"], strconv.FormatFloat(float64(s), 'g', -1, 32))
		}
	}
	if _, err := conn.Exec(t.Context(), "set timezone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	var own ownText
	for name, values := range cases {
		var oid uint32
		var want []string
		err := conn.QueryRow(t.Context(), "select $1::regtype::oid, array(select v::"+name+"::text from unnest($2::text[]) with ordinality u(v, n) order by n)", name, values).Scan(&oid, &want)
		if err != nil {
			t.Fatal(err)
		}
		rare := 0
		for i, v := range values {
			got := string(own.of(valueForms(oid), []byte(v)))
			if i > 15 && rare < len(values)/100 && got != want[i] && sameFloat(got, want[i]) { // of the random ones
				rare++
				continue
			}
			if got != want[i] {
				t.Errorf("%s %s is %s, the server says %s", name, v, got, want[i])
			}
		}
	}
}

func sameFloat(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	y, again := strconv.ParseFloat(b, 64)
	return err == nil && again == nil && math.Abs(x-y) <= math.Abs(x)*1e-7
}

// FuzzOwnText reads anything.
func FuzzOwnText(f *testing.F) {
	for _, seed := range []string{`{"aa": 1, "b": [2, {}]}`, "1e+15", "2020-01-02 03:04:05.123+00:00", `[[[`, `{"`} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		var own ownText
		for form := asItIs; form <= documentForm; form++ {
			own.of(form, []byte(text))
		}
	})
}
