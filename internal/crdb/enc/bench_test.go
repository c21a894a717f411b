package enc

import (
	"strings"
	"testing"
)

// BenchmarkText writes the text of one value at a time; the rate is that of the
// text.
func BenchmarkText(b *testing.B) {
	for _, c := range []struct{ name, typ, text string }{
		{"int", "int8", "123456789"},
		{"string", "text", "용감한 쿠키 #19749"},
		{"uuid", "uuid", "01014ada-c3c0-36af-1f35-a7da9acc4235"},
		{"timestamp", "timestamptz", "2019-08-31 22:39:33.000749+00:00"},
		{"date", "date", "1966-07-30"},
		{"decimal", "decimal", "6829.3021"},
		{"decimal38", "decimal", "99999999999999999999999999999.999999999"},
		{"float", "float8", "0.08125884237183771"},
		{"bool", "bool", "t"},
		{"bytes", "bytes", `\xfc7e855b9e2947c9e32981e4ae4fc6af7ecd2df583`},
	} {
		typ := typeNamed(b, c.typ)
		d, err := ParseText(typ, c.text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) { benchText(b, typ, d) })
	}
	for _, row := range realRows(b)[:1] { // a user
		_, data, _ := SplitValue(row.value)
		types := strings.Fields(tables[row.table].columns)
		for col := uint32(0); len(data) > 0; {
			id, typ, payload, rest, _, err := TupleNext(data, col)
			if err != nil {
				b.Fatal(err)
			}
			col, data = id, rest
			if name := types[id-1]; name == "jsonb" || name == "text[]" || name == "interval" {
				b.Run(name, func(b *testing.B) { benchText(b, typeNamed(b, name), Datum{typ, payload}) })
			}
		}
	}
}

func benchText(b *testing.B, t *Type, d Datum) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = AppendValueText(buf[:0], t, d.Type, d.Payload); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkRows reads whole rows: checksum, key columns, value columns, text.
func BenchmarkRows(b *testing.B) {
	for _, table := range []string{"users", "user_journal", "shop_orders", "guild_rank"} {
		b.Run(table, func(b *testing.B) { benchRows(b, table) })
	}
}

type benchColumn struct {
	typ  *Type
	desc bool
}

func benchRows(b *testing.B, table string) {
	var types []*Type
	for name := range strings.FieldsSeq(tables[table].columns) {
		types = append(types, typeNamed(b, name))
	}
	var key []benchColumn
	for field := range strings.FieldsSeq(tables[table].key) {
		number, desc := strings.CutPrefix(field, "-")
		key = append(key, benchColumn{types[number[0]-'1'], desc})
	}
	var rows []kv
	for _, row := range realRows(b) {
		if row.table == table {
			rows = append(rows, row)
		}
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for _, row := range rows {
			if ok, _ := Checksum(row.key, row.value); !ok {
				b.Fatal("checksum")
			}
			var err error
			rest := row.key[2:]
			for _, c := range key {
				if buf, rest, _, err = AppendKeyText(buf, c.typ, c.desc, rest); err != nil {
					b.Fatal(err)
				}
				buf = append(buf, ',')
			}
			data := row.value[ValueHeader:]
			for id := uint32(0); len(data) > 0; {
				var typ ValueType
				var payload []byte
				if id, typ, payload, data, _, err = TupleNext(data, id); err != nil {
					b.Fatal(err)
				}
				if buf, err = AppendValueText(buf, types[id-1], typ, payload); err != nil {
					b.Fatal(err)
				}
				buf = append(buf, ',')
			}
		}
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkKey makes the keys of an index from the values of rows.
func BenchmarkKey(b *testing.B) {
	for _, c := range []struct{ name, typ, text string }{
		{"int", "int8", "123456789"},
		{"string", "text", "용감한 쿠키 #19749"},
		{"uuid", "uuid", "01014ada-c3c0-36af-1f35-a7da9acc4235"},
		{"timestamp", "timestamptz", "2019-08-31 22:39:33.000749+00:00"},
		{"decimal", "decimal", "6829.3021"},
		{"collated", "en", "Cookie106"},
	} {
		typ := typeNamed(b, c.typ)
		d, err := ParseText(typ, c.text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			for b.Loop() {
				if buf, err = AppendKey(buf[:0], typ, false, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
