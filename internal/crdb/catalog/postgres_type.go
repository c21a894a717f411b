package catalog

import (
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// postgresNames are PostgreSQL's names of the types whose family says it all.
var postgresNames = map[enc.Family]string{
	enc.BoolFamily: "boolean", enc.DateFamily: "date", enc.BytesFamily: "bytea", enc.UUIDFamily: "uuid", enc.INetFamily: "inet",
	enc.JSONFamily: "jsonb", enc.TSQueryFamily: "tsquery", enc.TSVectorFamily: "tsvector", enc.PGLSNFamily: "pg_lsn",
	enc.RefCursorFamily: "refcursor", enc.OIDFamily: "oid", enc.DecimalFamily: "numeric",
}

// PostgresType is the name of the PostgreSQL type that holds every value of a
// type, by default settings: where it has none of its own it is text, and note
// says why. Collations are not part of it.
func PostgresType(t *enc.Type, mod Modifiers) (name, note string) {
	switch t.Family {
	case enc.IntFamily:
		return postgresInt(t), ""
	case enc.FloatFamily:
		if t.Width == 32 {
			return "real", ""
		}
		return "double precision", ""
	case enc.DecimalFamily:
		return "numeric" + decimalDigits(t), ""
	case enc.StringFamily, enc.CollatedFamily:
		return postgresString(t), ""
	case enc.TimestampFamily:
		return "timestamp" + fraction(t, mod), ""
	case enc.TimestampTZFamily:
		return "timestamp" + fraction(t, mod) + " with time zone", ""
	case enc.TimeFamily:
		return "time" + fraction(t, mod), ""
	case enc.TimeTZFamily:
		return "time" + fraction(t, mod) + " with time zone", ""
	case enc.IntervalFamily:
		return "interval" + strings.ToLower(intervalPart(t, mod)), ""
	case enc.BitFamily:
		return postgresBits(t), ""
	case enc.ArrayFamily:
		return postgresArray(t, mod)
	case enc.EnumFamily, enc.TupleFamily:
		if t.Name != "" {
			return t.Name, ""
		}
	}
	if name, ok := postgresNames[t.Family]; ok {
		return name, ""
	}
	return "text", "was " + CockroachType(t, mod) + ", which PostgreSQL does not have by itself: it is text"
}

func postgresInt(t *enc.Type) string {
	switch t.Width {
	case 16:
		return "smallint"
	case 32:
		return "integer"
	}
	return "bigint"
}

func postgresArray(t *enc.Type, mod Modifiers) (name, note string) {
	switch {
	case t.OID == enc.OIDInt2Vector:
		return "int2vector", ""
	case t.OID == enc.OIDOIDVector:
		return "oidvector", ""
	case t.Elem == nil:
		return "text", "was an array of something unknown: it is text"
	}
	name, note = PostgresType(t.Elem, mod)
	return name + "[]", note
}

func postgresString(t *enc.Type) string {
	switch {
	case t.OID == enc.OIDBPChar && t.Width > 0:
		return "char" + limit(t.Width)
	case t.OID == enc.OIDVarChar || t.OID == enc.OIDText && t.Width > 0:
		return "varchar" + limit(t.Width)
	}
	return "text" // name and "char" of PostgreSQL hold less than CockroachDB's
}

func postgresBits(t *enc.Type) string {
	if t.OID == enc.OIDVarBit {
		return "varbit" + limit(t.Width)
	}
	return "bit" + limit(max(t.Width, 1))
}

// typeOfSQL is PostgreSQL's name of a type as an expression names it; empty if it
// is not known.
func (w *postgres) typeOfSQL(t sqlType) string {
	inner := &t.Type
	if inner.Family == enc.ArrayFamily && inner.Elem != nil && len(t.User) > 0 {
		inner = inner.Elem
	}
	if len(t.User) > 0 {
		u := w.userTypeNamed(t.User)
		if u == nil {
			return ""
		}
		inner.Name = qualified(u.Schema, u.Name)
		inner.Family = map[bool]enc.Family{true: enc.TupleFamily, false: enc.EnumFamily}[u.Kind == CompositeKind]
	}
	name, note := PostgresType(&t.Type, t.Mod)
	if note != "" {
		return ""
	}
	return name
}

// userTypeNamed is the user-defined type of a path of one to three names.
func (w *postgres) userTypeNamed(path []string) *UserType {
	for _, u := range w.namer.types {
		if u.DatabaseID != w.database || u.Kind == AliasKind || u.Name != path[len(path)-1] {
			continue
		}
		if len(path) == 1 || path[len(path)-2] == u.Schema {
			return u
		}
	}
	return nil
}
