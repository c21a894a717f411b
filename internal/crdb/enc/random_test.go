package enc

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// sample is a value by its datum and what its order among others is told by.
type sample struct {
	d     Datum
	order any
}

// random makes values of a type, the ends of its range among them.
var random = map[string]func(r *rand.Rand) sample{
	"int8": func(r *rand.Rand) sample {
		v := randomInt(r)
		return sample{Int(v), v}
	},
	"bool": func(r *rand.Rand) sample {
		v := r.IntN(2)
		return sample{Bool(v == 1), int64(v)}
	},
	"float8": func(r *rand.Rand) sample {
		f := math.Float64frombits(r.Uint64())
		if r.IntN(4) == 0 {
			f = []float64{math.Inf(1), math.Inf(-1), 0, 1, -1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.NaN()}[r.IntN(8)]
		}
		return sample{Float(f), f}
	},
	"decimal": func(r *rand.Rand) sample {
		d, ratio := randomDecimal(r)
		return sample{Datum{DecimalValue, d.appendValue(nil)}, ratio}
	},
	"text": func(r *rand.Rand) sample {
		b := make([]byte, r.IntN(6))
		for i := range b {
			b[i] = []byte{0, 0, 1, 'a', 0xfe, 0xff}[r.IntN(6)]
		}
		return sample{Bytes(b), string(b)}
	},
	"timestamp": func(r *rand.Rand) sample {
		s, n := r.Int64N(1<<40)-1<<39, r.Int64N(1e9)
		return sample{Timestamp(s, n), new(big.Rat).SetFrac(new(big.Int).Add(new(big.Int).Mul(big.NewInt(s), big.NewInt(1e9)), big.NewInt(n)), big.NewInt(1))}
	},
	"interval": func(r *rand.Rand) sample {
		m, d, n := r.Int64N(2000)-1000, r.Int64N(20000)-10000, r.Int64N(1e15)-5e14
		return sample{Interval(m, d, n), m*monthNanos + d*dayNanos + n}
	},
	"timetz": func(r *rand.Rand) sample {
		micros, west := r.Int64N(dayMicros), (r.Int64N(1800)-900)*60
		return sample{TimeTZ(micros, west), micros + west*1e6}
	},
	"varbit": func(r *rand.Rand) sample {
		text := strings.Map(func(rune) rune { return '0' + rune(r.IntN(2)) }, strings.Repeat("x", r.IntN(200)))
		d, _ := parseBits(text)
		return sample{d, text}
	},
	"lsn": func(r *rand.Rand) sample {
		v := uint64(randomInt(r))
		return sample{Int(int64(v)), new(big.Rat).SetInt(new(big.Int).SetUint64(v))}
	},
}

func randomInt(r *rand.Rand) int64 {
	if r.IntN(5) == 0 {
		return []int64{math.MinInt64, math.MaxInt64, 0, -1, 109, 110, 255, 256, -255, -256, -257}[r.IntN(11)]
	}
	return int64(r.Uint64()) >> r.IntN(64)
}

func randomDecimal(r *rand.Rand) (decimal, *big.Rat) {
	digits := []byte{'0'}
	if n := r.IntN(45); n > 0 {
		digits = make([]byte, n)
		for i := range digits {
			digits[i] = '0' + byte(r.IntN(10))
		}
		digits[0] = '1' + byte(r.IntN(9))
	}
	scale := r.IntN(60) - 30
	if r.IntN(10) == 0 {
		scale = r.IntN(2000) - 1000
	}
	d := decimal{neg: r.IntN(2) == 0, digits: digits, exp: len(digits) - scale}
	coefficient, _ := new(big.Int).SetString(string(digits), 10)
	if d.neg {
		coefficient.Neg(coefficient)
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, -scale))), nil)
	if scale < 0 {
		return d, new(big.Rat).SetInt(coefficient.Mul(coefficient, power))
	}
	return d, new(big.Rat).SetFrac(coefficient, power)
}

func compareOrder(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64: // NaN before all, as CockroachDB has it
		return cmp.Compare(a, b.(float64))
	case string:
		return cmp.Compare(a, b.(string))
	}
	return a.(*big.Rat).Cmp(b.(*big.Rat))
}

