package rows

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/enc"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct{ field, null, want string }{
		{"", "", `""`},
		{"", "NULL", `""`},
		{"NULL", "NULL", `"NULL"`},
		{"NULL", "", `NULL`},
		{"plain", "", `plain`},
		{" padded ", "", ` padded `},
		{"a,b", "", `"a,b"`},
		{`"`, "", `""""`},
		{`say "hi"`, "", `"say ""hi"""`},
		{"two\nlines", "", "\"two\nlines\""},
		{"two\rlines", "", "\"two\rlines\""},
		{`\.`, "", `"\."`},
		{`\N`, "", `\N`},
		{"eight888", "", "eight888"},
		{"1234567,", "", `"1234567,"`},
		{"12345678,", "", `"12345678,"`},
		{"왕국, 광산", "", `"왕국, 광산"`},
		{"\xac\x8d\x8a\xa2\xac\x8d\x8a\xa2", "", "\xac\x8d\x8a\xa2\xac\x8d\x8a\xa2"}, // each but for its high bit
		{"-+!#-+!#", "", "-+!#-+!#"}, // each but for its lowest bit
	} {
		if got := string(quote([]byte("x,"+c.field), 2, c.null)); got != "x,"+c.want {
			t.Errorf("%q with %q for NULL: %s, want x,%s", c.field, c.null, got, c.want)
		}
		if got := string(appendField([]byte("x,"), []byte(c.field), c.null)); got != "x,"+c.want {
			t.Errorf("appended %q with %q for NULL: %s, want x,%s", c.field, c.null, got, c.want)
		}
	}
}

// FuzzQuote holds that another reader reads the field that was written.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a", `"`, "a,b", "\n", `\.`, "왕국 \"1\", 광산\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		line := append(quote([]byte("x,"), 2, ""), ',')
		line = append(quote(append(line, field...), len(line), ""), ',')
		line = appendField(line, []byte(field), "")
		records, err := csv.NewReader(bytes.NewReader(line)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(field, "\r\n", "\n") // which that reader makes of it
		if len(records) != 1 || records[0][2] != want || records[0][3] != want {
			t.Errorf("%q became %q", want, records)
		}
	})
}

// TestNullText holds that NULL and a value with its text differ.
func TestNullText(t *testing.T) {
	table := families()
	d, err := New(table, Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := []pair{put(t, "c489 89 88", enc.TagTuple, "2601 37"), put(t, "c489 8f 88", enc.TagTuple, "13 0e")}
	var out bytes.Buffer
	sink := NewCSV(&out, "7")
	_, err = d.Read(context.Background(), &pairs{list: list}, Output{Rows: sink})
	if want := "id,a,b,c\n1,\"7\",7,7\n\"7\",7,7,7\n"; err != nil || out.String() != want {
		t.Errorf("%q, %v, want %q", out.String(), err, want)
	}
	if sink.Written() != int64(out.Len()) {
		t.Errorf("%d bytes written, %d counted", out.Len(), sink.Written())
	}
}

// TestAllocations holds that rows cost none: what is allocated, a walk allocates.
func TestAllocations(t *testing.T) {
	for _, table := range []string{"users", "user_journal", "inventory", "shop_orders", "guild_rank", "pk_types"} {
		_, d, list := load(t, table)
		count := func(list []pair) float64 {
			return testing.AllocsPerRun(5, func() {
				if _, err := d.Read(context.Background(), &pairs{list: list}, Output{Rows: NewCSV(io.Discard, "")}); err != nil {
					t.Fatal(err)
				}
			})
		}
		few, many := count(list[:len(list)/2]), count(list)
		if many > few+5 {
			t.Errorf("%s: %.0f allocations for %d pairs, %.0f for half of them", table, many, len(list), few)
		}
	}
}
