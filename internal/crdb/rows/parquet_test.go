package rows

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// TestParquet reads back what was written and holds it against what the
// database showed. Rows which the file's types cannot hold must be among the
// doubtful ones, as text.
func TestParquet(t *testing.T) {
	c := open(t, "tiny")
	want := truth(t, "tiny")
	for _, table := range c.tables() {
		t.Run(table.Name, func(t *testing.T) {
			d, err := New(table, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var file, refused bytes.Buffer
			it := c.reader.Iter(d.Span())
			res, err := d.Read(context.Background(), it, Output{Rows: NewParquet(&file), Doubtful: NewDoubtfulCSV(&refused, "<<NULL>>")})
			if err != nil {
				t.Fatal(err)
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
			lines, err := csv.NewReader(&refused).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) != int(res.Withheld)+1 || res.Withheld > 3 || res.Withheld > 0 && table.Name != "edge_cases" {
				t.Errorf("%d rows withheld, %d lines of them: %v", res.Withheld, len(lines)-1, res.Doubts)
			}
			for _, line := range lines[1:] {
				at := slices.IndexFunc(want[table.Name], func(w []string) bool { return slices.Equal(w, line) })
				if at < 0 {
					t.Fatalf("the database has no row %q", line)
				}
				want[table.Name] = slices.Delete(want[table.Name], at, at+1)
			}
			compareParquet(t, d, file.Bytes(), want[table.Name])
		})
	}
}

func compareParquet(t *testing.T, d *Decoder, file []byte, want [][]string) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range want[0] {
		if got := f.Schema().Columns()[i][0]; got != name {
			t.Errorf("column %d is %q, want %q", i, got, name)
		}
	}
	at := 1
	for _, group := range f.RowGroups() {
		rows, one := group.Rows(), make([]parquet.Row, 1)
		for {
			n, err := rows.ReadRows(one)
			if n == 0 {
				if err != io.EOF {
					t.Fatal(err)
				}
				break
			}
			if at == len(want) {
				t.Fatal("more rows than the database had")
			}
			for i, v := range one[0] {
				typ := &d.columns[i].Type
				if got, want := parquetText(typ, v), plainText(t, typ, escapes.Replace(want[at][i])); got != want {
					t.Fatalf("row %d column %d is %q, want %q", at, i, got, want)
				}
			}
			at++
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if at != len(want) {
		t.Errorf("%d rows, want %d", at-1, len(want)-1)
	}
}

// plainText is what a text means where the file has a number.
func plainText(t *testing.T, typ *enc.Type, text string) string {
	t.Helper()
	switch typ.Family {
	case enc.TimestampFamily, enc.TimestampTZFamily, enc.DateFamily, enc.TimeFamily, enc.FloatFamily:
		if text == "<<NULL>>" {
			return text
		}
		d, err := enc.ParseText(typ, text)
		if err != nil {
			t.Fatal(err)
		}
		v, ok := parquetColumnOf(typ).of(d.Type, d.Payload)
		if !ok {
			t.Fatalf("%q does not fit", text)
		}
		return parquetText(typ, v)
	}
	return text
}

// parquetText is a value of the file as text.
func parquetText(t *enc.Type, v parquet.Value) string {
	if v.IsNull() {
		return "<<NULL>>"
	}
	switch t.Family {
	case enc.BoolFamily:
		return strconv.FormatBool(v.Boolean())[:1]
	case enc.IntFamily, enc.OIDFamily, enc.TimestampFamily, enc.TimestampTZFamily, enc.TimeFamily:
		return strconv.FormatInt(v.Int64(), 10)
	case enc.DateFamily:
		return strconv.Itoa(int(v.Int32()))
	case enc.FloatFamily:
		return fmt.Sprint(v.Double())
	case enc.UUIDFamily:
		u := v.ByteArray()
		return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	case enc.BytesFamily:
		return `\x` + hex.EncodeToString(v.ByteArray())
	}
	return string(v.ByteArray())
}

// TestParquetInstants holds microseconds against moments that are known.
func TestParquetInstants(t *testing.T) {
	for _, c := range []struct {
		second, nano, want int64
		ok                 bool
	}{
		{1582977600, 500000000, 1582977600500000, true},
		{-1, 999999000, -1, true},
		{9224318015999, 999999000, 0, false}, // the last moment of 294276
	} {
		d := enc.Timestamp(c.second, c.nano)
		v, ok := parquetInstant(d.Type, d.Payload)
		if ok != c.ok || ok && v.Int64() != c.want {
			t.Errorf("%d s and %d ns are %d, %v, want %d, %v", c.second, c.nano, v.Int64(), ok, c.want, c.ok)
		}
	}
}
