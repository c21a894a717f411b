package pg

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnescape(t *testing.T) {
	for field, want := range map[string]string{
		``: "", `plain`: "plain", `a\tb`: "a\tb", `\\N`: `\N`, `\b\f\n\r\t\v\\`: "\b\f\n\r\t\v\\", `ends\`: `ends\`, `\x`: "x",
	} {
		if got := unescape([]byte(field)); string(got) != want || got == nil {
			t.Errorf("unescape(%q) = %q, want %q", field, got, want)
		}
	}
	if got := unescape([]byte(`\N`)); got != nil {
		t.Errorf("null is %q", got)
	}
}

func TestKeyText(t *testing.T) {
	for want, key := range map[string][]string{
		"":              {},
		"42":            {"42"},
		"a b":           {"a b"},
		"(1,2)":         {"1", "2"},
		`(1,"")`:        {"1", ""},
		`("a ""b\\",c)`: {`a "b\`, "c"},
	} {
		var values [][]byte
		for _, k := range key {
			values = append(values, []byte(k))
		}
		if got := keyText(values); got != want {
			t.Errorf("key of %q is %s, want %s", key, got, want)
		}
	}
}

func TestShownCutsLongValuesAndStillTellsThemApart(t *testing.T) {
	long := strings.Repeat("é", 500)
	a, b := *shown([]byte(long + "a")), *shown([]byte(long + "b"))
	if a == b || len(a) > 300 || !strings.HasPrefix(a, "éé") || strings.ContainsRune(a, '\uFFFD') {
		t.Errorf("shown as %q and %q", a, b)
	}
	if got := *shown([]byte{'a', 0xff}); got != "a\uFFFD" {
		t.Errorf("bytes that are no text shown as %q", got)
	}
	if shown(nil) != nil {
		t.Error("null is shown as a value")
	}
}

func TestKeyOf(t *testing.T) {
	row := []byte("a\tb\tc")
	for n, want := range []string{"a", "a\tb", "a\tb\tc", "a\tb\tc"} {
		if got := string(keyOf(row, n+1)); got != want {
			t.Errorf("key of %d fields is %q, want %q", n+1, got, want)
		}
	}
}

// rowsFrom gives lines as one side of a merge, then err.
func rowsFrom(err error, lines ...string) rowsOf {
	return func() ([]byte, bool, error) {
		if len(lines) == 0 {
			return nil, false, err
		}
		next := []byte(lines[0])
		lines = lines[1:]
		return next, true, nil
	}
}

func TestMergeRows(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name           string
		source, target rowsOf
		want           []string
		err            error
	}{
		{"both empty", rowsFrom(nil), rowsFrom(nil), nil, nil},
		{"equal", rowsFrom(nil, "1\ta", "2\tb"), rowsFrom(nil, "1\ta", "2\tb"), nil, nil},
		{"all three", rowsFrom(nil, "1\ta", "2\tb", "4\td"), rowsFrom(nil, "2\tB", "3\tc"), []string{"1\ta|", "2\tb|2\tB", "|3\tc", "4\td|"}, nil},
		{"again and again", rowsFrom(nil, "1", "1", "1"), rowsFrom(nil, "1"), []string{"1|", "1|"}, nil},
		{"empty rows", rowsFrom(nil, "", ""), rowsFrom(nil, ""), []string{"|"}, nil},
		{"source breaks", rowsFrom(broken, "1"), rowsFrom(nil, "1", "2"), nil, broken},
		{"target breaks", rowsFrom(nil, "1", "2"), rowsFrom(broken, "1"), nil, broken},
		{"breaks at once", rowsFrom(broken), rowsFrom(nil), nil, broken},
	} {
		var got []string
		err := mergeRows(c.source, c.target, func(a, b []byte) int { return compareKeys(a, b, 1) }, func(source, target []byte) {
			got = append(got, string(source)+"|"+string(target))
		})
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, %s", c.name, err, diff)
		}
	}
}

func TestSumsCountEachRow(t *testing.T) {
	h := newSeeds().hasher(smallRelation+1, nil)
	sum := func(rows ...string) *sums {
		s := h.newSums(func(int64) {})
		for _, row := range rows {
			if err := s.take([]byte(row), false); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	two := sum("a", "b")
	if at, _ := two.differ(sum("b", "a")); at != nil {
		t.Error("order counts")
	}
	if at, _ := two.differ(sum("a", "b", "b")); at == nil {
		t.Error("a row twice is a row once")
	}
	if at, weight := two.differ(sum("a", "c")); at == nil || weight == 0 {
		t.Error("another row is the same")
	}
	parts := sum("a")
	parts.add(sum("b"))
	if at, _ := two.differ(parts); at != nil || parts.rows != 2 {
		t.Error("parts do not add up")
	}
	pieces := h.newSums(func(int64) {})
	for i, piece := range []string{"lo", "ng", ""} {
		if err := pieces.take([]byte(piece), i < 2); err != nil {
			t.Fatal(err)
		}
	}
	if at, _ := pieces.differ(sum("long")); at != nil || pieces.rows != 1 {
		t.Error("a row in pieces is another than the row")
	}
}
