package catalog

import "github.com/evac-io/evac/internal/crdb/enc"

// typeNames are the types by their names in SQL.
var typeNames = map[string]enc.Type{
	"bool": {Family: enc.BoolFamily, OID: 16}, "boolean": {Family: enc.BoolFamily, OID: 16},
	"int2": {Family: enc.IntFamily, Width: 16, OID: enc.OIDInt2}, "smallint": {Family: enc.IntFamily, Width: 16, OID: enc.OIDInt2},
	"int4": {Family: enc.IntFamily, Width: 32, OID: enc.OIDInt4},
	"int":  {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8}, "integer": {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8},
	"int8": {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8}, "bigint": {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8},
	"int64":  {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8},
	"float4": {Family: enc.FloatFamily, Width: 32, OID: enc.OIDFloat4}, "real": {Family: enc.FloatFamily, Width: 32, OID: enc.OIDFloat4},
	"float8": {Family: enc.FloatFamily, Width: 64, OID: enc.OIDFloat8}, "float": {Family: enc.FloatFamily, Width: 64, OID: enc.OIDFloat8},
	"decimal": {Family: enc.DecimalFamily, OID: 1700}, "numeric": {Family: enc.DecimalFamily, OID: 1700}, "dec": {Family: enc.DecimalFamily, OID: 1700},
	"date": {Family: enc.DateFamily, OID: 1082}, "interval": {Family: enc.IntervalFamily, OID: 1186},
	"timestamp": {Family: enc.TimestampFamily, OID: 1114}, "timestamptz": {Family: enc.TimestampTZFamily, OID: 1184},
	"time": {Family: enc.TimeFamily, OID: 1083}, "timetz": {Family: enc.TimeTZFamily, OID: 1266},
	"string": {Family: enc.StringFamily, OID: enc.OIDText}, "text": {Family: enc.StringFamily, OID: enc.OIDText},
	"varchar": {Family: enc.StringFamily, OID: enc.OIDVarChar}, "name": {Family: enc.StringFamily, OID: enc.OIDName},
	"char": {Family: enc.StringFamily, OID: enc.OIDBPChar, Width: 1}, "character": {Family: enc.StringFamily, OID: enc.OIDBPChar, Width: 1},
	"bytes": {Family: enc.BytesFamily, OID: 17}, "bytea": {Family: enc.BytesFamily, OID: 17}, "blob": {Family: enc.BytesFamily, OID: 17},
	"uuid": {Family: enc.UUIDFamily, OID: 2950}, "inet": {Family: enc.INetFamily, OID: 869},
	"json": {Family: enc.JSONFamily, OID: 3802}, "jsonb": {Family: enc.JSONFamily, OID: 3802},
	"bit": {Family: enc.BitFamily, OID: enc.OIDBit, Width: 1}, "varbit": {Family: enc.BitFamily, OID: enc.OIDVarBit},
	"oid": {Family: enc.OIDFamily, OID: 26}, "regproc": {Family: enc.OIDFamily, OID: 24}, "regprocedure": {Family: enc.OIDFamily, OID: 2202},
	"regclass": {Family: enc.OIDFamily, OID: 2205}, "regtype": {Family: enc.OIDFamily, OID: 2206},
	"regnamespace": {Family: enc.OIDFamily, OID: 4089}, "regrole": {Family: enc.OIDFamily, OID: 4096},
	"geometry": {Family: enc.GeometryFamily}, "geography": {Family: enc.GeographyFamily}, "box2d": {Family: enc.Box2DFamily},
	"tsvector": {Family: enc.TSVectorFamily, OID: 3614}, "tsquery": {Family: enc.TSQueryFamily, OID: 3615},
	"pg_lsn": {Family: enc.PGLSNFamily, OID: 3220}, "refcursor": {Family: enc.RefCursorFamily, OID: 1790},
	"vector": {Family: enc.PGVectorFamily}, "jsonpath": {Family: enc.JSONPathFamily}, "ltree": {Family: enc.LTreeFamily},
	"int2vector": {Family: enc.ArrayFamily, OID: enc.OIDInt2Vector, Elem: &enc.Type{Family: enc.IntFamily, Width: 16, OID: enc.OIDInt2}},
	"oidvector":  {Family: enc.ArrayFamily, OID: enc.OIDOIDVector, Elem: &enc.Type{Family: enc.OIDFamily, OID: 26}},
	"serial2":    {Family: enc.IntFamily, Width: 16, OID: enc.OIDInt2}, "serial4": {Family: enc.IntFamily, Width: 32, OID: enc.OIDInt4},
	"serial": {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8}, "serial8": {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8},
	"bigserial": {Family: enc.IntFamily, Width: 64, OID: enc.OIDInt8}, "smallserial": {Family: enc.IntFamily, Width: 16, OID: enc.OIDInt2},
}
