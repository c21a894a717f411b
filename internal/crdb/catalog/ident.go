package catalog

import "strings"

// ident is a name as SQL writes it: between quotes unless it is plain and no
// reserved word.
func ident(name string) string {
	if plain(name) && !reserved[name] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// plain says that a name needs no quotes in either dialect.
func plain(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return false
		}
	}
	return name != ""
}

// literal is a text as both dialects write it.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// qualified is the name of something in a schema.
func qualified(schema, name string) string { return ident(schema) + "." + ident(name) }

// reserved are the words that CockroachDB or PostgreSQL do not take as a plain
// name of a table or column.
var reserved = words(`all analyse analyze and any array as asc asymmetric authorization between bigint binary bit
	boolean both case cast char character check coalesce collate collation column concurrently constraint create cross
	current_catalog current_date current_role current_schema current_time current_timestamp current_user dec decimal
	default deferrable desc distinct do else end except exists extract extract_duration false family fetch float for
	foreign freeze from full grant greatest group grouping having if ifnull ilike in index initially inner inout int
	integer intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp
	natural nchar none not notnull nothing null nullif numeric offset on only or order out outer overlaps overlay
	placing position precision primary real references returning right row select session_user setof similar smallint
	some string substring symmetric system_user table tablesample then time timestamp timestamptz timetz to trailing
	treat trim true union unique user using values varbit varchar variadic verbose virtual when where window with
	work xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable`)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(list) {
		out[w] = true
	}
	return out
}