// TestRandom holds for random values of each type: the order of their keys is
// theirs, ascending and descending; keys and texts lead back to them.
func TestRandom(t *testing.T) {
	for name, next := range random {
		r := rand.New(rand.NewPCG(1, 2))
		typ := typeNamed(t, name)
		var last [2][]byte
		var before sample
		for i := range 3000 {
			s := next(r)
			for dir := range 2 {
				key, err := AppendKey([]byte{9}, typ, dir == 1, s.d)
				if err != nil {
					t.Fatalf("%s %x: %v", name, s.d.Payload, err)
				}
				key = key[1:]
				if want := compareOrder(before.order0(s), s.order); i > 0 && name != "varbit" && bytes.Compare(last[dir], key) != want*(1-2*dir) && !sameOrder(name, want) {
					t.Fatalf("%s: %v before %v is %d, their keys (descending %v) %x and %x are not", name, before.order, s.order, want, dir == 1, last[dir], key)
				}
				last[dir] = key
				checkKey(t, typ, dir == 1, key)
			}
			before = s
			text, err := AppendValueText(nil, typ, s.d.Type, s.d.Payload)
			if err != nil {
				t.Fatalf("%s %x: %v", name, s.d.Payload, err)
			}
			if name == "interval" || name == "timetz" {
				continue
			}
			d, err := ParseText(typ, string(text))
			if err != nil || d.Type != s.d.Type || !bytes.Equal(d.Payload, s.d.Payload) && !(name == "float8" && string(text) == "NaN") {
				t.Fatalf("%s: %x is %s is %x, %v", name, s.d.Payload, text, d.Payload, err)
			}
			keyed, _, _, err := AppendKeyText(nil, typ, false, mustKey(t, typ, s.d))
			if err != nil || string(keyed) != string(text) && !KeyLoses(typ, s.d.Type, s.d.Payload) {
				t.Fatalf("%s: text %s, by its key %s, %v", name, text, keyed, err)
			}
		}
	}
}

// order0 is the order of the sample before, or of s itself if there was none.
func (b sample) order0(s sample) any {
	if b.order == nil {
		return s.order
	}
	return b.order
}

// sameOrder says that the keys of values which compare the same may differ:
// intervals and times with zone go on with their parts.
func sameOrder(name string, c int) bool {
	return c == 0 && (name == "interval" || name == "timetz")
}

func mustKey(t *testing.T, typ *Type, d Datum) []byte {
	t.Helper()
	key, err := AppendKey(nil, typ, false, d)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestNested holds for random arrays and documents.
func TestNested(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	array, doc := typeNamed(t, "text[]"), typeNamed(t, "jsonb")
	for range 1000 {
		d := randomArray(r)
		for dir := range 2 {
			key, err := AppendKey(nil, array, dir == 1, d)
			if err != nil {
				t.Fatal(err)
			}
			typ, value, rest, err := ValueFromKey(nil, array, dir == 1, key)
			if err != nil || len(rest) > 0 || typ != ArrayValue || !bytes.Equal(value, d.Payload) {
				t.Fatalf("array %x became %x, %v", d.Payload, value, err)
			}
			checkKey(t, array, dir == 1, key)
		}
		value := randomJSON(r)
		text, err := AppendValueText(nil, doc, JSONValue, value)
		if err != nil {
			t.Fatal(err)
		}
		for dir := range 2 {
			key, err := AppendKey(nil, doc, dir == 1, Datum{JSONValue, value})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			_, again, rest, err := ValueFromKey(nil, doc, dir == 1, key)
			if err != nil || len(rest) > 0 || !bytes.Equal(again, value) {
				t.Fatalf("%s: %x became %x, %v", text, value, again, err)
			}
			checkKey(t, doc, dir == 1, key)
		}
	}
}

func randomArray(r *rand.Rand) Datum {
	n := r.IntN(20)
	nulls, values, has := make([]byte, (n+7)/8), []byte(nil), false
	for i := range n {
		if r.IntN(4) == 0 {
			nulls[i/8] |= 1 << (i % 8)
			has = true
			continue
		}
		values = appendElementValue(values, random["text"](r).d)
	}
	b := appendTag([]byte{either(has, 0x11, 1)}, 0, BytesValue)
	b = appendCount(b, uint64(n))
	if has {
		b = append(b, nulls...)
	}
	return Datum{ArrayValue, append(b, values...)}
}

// randomJSON is a document in its binary form, made through its key.
func randomJSON(r *rand.Rand) []byte {
	key := randomJSONKey(r, 4)
	out, rest, ok := keyJSON(nil, key, false, 0)
	if !ok || len(rest) > 0 {
		panic("bad key")
	}
	return out
}

func randomJSONKey(r *rand.Rand, depth int) []byte {
	kind := r.IntN(7)
	if depth == 0 {
		kind = r.IntN(5)
	}
	text := func() []byte {
		return append(appendKeyBytes([]byte{jsonStringKey}, []byte(random["varbit"](r).order.(string)), false), 0)
	}
	switch kind {
	case 0, 1, 2:
		return []byte{[]byte{jsonNullKey, jsonFalseKey, jsonTrueKey}[kind]}
	case 3:
		d := decimal{digits: []byte("12345"), exp: r.IntN(10) - 5}
		return append(d.appendKey([]byte{jsonNumberKey}, false), 0)
	case 4:
		return text()
	}
	n := r.IntN(70)
	if depth < 3 {
		n = r.IntN(4)
	}
	key := []byte{jsonArrayKey}
	if kind == 6 {
		key[0] = jsonObjectKey
	} else if n == 0 {
		key[0] = jsonEmptyKey
	}
	key = appendKeyInt(key, int64(n), false)
	for range n {
		if kind == 6 {
			key = append(key, text()...)
		}
		key = append(key, randomJSONKey(r, depth-1)...)
	}
	return append(key, 0)
}
