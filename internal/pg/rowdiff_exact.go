package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Version 12 shortened the text of floating-point values, so that between a
// server older than that and a newer one equal values have unequal texts. They
// are compared by their bytes instead, wherever they stand: in a column, or
// within arrays, domains, ranges and composite types.

// exactForm writes an expression whose value holds floating-point numbers so
// that its text is the same on every version. nil means that it is already.
type exactForm func(expression string) string

// of applies the form to a column.
func (f exactForm) of(expression string) string {
	if f == nil {
		return expression
	}
	return f(expression)
}

// valueType is what the catalogs say of a type.
type valueType struct {
	OID uint32
	// Name is as SQL writes it, Send the function that gives the bytes.
	Name, Send string
	// Base is a domain's type, Element an array's, Subtype a range's; else 0.
	Base, Element, Subtype uint32
	// Fields are the types of a composite type's fields, Names their names.
	Fields []uint32
	Names  []string
}

// floats are the types of pg_catalog that hold floating-point numbers alone:
// float4, float8, point, lseg, path, box, polygon, line and circle.
var floats = map[uint32]bool{700: true, 701: true, 600: true, 601: true, 602: true, 603: true, 604: true, 628: true, 718: true}

// exactForms gives the forms of all types that need one, by OID.
func exactForms(ctx context.Context, conn *pgx.Conn) (map[uint32]exactForm, error) {
	rows, err := conn.Query(ctx, `
		select t.oid, format_type(t.oid, null), t.typsend::text, t.typbasetype, case when t.typcategory = 'A' then t.typelem else 0 end,
			coalesce(r.rngsubtype, 0), coalesce(f.types, '{}'::oid[]), coalesce(f.names, '{}')
		from pg_catalog.pg_type t
		left join pg_catalog.pg_range r on r.rngtypid = t.oid
		left join (
			select a.attrelid, array_agg(a.atttypid order by a.attnum) as types, array_agg(a.attname::text order by a.attnum) as names
			from pg_catalog.pg_attribute a where a.attnum > 0 and not a.attisdropped and a.attrelid >= 16384 group by 1) f on f.attrelid = t.typrelid`)
	if err != nil {
		return nil, err
	}
	known := map[uint32]valueType{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t valueType, err error) {
		err = row.Scan(&t.OID, &t.Name, &t.Send, &t.Base, &t.Element, &t.Subtype, &t.Fields, &t.Names)
		known[t.OID] = t
		return t, err
	})
	forms := map[uint32]exactForm{}
	for oid := range known {
		formOf(oid, known, forms)
	}
	return forms, err
}

// formOf enters the form of a type, and of those that it is made of.
func formOf(oid uint32, known map[uint32]valueType, forms map[uint32]exactForm) exactForm {
	if f, done := forms[oid]; done {
		return f
	}
	forms[oid] = nil
	t := known[oid]
	switch {
	case floats[oid], floats[t.Element]:
		forms[oid] = func(x string) string { return t.Send + "(" + x + ")" }
	case t.Base != 0:
		if f := formOf(t.Base, known, forms); f != nil {
			forms[oid] = func(x string) string { return f("(" + x + ")::" + known[t.Base].Name) }
		}
	case t.Element != 0:
		if f := formOf(t.Element, known, forms); f != nil {
			forms[oid] = func(x string) string { return exactArray(x, f) }
		}
	case t.Subtype != 0:
		if f := formOf(t.Subtype, known, forms); f != nil {
			forms[oid] = func(x string) string { return exactRange(x, f) }
		}
	default:
		forms[oid] = compositeForm(t, known, forms)
	}
	return forms[oid]
}

func compositeForm(t valueType, known map[uint32]valueType, forms map[uint32]exactForm) exactForm {
	fields := make([]exactForm, len(t.Fields))
	needed := false
	for i, oid := range t.Fields {
		fields[i] = formOf(oid, known, forms)
		needed = needed || fields[i] != nil
	}
	if !needed {
		return nil
	}
	return func(x string) string {
		each := make([]string, len(fields))
		for i, f := range fields {
			each[i] = f.of("(" + x + ")." + Quote(t.Names[i]))
		}
		// A composite of nulls alone "is null" too, but its text is not.
		return fmt.Sprintf("case when (%s)::text is not null then row(%s) end", x, strings.Join(each, ", "))
	}
}

// exactArray keeps the bounds and the elements in their order.
func exactArray(x string, element exactForm) string {
	return fmt.Sprintf("case when %[1]s is not null then (select row(array_dims(%[1]s), array_agg(%[2]s)) from (select unnest(%[1]s) as e) u) end", x, element("u.e"))
}

func exactRange(x string, bound exactForm) string {
	return fmt.Sprintf("case when %[1]s is not null then row(isempty(%[1]s), %[2]s, %[3]s, lower_inc(%[1]s), upper_inc(%[1]s), lower_inf(%[1]s), upper_inf(%[1]s)) end",
		x, bound("lower("+x+")"), bound("upper("+x+")"))
}
