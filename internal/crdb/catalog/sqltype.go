package catalog

import (
	"fmt"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// The OIDs that name a type of the OID family.
var oidNames = map[uint32]string{24: "REGPROC", 2202: "REGPROCEDURE", 2205: "REGCLASS", 2206: "REGTYPE", 4089: "REGNAMESPACE", 4096: "REGROLE"}

// plainNames are CockroachDB's names of the types whose family says it all.
var plainNames = map[enc.Family]string{
	enc.BoolFamily: "BOOL", enc.DateFamily: "DATE", enc.BytesFamily: "BYTES", enc.UUIDFamily: "UUID", enc.INetFamily: "INET",
	enc.JSONFamily: "JSONB", enc.Box2DFamily: "BOX2D", enc.VoidFamily: "VOID", enc.TSQueryFamily: "TSQUERY",
	enc.TSVectorFamily: "TSVECTOR", enc.PGLSNFamily: "PG_LSN", enc.RefCursorFamily: "REFCURSOR", enc.JSONPathFamily: "JSONPATH",
	enc.LTreeFamily: "LTREE", enc.UnknownFamily: "UNKNOWN",
}

// CockroachType is the name of a type in CockroachDB's SQL, as SHOW CREATE
// writes it.
func CockroachType(t *enc.Type, mod Modifiers) string {
	switch t.Family {
	case enc.IntFamily:
		return fmt.Sprintf("INT%d", t.Width/8)
	case enc.FloatFamily:
		return fmt.Sprintf("FLOAT%d", t.Width/8)
	case enc.DecimalFamily:
		return "DECIMAL" + decimalDigits(t)
	case enc.StringFamily:
		return stringName(t)
	case enc.CollatedFamily:
		return stringName(t) + " COLLATE " + localeName(t.Locale)
	case enc.TimestampFamily:
		return "TIMESTAMP" + fraction(t, mod)
	case enc.TimestampTZFamily:
		return "TIMESTAMPTZ" + fraction(t, mod)
	case enc.TimeFamily:
		return "TIME" + fraction(t, mod)
	case enc.TimeTZFamily:
		return "TIMETZ" + fraction(t, mod)
	case enc.IntervalFamily:
		return "INTERVAL" + intervalPart(t, mod)
	case enc.OIDFamily:
		if name, ok := oidNames[t.OID]; ok {
			return name
		}
		return "OID"
	case enc.BitFamily:
		return bitName(t)
	case enc.ArrayFamily:
		return cockroachArray(t, mod)
	case enc.GeometryFamily:
		return "GEOMETRY" + geoPart(mod)
	case enc.GeographyFamily:
		return "GEOGRAPHY" + geoPart(mod)
	case enc.PGVectorFamily:
		return "VECTOR" + limit(t.Width)
	case enc.EnumFamily, enc.TupleFamily:
		if t.Name != "" {
			return t.Name
		}
	}
	if name, ok := plainNames[t.Family]; ok {
		return name
	}
	return fmt.Sprintf("UNKNOWN /* family %d */", t.Family)
}

// cockroachArray names an array; its collation stands behind the brackets.
func cockroachArray(t *enc.Type, mod Modifiers) string {
	switch {
	case t.OID == enc.OIDInt2Vector:
		return "INT2VECTOR"
	case t.OID == enc.OIDOIDVector:
		return "OIDVECTOR"
	case t.Elem == nil:
		return "UNKNOWN[]"
	case t.Elem.Family == enc.CollatedFamily:
		return stringName(t.Elem) + "[] COLLATE " + localeName(t.Elem.Locale)
	}
	return CockroachType(t.Elem, mod) + "[]"
}

// localeName is a locale as a name in SQL.
func localeName(locale string) string { return ident(strings.ReplaceAll(locale, "-", "_")) }

func stringName(t *enc.Type) string {
	switch t.OID {
	case enc.OIDVarChar:
		return "VARCHAR" + limit(t.Width)
	case enc.OIDBPChar:
		if t.Width == 1 {
			return "CHAR"
		}
		return "CHAR" + limit(t.Width)
	case enc.OIDChar:
		return `"char"`
	case enc.OIDName:
		return "NAME"
	}
	return "STRING" + limit(t.Width)
}

func bitName(t *enc.Type) string {
	switch {
	case t.OID == enc.OIDVarBit:
		return "VARBIT" + limit(t.Width)
	case t.Width <= 1:
		return "BIT"
	}
	return "BIT" + limit(t.Width)
}

// limit is a width in brackets, none if none was given.
func limit(width int32) string {
	if width <= 0 {
		return ""
	}
	return fmt.Sprintf("(%d)", width)
}

// decimalDigits is the precision and scale of a DECIMAL in brackets.
func decimalDigits(t *enc.Type) string {
	switch {
	case t.Precision <= 0:
		return ""
	case t.Width == 0:
		return limit(t.Precision)
	}
	return fmt.Sprintf("(%d,%d)", t.Precision, t.Width)
}

// fraction is the digits of the seconds in brackets, none if none were given.
func fraction(t *enc.Type, mod Modifiers) string {
	if !mod.PrecisionSet {
		return ""
	}
	return fmt.Sprintf("(%d)", t.Precision)
}

func intervalPart(t *enc.Type, mod Modifiers) string {
	if mod.Interval != "" {
		out := " " + mod.Interval
		if strings.HasSuffix(out, "SECOND") {
			out += fraction(t, mod)
		}
		return out
	}
	return fraction(t, mod)
}

// geoPart is the shape and the reference system of GEOMETRY and GEOGRAPHY.
func geoPart(mod Modifiers) string {
	switch {
	case mod.Shape == "" && mod.SRID == 0:
		return ""
	case mod.SRID == 0:
		return "(" + mod.Shape + ")"
	case mod.Shape == "":
		return fmt.Sprintf("(GEOMETRY,%d)", mod.SRID)
	}
	return fmt.Sprintf("(%s,%d)", mod.Shape, mod.SRID)
}
